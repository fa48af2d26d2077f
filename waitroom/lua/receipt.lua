-- receipt: notes by which code a place can be moved to another browser, in place of a former code of its.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  the number
--       3  how often the place was moved
--       4  the hash of the code
--       5  how long it is good (ms)
--       6  what the redeemer is to be told
-- Reply  kind, value: 0 made, until when it is good (ms); 1 too often, when it may be tried again (ms);
--        2 there is no place that could be moved, 0; 3 too many have one already, when one may be free (ms)

local MADE, TOO_OFTEN, NO_PLACE, FULL = 0, 1, 2, 3
-- Receipts of one visitor within a window.
local MOST_RECEIPTS = 10
-- Receipts of a line at a time, and moved places that are remembered.
local MOST_KEPT = 65536
-- Expired ones that are taken back in one step.
local MOST_EXPIRED = 1000

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end
local number, moves, valid_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])

if not can_move(number, now) or moves_of(number) > moves then return { NO_PLACE, 0 } end
turn_tries(now)
if tries_of(ARGV[2]) >= MOST_RECEIPTS then return { TOO_OFTEN, next_try() } end
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', EXPIRY, '-inf', now, 'LIMIT', 0, MOST_EXPIRED)) do
  forget_receipt(expired)
end
if redis.call('ZCARD', EXPIRY) >= MOST_KEPT or redis.call('HLEN', MOVED) >= MOST_KEPT then
  return { FULL, now + valid_ms }
end

note_try(ARGV[2])
forget_receipt(ARGV[2])
redis.call('HSET', RECEIPTS, ARGV[2], ARGV[4], ARGV[4], string.format('%s:%.0f:%s', ARGV[2], moves, ARGV[6]))
redis.call('ZADD', EXPIRY, now + valid_ms, ARGV[2])
redis.call('PEXPIRE', RECEIPTS, valid_ms)
redis.call('PEXPIRE', EXPIRY, valid_ms)
return { MADE, now + valid_ms }
