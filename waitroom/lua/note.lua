-- note: an entry for the audit log.
--
-- ARGV  1   the time (ms), or '' for Redis's own
--       2.. field, value and so on
-- Reply  now

local now = clock(ARGV[1])
note(now, unpack(ARGV, 2))
return now
