-- adapt: what adaptive admission has decided, by the process that leads; it is in the audit log.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  the process
--       3  the rate (a minute)
--       4  the state
--       5  the reason
--       6  the threshold (a minute)
-- Reply  now, the record (JSON); nothing of it is changed where another process leads

local now = clock(ARGV[1])
local record = load()
local leader = redis.call('GET', LEADER)
if not leader or leader == ARGV[2] then
  local before = record.adapted
  record.adapted = {
    rate_per_minute = tonumber(ARGV[3]), state = ARGV[4], reason = ARGV[5], since_ms = next_revision(record, now),
    threshold_per_minute = tonumber(ARGV[6]),
  }
  note(now, 'who', ARGV[2], 'act', 'adapted', 'knob', 'rate_per_minute',
    'before', before and string.format('%.0f', before.rate_per_minute) or '', 'after', ARGV[3],
    'until_ms', '0', 'why', ARGV[5])
  save(record)
end
return { now, encoded(record) }
