-- lines: the keys of a room's lines that were in use lately, the last used first.
--
-- ARGV  1  how many at most
-- Reply  how many there are, then the keys

local count = redis.call('ZCARD', LINES)
return { count, unpack(redis.call('ZREVRANGE', LINES, 0, tonumber(ARGV[1]) - 1)) }
