-- restore: puts back leases that a process still knows of, after Redis lost them; ended ones are passed by.
--
-- ARGV  1       the time (ms), or '' for Redis's own
--       2, 3 …  number, the end of its lease (ms), in pairs
-- Reply  how many leases the line holds now
-- Keeps I1: calling rests until every process had time for this (see RESTORE_MS).

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end
for i = 2, #ARGV, 2 do
  local number, lease = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  heal(line, number, number, now)
  if lease > now then redis.call('ZADD', INSIDE, 'GT', lease, number) end
  redis.call('ZREM', LATE, number)
  redis.call('SETBIT', SPENT, number, 1)
end
save(line)
return redis.call('ZCARD', INSIDE)
