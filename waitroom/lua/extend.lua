-- extend: gives the called who have not come yet another claim window, once, on top of the one they have. Others are
-- seen, as by a poll, and told how they stand.
--
-- ARGV  1   the time (ms), or '' for Redis's own
--       2.. numbers
-- Reply  for each number: kind, value (see _line.lua)
-- Keeps I1 (only a reservation that has not ended is extended) and I5: a called number whose visitor does not come holds
-- its place for two claim windows at most, and only if somebody asked for the second.

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end

local function extended(number, lease)
  lease = lease + line.claim_ms
  redis.call('ZADD', INSIDE, lease - 0.5, number)
  line.extended = line.extended + 1
  return lease
end

local answer = {}
for i = 2, #ARGV do
  local number = tonumber(ARGV[i])
  local kind, value = see(line, number, now)
  if kind == EXTENDABLE then kind, value = CALLED, extended(number, value) end
  answer[#answer + 1] = kind
  answer[#answer + 1] = value
end
save(line)
return answer
