-- open: asks whether a room with keys may have the line of a key; notes that it is in use.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  the key
--       3  the most lines that the room may have
--       4  how long a line stays unused before it is forgotten (ms)
-- Reply  1, or 0 where the room has all the lines it may have

local now = clock(ARGV[1])
redis.call('ZREMRANGEBYSCORE', LINES, '-inf', now - tonumber(ARGV[4]))
if not redis.call('ZSCORE', LINES, ARGV[2]) and redis.call('ZCARD', LINES) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', LINES, now, ARGV[2])
return 1
