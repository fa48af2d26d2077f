-- How often one may try; shared by the transitions of receipts, after _line.lua.

-- What is tried within a window counts (ms).
local WINDOW_MS = 600000

-- Begins a new window where the last is over, or the clock stepped back.
local function turn_tries(now)
  local until_ms = tonumber(redis.call('HGET', TRIES, 'until') or 0)
  if until_ms > now and until_ms <= now + WINDOW_MS then return end
  redis.call('DEL', TRIES)
  redis.call('HSET', TRIES, 'until', now + WINDOW_MS)
  redis.call('PEXPIRE', TRIES, WINDOW_MS)
end

local function tries_of(who) return tonumber(redis.call('HGET', TRIES, who) or 0) end

local function note_try(who) redis.call('HINCRBY', TRIES, who, 1) end

-- When the next try may be (ms).
local function next_try() return tonumber(redis.call('HGET', TRIES, 'until')) end

-- Takes a number's receipt back.
local function forget_receipt(number)
  local sealed = redis.call('HGET', RECEIPTS, number)
  if sealed then redis.call('HDEL', RECEIPTS, number, sealed) end
  redis.call('ZREM', EXPIRY, number)
end

-- Whether a place can be moved: it is not used up, and neither inside nor refused.
local function can_move(number, now)
  return not is_spent(number) and tonumber(redis.call('ZSCORE', REVOKED, number) or 0) <= now
end
