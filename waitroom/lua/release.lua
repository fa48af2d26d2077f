-- release: gives places back, inside or in the line. A number that was called is spent, and can't come back late.
--
-- ARGV  1.. numbers
-- Reply  how many of them held a place

local line = load()
if not line then return NO_LINE end
local released = 0
for i = 1, #ARGV do
  local number = tonumber(ARGV[i])
  local held = redis.call('ZREM', INSIDE, number) + redis.call('ZREM', LATE, number)
  if number > line.head then
    held = held + redis.call('SETBIT', HERE, number - line.base, 0)
    redis.call('SETBIT', SEEN, number - line.base, 0)
  else
    redis.call('SETBIT', SPENT, number, 1)
  end
  if held > 0 then released = released + 1 end
end
line.released = line.released + released
save(line)
return released
