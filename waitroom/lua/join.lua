-- join: advances, then gives n numbers at once. Where no line stands, the joiners are called right away, lowest first,
-- as far as bucket and cap allow. Joining does not make present: the first poll does.
--
-- ARGV  1      the time (ms), or '' for Redis's own
--       2      n, how many numbers
--       3..14  limits and what the caller knew: see _advance.lua
-- Reply  epoch, the first of the numbers, how many of them are called, the end of their leases (ms)
-- Keeps I3 (nobody who waits is overtaken) and I4 (a number is given once).

local function somebody_waits(line, now)
  if next_present(line) or redis.call('ZCARD', LATE) > 0 then return true end
  local age_ms = now - line.given_ms
  return line.tail > line.head and age_ms >= 0 and age_ms < FIRST_POLL_MS
end

local now = clock(ARGV[1])
local n = tonumber(ARGV[2])
local given = arguments(3)
local line = advanced(load(), given.limits, given.known, now)

local first = line.tail + 1
local called = 0
if line.mode == 'auto' and not somebody_waits(line, now) then called = math.min(n, room_for(line, now)) end
line.tail = line.tail + n
line.joined = line.joined + n
if called < n then line.given_ms = now end

local numbers = {}
for number = first, first + called - 1 do numbers[#numbers + 1] = number end
if called > 0 then pass(line, first + called - 1) end
reserve(line, numbers, now)
save(line)
return { line.epoch, first, called, now + line.claim_ms }
