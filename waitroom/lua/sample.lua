-- sample: keeps the figures of a slot of time, unless another process has done so.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  how long a slot is (ms)
--       3  how many are kept
--       4  the figures (JSON)
-- Reply  1 if they were kept

local now = clock(ARGV[1])
local slot = math.floor(now / tonumber(ARGV[2]))
local newest = redis.call('LINDEX', HISTORY, 0)
if newest and tonumber(string.match(newest, '^(%d+):')) >= slot then return 0 end
redis.call('LPUSH', HISTORY, string.format('%.0f:%s', slot, ARGV[4]))
redis.call('LTRIM', HISTORY, 0, tonumber(ARGV[3]) - 1)
return 1
