-- advance: brings the line up to now, unless that was done within the tick, and answers the snapshot.
--
-- ARGV  1      the time (ms), or '' for Redis's own
--       2      the tick (ms): what was advanced within it is not advanced again
--       3..23  limits and what the caller knew: see _advance.lua
-- Reply  now, born, lost (ms), epoch, tail, head, arrived, inside, late, joined, called, claimed, extended,
--        released, missed, ended,
--        version, edited (ms), mode, rate (a minute), burst, cap, claim, presence, session, opens, closes (ms), draw,
--        size of the draw, idle (ms), revision,
--        the first number of `here`, `here` from the byte of head + 1 on, the newest of `ended`

local function snapshot(line, now)
  local first = byte_of(line, line.head + 1)
  return {
    now, line.born_ms, line.lost_ms, line.epoch, line.tail, line.head, line.arrived,
    redis.call('ZCARD', INSIDE), redis.call('ZCARD', LATE),
    line.joined, line.called, line.claimed, line.extended, line.released, line.missed, line.ended,
    line.version, line.edited_ms, line.mode, line.rate, line.burst, line.cap,
    line.claim_ms, line.presence_ms, line.session_ms, line.opens_ms, line.closes_ms, line.draw, line.draw_size,
    line.idle_ms, line.revision,
    line.base + first * 8, redis.call('GETRANGE', HERE, first, -1), redis.call('LRANGE', ENDED, 0, -1),
  }
end

local function is_up_to_date(line, limits, known, now, tick_ms)
  return line and not newer(limits, line)
    and line.epoch >= known.epoch and line.tail >= known.tail and line.head >= known.head
    and (line.arrived >= known.arrived or line.draw ~= known.draw)
    and now >= line.advanced_ms and now - line.advanced_ms < tick_ms
end

local now = clock(ARGV[1])
local given = arguments(3)
local line = load()
if not is_up_to_date(line, given.limits, given.known, now, tonumber(ARGV[2])) then
  line = advanced(line, given.limits, given.known, now)
  line.advanced_ms = now
  save(line)
  if line.idle_ms > 0 then
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, line.idle_ms) end
  end
end
return snapshot(line, now)
