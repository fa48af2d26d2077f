-- move: redeems a code: from now on its place is the redeemer's, and the ticket that it was made for is good no more.
-- A place that the redeemer had is given up. Of two who redeem one code, one finds it used.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  the hash of the code
--       3  who tries: wrong codes are counted by it
--       4  the number of the redeemer's own place, or ''
-- Reply  kind, value, text: 0 moved, how often, what receipt.lua was given; 1 locked, when it may be tried again (ms), '';
--        2 no such code, 0, ''; 3 the place can't be moved any more, 0, ''
-- Keeps one holder for each place; and I4: the number stays the same.

local GONE_ON, LOCKED, WRONG, USED_UP = 0, 1, 2, 3
-- Wrong codes within a window: of one who tries, and of all. There are 2^40 codes: so few hardly meet one.
local MOST_OF_ONE = 10
local MOST_OF_ALL = 1000

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end
local sealed, who, own = ARGV[2], 'from ' .. ARGV[3], ARGV[4]

turn_tries(now)
if tries_of('wrong') >= MOST_OF_ALL or tries_of(who) >= MOST_OF_ONE then return { LOCKED, next_try(), '' } end

local receipt = redis.call('HGET', RECEIPTS, sealed)
local number, made_at, text
if receipt then number, made_at, text = string.match(receipt, '^(%d+):(%d+):(.*)$') end
if not number or tonumber(redis.call('ZSCORE', EXPIRY, number) or 0) <= now then
  note_try('wrong')
  note_try(who)
  return { WRONG, 0, '' }
end
forget_receipt(number)
-- After a loss an old ticket may have made the code, before the good one was seen again; or the good one, of whose moves
-- nobody knows yet.
if not can_move(tonumber(number), now) or moves_of(number) > tonumber(made_at) then return { USED_UP, 0, '' } end

local moves = tonumber(made_at) + 1
move_to(line, number, moves)
if own ~= '' and own ~= number then
  local held, inside = remove(line, tonumber(own))
  if held > 0 then line.released = line.released + 1 end
  if inside then note_end(line, own, 0) end
end
save(line)
return { GONE_ON, moves, text }
