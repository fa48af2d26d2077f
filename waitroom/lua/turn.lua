-- turn: sets knobs of a room over the configuration, or clears them. Each change is in the audit log. Nothing is done
-- where the caller does not know what was changed last: it has to look first if the knobs still fit together.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  who
--       3  why
--       4  until when (ms), 0 until they are cleared
--       5  the record that the caller knows (JSON), or ''
--       6  the knobs (JSON): a list of { knob, value, config }; without a value it is cleared. `config`, a text, is what
--          the configuration says.
-- Reply  now, the record (JSON), 1 if the knobs were turned

local now = clock(ARGV[1])
local record = load()
local known = read(ARGV[5])
if record.revision > known.revision then return { now, encoded(record), 0 } end
merge(record, known)
end_overrides(record, now)
for _, change in ipairs(cjson.decode(ARGV[6])) do
  local before = record.knobs[change.knob]
  local clears = change.value == nil
  if not clears or (before and before.value ~= nil) then
    local override = {
      value = change.value, since_ms = next_revision(record, now), until_ms = clears and 0 or tonumber(ARGV[4]),
      who = ARGV[2], why = ARGV[3],
    }
    note(now, 'who', ARGV[2], 'act', clears and 'clear' or 'set', 'knob', change.knob,
      'before', told(before, change.config), 'after', told(override, change.config),
      'until_ms', string.format('%.0f', override.until_ms), 'why', ARGV[3])
    record.knobs[change.knob] = override
  end
end
save(record)
return { now, encoded(record), 1 }
