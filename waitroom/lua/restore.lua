-- restore: puts back leases that a process still knows of, after Redis lost them. While calling rests, all of them are
-- put back; later, or where somebody may have been called since, as far as there is room; who finds none comes first.
--
-- ARGV  1       the time (ms), or '' for Redis's own
--       2, 3 …  number, the end of its lease (ms), in pairs
-- Reply  for each number, the end of its lease (ms), or 0 where it has none
-- Keeps I1: calling rests until every process had time for this.

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end

local function restored(number, lease)
  heal(line, number, number, now)
  note_elder(line, number)
  if tonumber(redis.call('ZSCORE', REVOKED, number) or 0) > now then return 0 end
  local held = lease_of(number)
  if math.max(lease, held) <= now then return 0 end
  local rests = now < line.calls_from_ms and line.origin == 0
  if held == 0 and not rests and redis.call('ZCARD', INSIDE) >= line.cap then
    be_late(number, now)
    return 0
  end
  redis.call('ZADD', INSIDE, math.max(lease, held), number)
  redis.call('ZREM', LATE, number)
  redis.call('ZREM', BACK, number)
  spend(number)
  return math.max(lease, held)
end

local answer = {}
for i = 2, #ARGV, 2 do answer[#answer + 1] = restored(tonumber(ARGV[i]), tonumber(ARGV[i + 1])) end
save(line)
return answer
