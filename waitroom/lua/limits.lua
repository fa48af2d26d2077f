-- limits: tells the limits that a line has, and changes nothing.
--
-- Reply  limits (version, edited (ms), mode, rate (a minute), burst, cap, claim, presence, session, opens, closes (ms),
--        draw, size of the draw, idle (ms), revision), empty where there is no line; and of a room with keys those that
--        were in use last, the newest first

-- What a reader may have to ask one by one.
local MOST_KEYS = 100

local line = load()
local limits = line and {
  line.version, line.edited_ms, line.mode, line.rate, line.burst, line.cap, line.claim_ms, line.presence_ms,
  line.session_ms, line.opens_ms, line.closes_ms, line.draw, line.draw_size, line.idle_ms, line.revision,
} or {}
return { limits, redis.call('ZREVRANGE', LINES, 0, MOST_KEYS - 1) }
