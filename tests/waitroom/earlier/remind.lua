-- remind: puts back who is present, as a process saw it last, after Redis lost it; calling then need not rest until the
-- visitors have polled again.
--
-- ARGV  1   the first number of the bitmap, a multiple of 8
--       2   the bitmap: bit i is set if (first + i) is present
-- Keeps I3: who was present before the loss is present after it.

local line = load()
if not line then return NO_LINE end
local from, bits = tonumber(ARGV[1]), ARGV[2]
local skipped = math.max(0, (line.base - from) / 8)
if skipped < #bits then
  redis.call('SETRANGE', SCRATCH, math.max(0, (from - line.base) / 8), bits:sub(skipped + 1))
  redis.call('BITOP', 'OR', HERE, HERE, SCRATCH)
  redis.call('DEL', SCRATCH)
  trim(line)
end
if line.lost_ms > 0 then line.calls_from_ms = math.min(line.calls_from_ms, line.lost_ms + RESTORE_MS) end
save(line)
return 1
