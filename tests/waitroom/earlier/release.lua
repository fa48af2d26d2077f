-- release: gives places back, inside or in the line. A number that was called is spent, and can't come back late.
--
-- ARGV  1.. numbers
-- Reply  how many of them held a place

local line = load()
if not line then return NO_LINE end
local released = 0
for i = 1, #ARGV do
  local number = tonumber(ARGV[i])
  local held, inside = remove(line, number)
  if held > 0 then released = released + 1 end
  if inside then note_end(line, number, 0) end
end
line.released = line.released + released
save(line)
return released
