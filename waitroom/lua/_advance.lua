-- Bringing a line up to now; shared by the transitions that do (advance, join), after _line.lua.
--
-- All is a function of time and of what is stored, so that N processes that do it admit no more than one.

-- How many arguments the next function reads.
local OWN = 21

-- ARGV from position `at`: the limits that this process has, and what it knew last of the line.
local function arguments(at)
  local value = function(i) return tonumber(ARGV[at + i]) end
  return {
    limits = {
      version = value(0), edited_ms = value(1), mode = ARGV[at + 2], rate = value(3), burst = value(4), cap = value(5),
      claim_ms = value(6), presence_ms = value(7), session_ms = value(8), opens_ms = value(9), closes_ms = value(10),
      draw = ARGV[at + 11], draw_size = value(12), idle_ms = value(13),
      revision = value(14),
    },
    known = {
      epoch = value(15), tail = value(16), head = value(17), arrived = value(18), draw = ARGV[at + 19],
      is_new = value(20) == 1, -- that there was never such a line
    },
  }
end

local function newer(limits, line)
  if limits.version ~= line.version then return limits.version > line.version end
  if limits.edited_ms ~= line.edited_ms then return limits.edited_ms > line.edited_ms end
  return limits.revision > line.revision
end

local function is_early(line, now) return now < line.opens_ms end

local function is_over(line, now) return line.closes_ms > 0 and now >= line.closes_ms end

local function begin(limits, known, now)
  local line = { server = '', revised = '' }
  for _, field in ipairs(NUMBERS) do line[field] = 0 end
  for name, value in pairs(limits) do line[name] = value end
  line.born_ms, line.window_ms, line.refilled_ms = now, now, now
  line.epoch = math.max(1, known.epoch)
  line.bucket = limits.burst * CALL
  if known.tail > 0 then
    line.tail, line.head = known.tail + MOST_UNKNOWN, known.head
    note_loss(line, now)
  else
    line.tail = now * NUMBERS_PER_MS
    line.head, line.origin = line.tail, line.tail
    if not known.is_new then note_loss(line, now) end
    line.gives_from_ms = line.calls_from_ms
  end
  line.base = base_for(line.head)
  return line
end

-- The server that holds the line is not the one that held it: it was restarted or replaced, and may lack the last writes.
local function note_server(line, now)
  local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  if server == line.server then return end
  if line.server ~= '' then
    line.tail = line.tail + MOST_UNKNOWN
    note_loss(line, now)
  end
  line.server = server
end

-- Before its opening a draw was moved, or exchanged: who was drawn has another number now. Presence is known by the old
-- ones, which would hold up the line. Calling rests until it is known by the new ones (I3).
local function forget_drawn(line, limits, now)
  redis.call('DEL', HERE, SEEN)
  line.calls_from_ms = math.max(line.calls_from_ms, now + math.max(RESTORE_MS, math.floor(limits.presence_ms / 2)))
end

-- The limits of the newest edition are in force, whichever process brings them. A draw that was opened stays as it was:
-- the places hang on it.
local function adopt(line, limits, now)
  if not newer(limits, line) then return end
  local is_moved = limits.opens_ms ~= line.opens_ms or limits.draw ~= line.draw
  if line.draw_size > 0 and is_early(line, now) and is_moved then forget_drawn(line, limits, now) end
  local opened = line.draw_size > 0 and not is_early(line, now)
  local drawn = opened and (limits.draw == '' or limits.draw == line.draw)
  if limits.draw ~= line.draw and not drawn then line.arrived = 0 end
  for name, value in pairs(limits) do
    if not (drawn and (name == 'opens_ms' or name == 'draw' or name == 'draw_size')) then line[name] = value end
  end
  line.bucket = math.min(line.bucket, line.burst * CALL)
end

-- Drawn numbers follow the moment of the opening; whoever comes later queues behind them.
local function make_room_for_draw(line, now)
  if line.draw_size == 0 then return end
  local from = line.opens_ms * NUMBERS_PER_MS
  if is_early(line, now) and from > line.head then leap(line, from) end
  line.tail = math.max(line.tail, from + line.draw_size)
end

-- I2: the bucket never holds more than the burst, and fills at the rate in force. A clock that steps back fills nothing.
local function refill(line, now)
  local elapsed = math.max(0, now - line.refilled_ms)
  line.bucket = math.min(line.burst * CALL, line.bucket + line.rate * elapsed)
  line.refilled_ms = now
end

-- Once per presence window: who was not seen in it is no longer here. What lies under head is cut off.
local function turn_window(line, now)
  if line.window_ms > now then line.window_ms = now end -- the clock stepped back
  if now - line.window_ms < line.presence_ms then return end
  local next_base = base_for(line.head)
  local bits = redis.call('GETRANGE', SEEN, (next_base - line.base) / 8, -1)
  redis.call('DEL', SEEN)
  redis.call('SET', HERE, bits)
  line.base, line.window_ms = next_base, now
  trim(line)
  redis.call('ZREMRANGEBYSCORE', REVOKED, '-inf', now)
end

-- The late who went away again keep their number, and hold up nobody.
local function forget_absent_late(line, now)
  local gone = redis.call('ZRANGEBYSCORE', BACK, '-inf', now - line.presence_ms, 'LIMIT', 0, MOST_CALLS)
  if #gone == 0 then return end
  redis.call('ZREM', LATE, unpack(gone))
  redis.call('ZREM', BACK, unpack(gone))
end

-- Frees the places of leases that are over: no more in one step than can be called in it. Those that were never claimed
-- were missed.
local function end_leases(line, now)
  local over = redis.call('ZRANGEBYSCORE', INSIDE, '-inf', now, 'LIMIT', 0, MOST_CALLS)
  if #over == 0 then return end
  for _, number in ipairs(over) do
    if is_spent(tonumber(number)) then
      redis.call('HDEL', MOVED, number)
    else
      line.missed = line.missed + 1
    end
  end
  redis.call('ZREM', INSIDE, unpack(over))
end

-- How many may be called now (I1, I2).
local function room_for(line, now)
  if line.mode ~= 'auto' and line.mode ~= 'queue' then return 0 end
  if is_early(line, now) or is_over(line, now) then return 0 end
  -- No rest is longer than this, unless the clock stepped back.
  local longest = now + math.max(RESTORE_MS, line.presence_ms)
  if line.calls_from_ms > longest then line.calls_from_ms = longest end
  if now < line.calls_from_ms then return 0 end
  local free = line.cap - redis.call('ZCARD', INSIDE)
  return math.max(0, math.min(math.floor(line.bucket / CALL), free, MOST_CALLS))
end

-- Reserves a place inside for each of the numbers, until the claim window ends.
local function reserve(line, numbers, now)
  if #numbers == 0 then return end
  local leases = {}
  for _, number in ipairs(numbers) do
    leases[#leases + 1] = now + line.claim_ms
    leases[#leases + 1] = number
  end
  redis.call('ZADD', INSIDE, unpack(leases))
  line.bucket = line.bucket - #numbers * CALL
  line.called = line.called + #numbers
end

-- The lowest number that is present and not called, or nil.
local function next_present(line)
  local bit = redis.call('BITPOS', HERE, 1, byte_of(line, line.head + 1))
  if bit >= 0 then return line.base + bit end
end

-- I3: the late first, then the lowest present numbers.
local function call_next(line, now)
  local room = room_for(line, now)
  if room == 0 then return end
  local numbers = {}
  local late = redis.call('ZPOPMIN', LATE, room)
  for i = 1, #late, 2 do
    numbers[#numbers + 1] = tonumber(late[i])
    redis.call('ZREM', BACK, late[i])
  end
  while #numbers < room do
    local number = next_present(line)
    if not number then break end
    redis.call('SETBIT', HERE, number - line.base, 0)
    line.head = number
    numbers[#numbers + 1] = number
  end
  reserve(line, numbers, now)
end

-- Brings the line (nil: a new one) up to now.
local function advanced(line, limits, known, now)
  line = line or begin(limits, known, now)
  refill(line, now) -- before new limits: the time that has passed was under the old ones
  adopt(line, limits, now)
  note_server(line, now)
  make_room_for_draw(line, now)
  line.epoch = math.max(line.epoch, known.epoch)
  if known.draw == line.draw then line.arrived = math.max(line.arrived, known.arrived) end
  heal(line, known.tail, known.head, now)
  end_leases(line, now)
  forget_absent_late(line, now)
  turn_window(line, now)
  call_next(line, now)
  return line
end
