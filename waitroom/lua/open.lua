-- open: asks whether a room with keys may have the line of a key; notes that it is in use.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  the key
--       3  the most lines that the room may have
--       4  how long a line stays unused before it is forgotten (ms)
-- Reply  0 where the room has all the lines it may have; 1 for a line that is certainly new; 2 for one that there may have
--        been before

local now = clock(ARGV[1])
redis.call('ZREMRANGEBYSCORE', LINES, '-inf', now - tonumber(ARGV[4]))
local is_known = redis.call('ZSCORE', LINES, ARGV[2])
local count = redis.call('ZCARD', LINES)
if not is_known and count >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', LINES, now, ARGV[2])
-- An empty set may have been lost with all the lines that were in it.
return (is_known or count == 0) and 2 or 1
