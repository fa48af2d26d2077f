-- moved: gives Redis back what it has lost of which places were moved to another browser; or tells all of them.
--
-- ARGV  1, 2 …  number, how often it was moved, in pairs: what a process, or a ticket, knows; none to be told all
-- Reply  number, how often, in pairs: none if some were given
-- Keeps one holder for each place: of two tickets the one that was moved more often is good, whatever was lost.

local function all()
  local answer = {}
  for i, value in ipairs(redis.call('HGETALL', MOVED)) do answer[i] = tonumber(value) end
  return answer
end

if #ARGV == 0 then return all() end
local line = load()
if not line then return NO_LINE end
for i = 1, #ARGV, 2 do
  local number, moves = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local is_over = is_spent(number) and not redis.call('ZSCORE', INSIDE, number)
  if moves > moves_of(number) and not is_over then move_to(line, number, moves) end
end
save(line)
return {}
