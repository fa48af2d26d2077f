-- poll: visitors show that they are still there. A number at or under head that is not inside, and never was, is late.
--
-- ARGV  1   the time (ms), or '' for Redis's own
--       2.. numbers
-- Reply  for each number: kind, value (see _line.lua)

local now = clock(ARGV[1])
local line = load()
if not line then return NO_LINE end
local answer = {}
for i = 2, #ARGV do
  local kind, value = see(line, tonumber(ARGV[i]), now)
  answer[#answer + 1] = kind
  answer[#answer + 1] = value
end
save(line)
return answer
