-- recount: what there is to tell of a room's desk.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  how many entries of the audit log, the newest first; 0 for none
--       3  how many samples of the history, the newest first; 0 for none
-- Reply  now, the record (JSON), the entries (each: fields and values), the samples ("slot:JSON")

local now = clock(ARGV[1])
local entries = {}
if tonumber(ARGV[2]) > 0 then
  for _, entry in ipairs(redis.call('XREVRANGE', AUDIT, '+', '-', 'COUNT', ARGV[2])) do
    entries[#entries + 1] = entry[2]
  end
end
local samples = tonumber(ARGV[3]) > 0 and redis.call('LRANGE', HISTORY, 0, tonumber(ARGV[3]) - 1) or {}
return { now, encoded(load()), entries, samples }
