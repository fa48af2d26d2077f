-- What the transitions of a line share; each script has this file before its own.
--
-- KEYS, of one line and under one hash tag:
--   state    hash     the fields below
--   here     bitmap   bit (number - base): present and not called yet
--   seen     bitmap   the next `here`, collected during this presence window
--   late     zset     number by number: absent when passed, and back
--   back     zset     number by when it was last seen (ms): the late who are present
--   inside   zset     number by the end of its lease (ms); half a millisecond less where its claim window was extended: no
--                     whole millisecond lies between, so that this ends with the lease, and changes nothing else
--   spent    hash     bitmaps of 1024 numbers each: the lease was claimed once, so that it can't be late
--   revoked  zset     number by until when it is refused (ms)
--   ended    list     number:until, the newest first: the lease was given back before its end (until is 0), or the number
--                     was revoked until then (ms), or was moved to another browser (until is minus the count of moves)
--   people   hash     identity to number, or arrival@draw, in rooms with one place per person
--   lines    zset     of a room with keys: key by when it was last in use (ms)
--   scratch  string   never outlives a transition
--   moved    hash     number to how often it was moved to another browser; the ticket with the highest count is good
--   receipts hash     of receipts that can be redeemed: hash of the code to what receipt.lua was given, number to hash
--   expiry   zset     number by when its receipt expires (ms)
--   tries    hash     wrong codes and new receipts within a window: who to how many, `until` to its end (ms)
--
-- Between transitions this holds: in the byte of `head + 1`, no bit of `here` at or under `head` is set, and the bytes
-- before it are never read; head <= tail; base is a multiple of 8 and <= head + 1; `tail`, `head`, `epoch` never fall.

local STATE, HERE, SEEN, LATE, BACK, INSIDE, SPENT, REVOKED, ENDED, PEOPLE, LINES, SCRATCH,
  MOVED, RECEIPTS, EXPIRY, TRIES = unpack(KEYS)

-- The bucket counts in 1/60000 of a call: a rate of r calls a minute then adds exactly r units a millisecond, and no
-- fraction is ever lost to rounding.
local CALL = 60000
-- Calls in one step: what keeps a step at a few milliseconds of Redis.
local MOST_CALLS = 1000
-- How long a fresh number may take to show itself by its first poll, before it counts as absent (ms).
local FIRST_POLL_MS = 3000
-- How long calling rests after a loss, so that every process can restore what it knows of (ms).
local RESTORE_MS = 3000
-- A line that begins with nobody who knows an earlier one counts from the clock: so many numbers a millisecond are more
-- than were ever given, so that none is given twice.
local NUMBERS_PER_MS = 1000
-- More numbers than can have been given without anyone knowing who outlived a loss.
local MOST_UNKNOWN = 1048576
-- Numbers in one field of `spent`.
local CHUNK = 1024
-- How many of `ended` are kept: a process that was away for longer asks for each admission anew.
local MOST_ENDED = 256

-- What the line says of a number: a kind, and a value that goes with it.
local WAITING, CALLED, LATECOMER, USED, REFUSED, EXTENDABLE, ELSEWHERE = 0, 1, 2, 3, 4, 5, 6
-- value: 0, lease end (ms), rank among the late from 0, 0, until when (ms), lease end (ms): called, not claimed yet, and
-- the claim window was not extended yet, how often it was moved

local TEXTS = { 'mode', 'draw', 'server', 'revised' }
local NUMBERS = {
  'born_ms', 'lost_ms', 'epoch', 'tail', 'head', 'origin', 'arrived', 'given_ms', 'base', 'window_ms', 'bucket',
  'refilled_ms', 'advanced_ms', 'calls_from_ms', 'gives_from_ms', 'joined', 'called', 'claimed', 'extended', 'released',
  'missed', 'ended', 'version', 'edited_ms', 'rate', 'burst', 'cap', 'claim_ms', 'presence_ms', 'session_ms', 'opens_ms',
  'closes_ms', 'draw_size', 'idle_ms', 'revision',
}

-- A revision counts only beside the edition with which it was saved: a process of an earlier version, which knows of no
-- revisions, leaves it where it is when it brings other limits.
local function edition(line) return string.format('%.0f:%.0f', line.version, line.edited_ms) end

-- The state as a table, or nil where there is none yet. What an earlier version did not know of is 0, or empty.
local function load()
  local values = redis.call('HMGET', STATE, unpack(NUMBERS))
  if not values[1] then return nil end
  local line = {}
  for i, field in ipairs(NUMBERS) do line[field] = tonumber(values[i] or 0) end
  values = redis.call('HMGET', STATE, unpack(TEXTS))
  for i, field in ipairs(TEXTS) do line[field] = values[i] or '' end
  if line.revised ~= edition(line) then line.revision = 0 end
  return line
end

-- The answer of transitions that can't begin a line: the caller advances it, and asks again.
local NO_LINE = redis.error_reply('NOLINE the line has no state: advance it first')

local function save(line)
  line.revised = edition(line)
  local pairs_ = {}
  for _, fields in ipairs({ NUMBERS, TEXTS }) do
    for _, field in ipairs(fields) do
      pairs_[#pairs_ + 1] = field
      pairs_[#pairs_ + 1] = line[field]
    end
  end
  redis.call('HSET', STATE, unpack(pairs_))
end

-- The highest multiple of 8 that can be `base`.
local function base_for(head) return head + 1 - (head + 1) % 8 end

-- The byte of `here` and `seen` in which a number's bit stands.
local function byte_of(line, number) return math.floor((number - line.base) / 8) end

-- Clears what `here` has at or under head, in the byte of head + 1.
local function trim(line)
  local byte = byte_of(line, line.head + 1)
  if byte >= redis.call('STRLEN', HERE) then return end
  for bit = byte * 8, line.head - line.base do redis.call('SETBIT', HERE, bit, 0) end
end

-- Moves head up to a number, whatever bits it passes: they were called once, or will be late.
local function pass(line, number)
  if number <= line.head then return end
  line.head = number
  trim(line)
end

-- Moves head so far that the bitmaps begin anew behind it: whoever is present shows it with the next poll, and is late.
local function leap(line, number)
  redis.call('DEL', HERE, SEEN)
  line.head, line.base = number, base_for(number)
  line.tail = math.max(line.tail, number)
end

-- Calling rests until leases (I1) and presence (I3) are back: until all polls of half a window have come, unless a process
-- remembers who is present (remind.lua). So does giving arrivals, until the highest is known again (I4).
local function note_loss(line, now)
  line.lost_ms = now
  line.calls_from_ms = now + math.max(RESTORE_MS, math.floor(line.presence_ms / 2))
  line.gives_from_ms = now + RESTORE_MS
end

-- I4 after a loss: tail and head are at least what any process, ticket or lease knows of. Only a loss explains that the
-- state is behind them.
local function heal(line, tail, head, now)
  if tail <= line.tail and head <= line.head then return end
  if tail > line.tail + MOST_UNKNOWN then leap(line, math.max(head, tail - 1)) end
  line.tail = math.max(line.tail, tail)
  pass(line, head)
  note_loss(line, now)
end

-- A number from before the line began shows that there was a line that nobody who began this one knew of.
local function note_elder(line, number)
  if number > line.origin then return end
  line.calls_from_ms = math.max(line.calls_from_ms, line.born_ms + math.max(RESTORE_MS, math.floor(line.presence_ms / 2)))
end

local function is_spent(number)
  local bits = redis.call('HGET', SPENT, math.floor(number / CHUNK))
  if not bits then return false end
  local at = number % CHUNK
  return math.floor(bits:byte(math.floor(at / 8) + 1) / 2 ^ (at % 8)) % 2 == 1
end

-- True if the number was not spent before.
local function spend(number)
  if is_spent(number) then return false end
  local field, at = math.floor(number / CHUNK), number % CHUNK
  local bits = redis.call('HGET', SPENT, field) or string.rep('\0', CHUNK / 8)
  local i = math.floor(at / 8) + 1
  redis.call('HSET', SPENT, field, bits:sub(1, i - 1) .. string.char(bits:byte(i) + 2 ^ (at % 8)) .. bits:sub(i + 1))
  return true
end

-- The end of a number's lease (ms), 0 where it has none; and whether its claim window was extended.
local function lease_of(number)
  local stored = tonumber(redis.call('ZSCORE', INSIDE, number) or 0)
  return math.ceil(stored), stored % 1 > 0
end

-- Tells every process, by the next snapshot, that what it knows of a number holds no more.
local function note_end(line, number, refused_ms)
  redis.call('LPUSH', ENDED, string.format('%.0f:%.0f', number, refused_ms))
  redis.call('LTRIM', ENDED, 0, MOST_ENDED - 1)
  line.ended = line.ended + 1
end

-- How often a place was moved to another browser.
local function moves_of(number) return tonumber(redis.call('HGET', MOVED, number) or 0) end

-- From now on only the ticket that was moved so often is good; every process learns of it as of an end.
local function move_to(line, number, moves)
  redis.call('HSET', MOVED, number, moves)
  note_end(line, number, -moves)
end

-- Takes a number out of wherever it stands: gives how many places it held, and whether one of them was inside. A number
-- that was called can't come back late.
local function remove(line, number)
  local inside = redis.call('ZREM', INSIDE, number)
  local held = inside + redis.call('ZREM', LATE, number)
  redis.call('ZREM', BACK, number)
  if number > line.head then
    held = held + redis.call('SETBIT', HERE, number - line.base, 0)
    redis.call('SETBIT', SEEN, number - line.base, 0)
  else
    spend(number)
    redis.call('HDEL', MOVED, number)
  end
  return held, inside == 1
end

local function be_late(number, now)
  redis.call('ZADD', LATE, number, number)
  redis.call('ZADD', BACK, now, number)
  return LATECOMER, redis.call('ZRANK', LATE, number)
end

-- A visitor shows itself by its number: notes the presence, and answers (kind, value).
local function see(line, number, now)
  local refused_ms = tonumber(redis.call('ZSCORE', REVOKED, number) or 0)
  if refused_ms > now then return REFUSED, refused_ms end
  heal(line, number, 0, now)
  if number > line.head then
    redis.call('SETBIT', HERE, number - line.base, 1)
    redis.call('SETBIT', SEEN, number - line.base, 1)
    return WAITING, 0
  end
  local lease, is_extended = lease_of(number)
  local spent = is_spent(number)
  if lease > now then return (spent or is_extended) and CALLED or EXTENDABLE, lease end
  if spent then return USED, 0 end
  note_elder(line, number)
  return be_late(number, now)
end
