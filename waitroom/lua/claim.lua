-- claim, and renew: gives the called their lease, and extends the lease of those inside, from now on by the session.
-- Who is neither called nor inside is seen, as by a poll.
--
-- ARGV  1       the time (ms), or '' for Redis's own
--       2, 3 …  number, how often the place of the ticket was moved ('' for who is known to be inside), in pairs
-- Reply  for each number: kind, value (see _line.lua); the value of a called number is the new end of its lease
-- Keeps I1: only a lease that is still running is extended.

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end

local function lengthened(number, lease)
  lease = math.max(lease, now + line.session_ms)
  redis.call('ZADD', INSIDE, lease, number)
  if spend(number) then line.claimed = line.claimed + 1 end
  return lease
end

local function claimed(number, moves)
  local known = moves_of(number)
  if moves and moves < known then return ELSEWHERE, known end
  local kind, value = see(line, number, now)
  if kind == CALLED or kind == EXTENDABLE then kind, value = CALLED, lengthened(number, value) end
  return kind, value
end

local answer = {}
for i = 2, #ARGV, 2 do
  local kind, value = claimed(tonumber(ARGV[i]), tonumber(ARGV[i + 1]))
  answer[#answer + 1] = kind
  answer[#answer + 1] = value
end
save(line)
return answer
