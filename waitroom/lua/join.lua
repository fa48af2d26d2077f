-- join: advances, then gives n numbers at once. Where no line stands, the joiners are called right away, lowest first,
-- as far as bucket and cap allow. Joining does not make present: the first poll does.
-- Before a draw is opened, arrivals are given instead, as far as the draw has places; the rest get numbers behind it.
--
-- ARGV  1      the time (ms), or '' for Redis's own
--       2      n, how many join
--       3..22  limits and what the caller knew: see _advance.lua
--       23..   in rooms with one place per person: the identity of each who joins, '' for one without
-- Reply  epoch, the end of the leases (ms) of the called; then for those who join, in their order: kind, place, and how
--        many of them have that and the next places.
--        Kinds: 0 a number, 1 a number that is called, 2 an arrival, 3 none yet, 4 the number, 5 the arrival that this
--        person has already
-- Keeps I3 (nobody who waits is overtaken) and I4 (a number is given once, and one person has one).

local NUMBER, CALLED_NUMBER, ARRIVAL, NONE_YET, OLD_NUMBER, OLD_ARRIVAL = 0, 1, 2, 3, 4, 5

local now = clock(ARGV[1])
local n = tonumber(ARGV[2])
local given = arguments(3)
local line = advanced(load(), given.limits, given.known, now)
local answer = { line.epoch, now + line.claim_ms }

local function somebody_waits()
  if next_present(line) or redis.call('ZCARD', LATE) > 0 then return true end
  local age_ms = now - line.given_ms
  return line.tail > line.head and age_ms >= 0 and age_ms < FIRST_POLL_MS
end

local free = 0
if line.mode == 'auto' and not somebody_waits() then free = room_for(line, now) end

-- The place that a person has, unless it is used up, or was drawn for another event.
local function place_of(identity)
  local place = redis.call('HGET', PEOPLE, identity)
  if not place then return nil end
  local arrival, draw = string.match(place, '^(%d+)@(.*)$')
  if arrival and draw ~= line.draw then return nil end
  if arrival then return OLD_ARRIVAL, tonumber(arrival) end
  local number = tonumber(place)
  if is_spent(number) and not redis.call('ZSCORE', INSIDE, number)
    and tonumber(redis.call('ZSCORE', REVOKED, number) or 0) <= now then return nil end
  return OLD_NUMBER, number
end

local numbers = {}
local function give_number()
  line.tail = line.tail + 1
  if #numbers == free then
    line.given_ms = now
    return NUMBER, line.tail
  end
  numbers[#numbers + 1] = line.tail
  return CALLED_NUMBER, line.tail
end

local function give()
  if line.draw_size == 0 or not is_early(line, now) then return give_number() end
  if line.gives_from_ms > now + RESTORE_MS + line.presence_ms then line.gives_from_ms = now end -- the clock stepped back
  if now < line.gives_from_ms then return NONE_YET, 0 end
  if line.arrived >= line.draw_size then return give_number() end
  line.arrived = line.arrived + 1
  return ARRIVAL, line.arrived - 1
end

local last = 0 -- where the last row of the answer begins
for i = 1, n do
  local identity = ARGV[2 + OWN + i] or ''
  local kind, place
  if identity ~= '' then kind, place = place_of(identity) end
  if not kind then
    kind, place = give()
    if kind ~= NONE_YET then line.joined = line.joined + 1 end
    if identity ~= '' and kind ~= NONE_YET then
      redis.call('HSET', PEOPLE, identity, kind == ARRIVAL and place .. '@' .. line.draw or place)
    end
  end
  if answer[last] == kind and answer[last + 1] + answer[last + 2] == place then
    answer[last + 2] = answer[last + 2] + 1
  else
    last = #answer + 1
    answer[last], answer[last + 1], answer[last + 2] = kind, place, 1
  end
end
if #numbers > 0 then pass(line, numbers[#numbers]) end
reserve(line, numbers, now)
save(line)
return answer
