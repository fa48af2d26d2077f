-- Renews a session: changes the refresh token that is its last for the next one.
--
-- KEYS  1 the session (hash: account, counter, begun_s, used_s, browser)  2 the sessions of its account (sorted set)
-- ARGV  1 family  2 counter of the token given  3 now_s  4 grace_s  5 idle_s  6 life_s
-- Reply the counter of the next token; 0 where there is no such session any more; -1 where the token was spent long ago
--
-- Invariant: a token is changed once. For grace_s it gives the same next one again: two tabs ask at once, and an answer
-- may get lost. After that, whoever brings it has copied it, or was copied from: the session ends for both.

local given, now_s = tonumber(ARGV[2]), tonumber(ARGV[3])
local grace_s, idle_s, life_s = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local session = redis.call('HMGET', KEYS[1], 'counter', 'used_s', 'begun_s')
if not session[1] then
    return 0
end
local counter, used_s, ends_s = tonumber(session[1]), tonumber(session[2]), tonumber(session[3]) + life_s

local function finish(reply)
    redis.call('DEL', KEYS[1])
    redis.call('ZREM', KEYS[2], ARGV[1])
    return reply
end

if now_s >= ends_s or now_s >= used_s + idle_s then
    return finish(0)
end
if given == counter - 1 and now_s < used_s + grace_s then
    return counter
end
if given < counter then
    return finish(-1)
end
-- A counter above ours is signed as well: Redis has lost its last writes, and the token is the newest there is.
redis.call('HSET', KEYS[1], 'counter', given + 1, 'used_s', now_s)
redis.call('EXPIRE', KEYS[1], math.min(idle_s, ends_s - now_s))
return given + 1
