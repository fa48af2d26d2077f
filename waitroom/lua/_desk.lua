-- What the transitions of a room's desk share; each script has this file before its own.
--
-- KEYS, of one room and under one hash tag:
--   record   string   JSON: what the operator has set over the configuration, and what adaptive admission has decided:
--                     { revision, knobs: { knob: { value, since_ms, until_ms, who, why } },
--                       adapted: { rate_per_minute, state, reason, since_ms, threshold_per_minute } }
--                     A knob without a value was cleared.
--   vitals   hash     process to "now:JSON": what it has counted since it began
--   history  list     "slot:JSON", the newest first: a sample of the figures for each slot of time
--   audit    stream   who did what, when and why
--   leader   string   the process that decides for this room, while it lives
--
-- Of two values of one knob, the one set later holds; the revision is the time (ms) of the last change, and only grows.
-- So records can be merged in any order, and each process can give back what Redis has lost.

local RECORD, VITALS, HISTORY, AUDIT, LEADER = unpack(KEYS)

-- What is kept of the audit log, in entries.
local MOST_ENTRIES = 10000

-- With no knobs, `cjson` would make a list of them.
local function read(text)
  local record = text and text ~= '' and cjson.decode(text) or { revision = 0 }
  record.knobs = record.knobs or {}
  return record
end

local function load() return read(redis.call('GET', RECORD)) end

local function encoded(record)
  local knobs = record.knobs
  if next(knobs) == nil then record.knobs = nil end
  local text = cjson.encode(record)
  record.knobs = knobs
  return text
end

local function save(record) redis.call('SET', RECORD, encoded(record)) end

-- The time of a change: later than that of any before it, whatever clocks do.
local function next_revision(record, now)
  record.revision = math.max(now, record.revision + 1)
  return record.revision
end

-- Takes over what another record knows better; says whether it was anything.
local function merge(record, other)
  local changed = false
  for knob, override in pairs(other.knobs) do
    local own = record.knobs[knob]
    if not own or override.since_ms > own.since_ms then record.knobs[knob], changed = override, true end
  end
  local adapted = other.adapted
  if adapted and (not record.adapted or adapted.since_ms > record.adapted.since_ms) then
    record.adapted, changed = adapted, true
  end
  record.revision = math.max(record.revision, other.revision)
  return changed
end

-- Fields and values; all are texts.
local function note(now, ...)
  redis.call('XADD', AUDIT, 'MAXLEN', '~', MOST_ENTRIES, '*', 'at_ms', string.format('%.0f', now), ...)
end

-- A value as the audit log has it; a knob that was cleared has what the configuration says.
local function told(override, otherwise)
  if not override or override.value == nil then return otherwise end
  if type(override.value) == 'number' then return string.format('%.0f', override.value) end
  return override.value
end

-- Overrides whose time is over are cleared; says whether there were any.
local function end_overrides(record, now)
  local ended = false
  for knob, override in pairs(record.knobs) do
    if override.value ~= nil and override.until_ms > 0 and override.until_ms <= now then
      note(now, 'who', override.who, 'act', 'ended', 'knob', knob, 'before', told(override, ''), 'after', '',
        'until_ms', '0', 'why', 'its time was over')
      record.knobs[knob] = { since_ms = next_revision(record, now), until_ms = 0, who = override.who, why = '' }
      ended = true
    end
  end
  return ended
end
