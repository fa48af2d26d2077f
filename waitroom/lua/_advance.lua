-- Bringing a line up to now; shared by the transitions that do (advance, join), after _line.lua.
--
-- All is a function of time and of what is stored, so that N processes that do it admit no more than one.

-- ARGV from position `at`: the limits that this process has, and what it knew last of the line.
local function arguments(at)
  local value = function(i) return tonumber(ARGV[at + i]) end
  return {
    limits = {
      version = value(0), edited_ms = value(1), mode = ARGV[at + 2], rate = value(3), burst = value(4), cap = value(5),
      claim_ms = value(6), presence_ms = value(7), session_ms = value(8),
    },
    known = { epoch = value(9), tail = value(10), head = value(11) },
  }
end

local function newer(limits, line)
  if limits.version ~= line.version then return limits.version > line.version end
  return limits.edited_ms > line.edited_ms
end

-- The highest multiple of 8 that can be `base`.
local function base_for(head) return head + 1 - (head + 1) % 8 end

local function begin(limits, known, now)
  local line = {}
  for _, field in ipairs(NUMBERS) do line[field] = 0 end
  for name, value in pairs(limits) do line[name] = value end
  line.born_ms, line.window_ms, line.refilled_ms = now, now, now
  line.epoch, line.tail, line.head = math.max(1, known.epoch), known.tail, known.head
  line.base = base_for(line.head)
  line.bucket = limits.burst * CALL
  if known.tail > 0 then note_loss(line, now) end
  return line
end

-- The limits of the highest version are in force, whichever process brings them.
local function adopt(line, limits)
  if not newer(limits, line) then return end
  for name, value in pairs(limits) do line[name] = value end
  line.bucket = math.min(line.bucket, line.burst * CALL)
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
  if #bits > 0 then
    for bit = 0, line.head - next_base do redis.call('SETBIT', HERE, bit, 0) end
  end
  line.base, line.window_ms = next_base, now
end

-- How many may be called now (I1, I2).
local function room_for(line, now)
  if line.mode ~= 'auto' and line.mode ~= 'queue' then return 0 end
  if line.calls_from_ms > now + RESTORE_MS then line.calls_from_ms = now + RESTORE_MS end -- the clock stepped back
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
  for i = 1, #late, 2 do numbers[#numbers + 1] = tonumber(late[i]) end
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
  adopt(line, limits)
  line.epoch = math.max(line.epoch, known.epoch)
  heal(line, known.tail, known.head, now)
  redis.call('ZREMRANGEBYSCORE', INSIDE, '-inf', now)
  turn_window(line, now)
  call_next(line, now)
  return line
end
