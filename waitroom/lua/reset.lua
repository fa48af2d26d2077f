-- reset: begins the line anew under the next epoch. Tickets of earlier epochs are void from then on; leases stay, since
-- admissions stand for them (I1). Numbers go on, so that none is given twice (I4).
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  the epoch to begin, which must be the next one
-- Reply  the epoch that the line has now: another than the one asked for where that was not the next

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end
if tonumber(ARGV[2]) ~= line.epoch + 1 then return line.epoch end
line.epoch = line.epoch + 1
redis.call('DEL', HERE, SEEN, LATE, BACK, PEOPLE, MOVED, RECEIPTS, EXPIRY)
-- The places of a draw that is still to come are not passed: whoever arrives from now on is drawn.
if line.draw_size == 0 or now >= line.opens_ms then leap(line, line.tail) end
save(line)
return line.epoch
