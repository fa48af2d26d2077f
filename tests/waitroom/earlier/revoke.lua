-- revoke: takes places away, inside or in the line, and refuses the numbers until a time. A number that was not called yet
-- may stand in the line again after that.
--
-- ARGV  1   until when (ms)
--       2.. numbers
-- Reply  how many of them held a place

local line = load()
if not line then return NO_LINE end
local revoked = 0
for i = 2, #ARGV do
  local number = tonumber(ARGV[i])
  if remove(line, number) > 0 then revoked = revoked + 1 end
  redis.call('ZADD', REVOKED, ARGV[1], number)
  note_end(line, number, tonumber(ARGV[1]))
end
save(line)
return revoked
