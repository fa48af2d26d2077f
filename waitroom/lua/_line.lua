-- What the transitions of a line share; each script is this file followed by its own.
--
-- KEYS, of one line and under one hash tag:
--   state   hash     the fields below
--   here    bitmap   bit (number - base): present and not called yet
--   seen    bitmap   the next `here`, collected during this presence window
--   late    zset     number by number: absent when passed, and back
--   inside  zset     number by the end of its lease (ms)
--   spent   bitmap   bit number: its lease was claimed once, so that it can't be late
--
-- Between transitions this holds: in the byte of `head + 1`, no bit of `here` at or under `head` is set, and the bytes
-- before it are never read; head <= tail; base is a multiple of 8 and <= head + 1; `tail`, `head`, `epoch` never fall.

local STATE, HERE, SEEN, LATE, INSIDE, SPENT = unpack(KEYS)

-- The bucket counts in 1/60000 of a call: a rate of r calls a minute then adds exactly r units a millisecond, and no
-- fraction is ever lost to rounding.
local CALL = 60000
-- Calls in one step: what keeps a step at a few milliseconds of Redis.
local MOST_CALLS = 1000
-- How long a fresh number may take to show itself by its first poll, before it counts as absent (ms).
local FIRST_POLL_MS = 3000
-- How long calling rests after a loss, so that every process can restore the leases it knows of (ms).
local RESTORE_MS = 3000

-- What the line says of a number: a kind, and a value that goes with it.
local WAITING, CALLED, LATECOMER, USED = 0, 1, 2, 3 -- value: 0, lease end (ms), rank among the late from 0, 0

local NUMBERS = {
  'born_ms', 'lost_ms', 'epoch', 'tail', 'head', 'given_ms', 'base', 'window_ms', 'bucket', 'refilled_ms',
  'advanced_ms', 'calls_from_ms', 'joined', 'called', 'claimed', 'released',
  'version', 'edited_ms', 'rate', 'burst', 'cap', 'claim_ms', 'presence_ms', 'session_ms',
}

-- Redis's clock in ms, unless a test gives its own.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The state as a table, or nil where there is none yet.
local function load()
  local values = redis.call('HMGET', STATE, 'mode', unpack(NUMBERS))
  if not values[1] then return nil end
  local line = { mode = values[1] }
  for i, field in ipairs(NUMBERS) do line[field] = tonumber(values[i + 1]) end
  return line
end

-- The answer of transitions that can't begin a line: the caller advances it, and asks again.
local NO_LINE = redis.error_reply('NOLINE the line has no state: advance it first')

local function save(line)
  local pairs_ = { 'mode', line.mode }
  for _, field in ipairs(NUMBERS) do
    pairs_[#pairs_ + 1] = field
    pairs_[#pairs_ + 1] = line[field]
  end
  redis.call('HSET', STATE, unpack(pairs_))
end

-- The byte of `here` and `seen` in which a number's bit stands.
local function byte_of(line, number) return math.floor((number - line.base) / 8) end

-- Moves head up to a number, whatever bits it passes: they were called once, or will be late.
local function pass(line, number)
  if number <= line.head then return end
  local byte = byte_of(line, number)
  if byte < redis.call('STRLEN', HERE) then
    for bit = byte * 8, number - line.base do redis.call('SETBIT', HERE, bit, 0) end
  end
  line.head = number
end

-- Calling rests, so that I1 holds while leases come back.
local function note_loss(line, now) line.lost_ms, line.calls_from_ms = now, now + RESTORE_MS end

-- I4 after a loss: tail and head are at least what any process, ticket or lease knows of. Only a loss explains that the
-- state is behind them.
local function heal(line, tail, head, now)
  if tail <= line.tail and head <= line.head then return end
  line.tail = math.max(line.tail, tail)
  pass(line, head)
  note_loss(line, now)
end

-- A visitor shows itself by its number: notes the presence, and answers (kind, value).
local function see(line, number, now)
  heal(line, number, 0, now)
  if number > line.head then
    redis.call('SETBIT', HERE, number - line.base, 1)
    redis.call('SETBIT', SEEN, number - line.base, 1)
    return WAITING, 0
  end
  local lease = tonumber(redis.call('ZSCORE', INSIDE, number) or 0)
  if lease > now then return CALLED, lease end
  if redis.call('GETBIT', SPENT, number) == 1 then return USED, 0 end
  redis.call('ZADD', LATE, number, number)
  return LATECOMER, redis.call('ZRANK', LATE, number)
end
