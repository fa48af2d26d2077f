-- pulse: a process says what it has counted, and learns what the operator has set. What Redis has lost of that, it gets
-- back from whoever knows it; what is over is cleared.
--
-- ARGV  1  the time (ms), or '' for Redis's own
--       2  the process
--       3  its vitals (JSON), or ''
--       4  the record that it knows (JSON), or ''
--       5  how long it leads (ms) if nobody else does; 0 if it does not want to
--       6  1 to be told everybody's vitals
-- Reply  now, the record (JSON), 1 if this process leads, then for each process: its name, its vitals ("now:JSON")

-- A process that was not heard of for so long is gone (ms).
local GONE_MS = 10000

local now = clock(ARGV[1])
local process, vitals = ARGV[2], ARGV[3]
local lead_ms, wants_all = tonumber(ARGV[5]), ARGV[6] == '1'

local record = load()
local restored = merge(record, read(ARGV[4]))
local ended = end_overrides(record, now)
if restored or ended then save(record) end

if vitals ~= '' then redis.call('HSET', VITALS, process, string.format('%.0f:%s', now, vitals)) end

local leads = 0
if lead_ms > 0 then
  local leader = redis.call('GET', LEADER)
  if not leader or leader == process then
    redis.call('SET', LEADER, process, 'PX', lead_ms)
    leads = 1
  end
end

local answer = { now, encoded(record), leads }
if wants_all or leads == 1 then
  local all = redis.call('HGETALL', VITALS)
  for i = 1, #all, 2 do
    if now - tonumber(string.match(all[i + 1], '^(%d+):')) > GONE_MS then
      redis.call('HDEL', VITALS, all[i])
    else
      answer[#answer + 1] = all[i]
      answer[#answer + 1] = all[i + 1]
    end
  end
end
return answer
