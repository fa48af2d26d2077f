-- advance: brings the line up to now, and answers the snapshot; the last one, if it is younger than the tick.
--
-- ARGV  1      the time (ms), or '' for Redis's own
--       2      the tick (ms): how old a snapshot may be
--       3..14  limits and what the caller knew: see _advance.lua
-- Reply  now, born, lost (ms), epoch, tail, head, inside, late, joined, called, claimed, released,
--        version, edited (ms), mode, rate (a minute), burst, cap, claim, presence, session (ms),
--        the first number of `front`, `front` (bitmap of the next 8192 numbers after head),
--        numbers per count, counts (present numbers, for each such stretch behind the front; at most 256)

local FRONT_BYTES = 1024
local MOST_COUNTS = 256

local function crowd(line)
  local first = byte_of(line, line.head + 1)
  local front = redis.call('GETRANGE', HERE, first, first + FRONT_BYTES - 1)
  local rest = first + FRONT_BYTES
  local length = redis.call('STRLEN', HERE)
  local stretch = math.max(1, math.ceil((length - rest) / MOST_COUNTS)) -- bytes
  local counts = {}
  for from = rest, length - 1, stretch do
    counts[#counts + 1] = redis.call('BITCOUNT', HERE, from, from + stretch - 1)
  end
  return line.base + first * 8, front, stretch * 8, counts
end

local function snapshot(line, now)
  local from, front, stretch, counts = crowd(line)
  return {
    now, line.born_ms, line.lost_ms, line.epoch, line.tail, line.head,
    redis.call('ZCARD', INSIDE), redis.call('ZCARD', LATE),
    line.joined, line.called, line.claimed, line.released,
    line.version, line.edited_ms, line.mode, line.rate, line.burst, line.cap,
    line.claim_ms, line.presence_ms, line.session_ms,
    from, front, stretch, counts,
  }
end

local now = clock(ARGV[1])
local tick_ms = tonumber(ARGV[2])
local given = arguments(3)

local line = load()
local known = given.known
if line and not newer(given.limits, line)
  and line.epoch >= known.epoch and line.tail >= known.tail and line.head >= known.head
  and now >= line.advanced_ms and now - line.advanced_ms < tick_ms then
  return cmsgpack.unpack(redis.call('HGET', STATE, 'snapshot'))
end

line = advanced(line, given.limits, known, now)
line.advanced_ms = now
save(line)
local answer = snapshot(line, now)
redis.call('HSET', STATE, 'snapshot', cmsgpack.pack(answer))
return answer
