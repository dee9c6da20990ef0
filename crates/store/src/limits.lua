-- The budgets of callers of one limit, each decided in one step where no other request can come between.
--
-- KEYS     the callers' ledgers. Each is what its windows have to say, as numbers of eight bytes (packing them costs a tenth
--          of writing them out), and then the generation of the store.
-- ARGV     1 operation: take, charge, back or look
--          2 generation: which life of the server this is, as the gateway has learnt it
--          3 doubt: for how many microseconds the server may have lost its memory; -1: it has not
--          4 take: permits wanted       charge: what is owed though it is not there      back: permits that return
--          5 take, charge, look: the least                                               back: when they were taken, in microseconds
--          6 1: a refused request is charged, no further than nothing being left
--          7 and on, eight for each window: kind and seven numbers, of which the last is the most that is owed
--          at the end, for each ledger: how many requests want the same. Where they want what they need and no more, the
--          first that there is room for have it and the others are refused, as if asked one after another.
-- Gives now, and for each ledger what is granted in all, hold, and for each window remaining, retry after and reset
-- after; times in microseconds. They are packed too. A ledger that cannot be read or written has -1 granted and zeros,
-- and the others of the command are decided. Where the server could decide about none (it is full, it follows another) the
-- answer is the error.
--
-- The clock is the server's. Every number stays below 2^53, where a double counts exactly.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local operation, generation, doubt = ARGV[1], ARGV[2], tonumber(ARGV[3])
local first, second, charge = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local call, floor, max, min, pack, unpacked = redis.call, math.floor, math.max, math.min, struct.pack, struct.unpack
local windows_end = #ARGV - #KEYS
local answer = { pack('<d', now) }

local function divide(a, b)
  local rest = math.fmod(a, b)
  return (a - rest) / b, rest
end

-- Decides about each ledger, by its index. What is wrong with one is nothing to the others, and says nothing of the server.
local function each(decide)
  local failed, why = 0, nil
  for index = 1, #KEYS do
    local done, said = pcall(decide, index)
    if not done then
      said = type(said) == 'table' and said.err or tostring(said)
      -- What the script itself stumbles over has no code, and what is wrong with a value one of these.
      local code = string.match(said, '%u%u%u+')
      if code and code ~= 'ERR' and code ~= 'WRONGTYPE' then
        failed, why = failed + 1, string.match(said, code .. '.*')
      end
      answer[index + 1] = pack('<d', -1) .. string.rep(pack('<d', 0), 1 + 3 * (windows_end - 6) / 8)
    end
  end
  if failed < #KEYS then return table.concat(answer) end
  return redis.error_reply(why)
end

-- What so many requests are given in all, where so much is there.
local function grant(available, count)
  if available < second then return 0 end
  -- A lease is given at most half of what is left, so that others find some too.
  if first > second then return min(first, max(floor(available / 2), second)) end
  return second > 0 and min(count, floor(available / second)) * second or 0
end

-- The usual question comes first: permits from one window, of a server that is not doubted. It is decided as below,
-- without the tables and functions that all windows together need, which cost more than the decision.
if operation == 'take' and doubt < 0 and windows_end == 14 and ARGV[7] == 'steady' then
  local step, step_part, parts = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[12])
  local tolerance, tolerance_part, hold = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[13])
  local needed = max(second, 1) - 1
  local needed_whole, needed_part = divide(needed * step_part, parts)
  needed_whole = needed_whole + needed * step - tolerance

  local function fits(number, room, rest)
    local whole, part = divide(number * step_part, parts)
    whole = whole + number * step
    return whole < room or (whole == room and part <= rest)
  end

  local function left(at, part)
    local room, rest = tolerance - (at - now), tolerance_part - part
    if rest < 0 then room, rest = room - 1, rest + parts end
    if room < 0 then return 0 end
    if step_part == 0 then return floor(room / step) + 1 end
    -- A guess that is at most one off, then put right exactly.
    local number = floor((room + rest / parts) / (step + step_part / parts))
    while number > 0 and not fits(number, room, rest) do number = number - 1 end
    while fits(number + 1, room, rest) do number = number + 1 end
    return number + 1
  end

  return each(function(index)
    local at, part, last = 0, 0, 0
    local stored = call('GET', KEYS[index])
    if stored then at, part, last = unpacked('<ddd', stored) end
    if at < now then at, part = now, 0 end
    local available = left(at, part)
    local granted = grant(available, tonumber(ARGV[windows_end + index]))
    local taken = granted
    if charge and available < second then taken = second end
    if taken > 0 then
      local before, before_part = at, part
      at = at + taken * step
      if step_part > 0 then
        local carry
        carry, taken = divide(taken * step_part, parts)
        at, part = at + carry, part + taken
        if part >= parts then at, part = at + 1, part - parts end
      end
      if granted == 0 then
        -- Never further than nothing being left, nor less than before.
        local worst, worst_part = now + tolerance + step, tolerance_part + step_part
        if worst_part >= parts then worst, worst_part = worst + 1, worst_part - parts end
        if at > worst or (at == worst and part > worst_part) then at, part = worst, worst_part end
        if before > at or (before == at and before_part > part) then at, part = before, before_part end
        available = left(at, part)
      end
      call('SET', KEYS[index], pack('<ddd', at, part, max(last, now)) .. generation,
        'PX', math.ceil((at + 1 - now) / 1000) + 1000)
    end
    local early = at - now
    local retry, over = early + needed_whole, part + needed_part - tolerance_part
    if over > 0 then retry = retry + math.ceil(over / parts) elseif over <= -parts then retry = retry - 1 end
    answer[index + 1] = pack('<ddddd', granted, hold, available - granted, max(retry, 0), part > 0 and early + 1 or early)
  end)
elseif operation == 'take' and doubt < 0 and windows_end == 14 and ARGV[7] == 'fixed' and tonumber(ARGV[9]) then
  local limit, period = tonumber(ARGV[8]), tonumber(ARGV[9])
  local current, rest = divide(now, period)
  local ends = period - rest
  -- When the windows after this one have paid so much.
  local function after(number, count) return max((number + max(math.ceil(count / limit), 1)) * period - now, 0) end
  local needed = min(max(second, 1), limit)
  return each(function(index)
    local number, used = current, 0
    local stored = call('GET', KEYS[index])
    if stored then
      local last, count = unpacked('<dd', stored)
      -- A clock that went back stays in the later window; each one pays what is owed.
      if last >= current then number, used = last, count else used = max(count - (current - last) * limit, 0) end
    end
    local available = max(limit - used, 0)
    local granted = grant(available, tonumber(ARGV[windows_end + index]))
    local taken = granted
    if charge and available < second then taken = second end
    if taken > 0 then
      used = max(used, min(used + taken, limit))
      available = max(limit - used, 0)
      call('SET', KEYS[index], pack('<dd', number, used) .. generation, 'PX', math.ceil(after(number, used) / 1000) + 1000)
    end
    local retry = available >= max(second, 1) and 0 or after(number, used + needed - limit)
    answer[index + 1] = pack('<ddddd', granted, ends, available, retry, after(number, used))
  end)
end

-- The year and the month from zero; days are counted from 0000-03-01 so that the leap day is the last.
local function month_of(at)
  local days = divide(at, 86400000000) + 719468
  local era, day_of_era = divide(days, 146097)
  local year = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524)
    - math.floor(day_of_era / 146096)) / 365)
  local day = day_of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local shifted = math.floor((5 * day + 2) / 153)
  local month = shifted < 10 and shifted + 2 or shifted - 10
  return era * 400 + year + (month < 2 and 1 or 0), month
end

local function month_start(index)
  local year, month = divide(index, 12)
  if month < 2 then year, month = year - 1, month + 10 else month = month - 2 end
  local era, rest = divide(year, 400)
  local day = math.floor((153 * month + 2) / 5)
  local days = era * 146097 + rest * 365 + math.floor(rest / 4) - math.floor(rest / 100) + day - 719468
  return days * 86400000000
end

-- When the window of that number ends and the next begins.
local function ending(period, number)
  if period == 'month' then return month_start(number + 1) end
  if period == 'year' then return month_start((number + 1) * 12) end
  return (number + 1) * tonumber(period)
end

-- The window that holds a time: its number, and when the next begins.
local function place(period, at)
  local number, month
  if period == 'month' then
    number, month = month_of(at)
    number = number * 12 + month
  elseif period == 'year' then
    number = month_of(at)
  else
    number = divide(at, tonumber(period))
  end
  return number, ending(period, number)
end

-- A steady pace. Times are whole microseconds and parts of them; `parts` of those are one.
local steady = {}

function steady.new(numbers)
  local window = {
    step = tonumber(numbers[1]), step_part = tonumber(numbers[2]), tolerance = tonumber(numbers[3]),
    tolerance_part = tonumber(numbers[4]), parts = tonumber(numbers[5]), hold = tonumber(numbers[6]),
    owed = tonumber(numbers[7]), at = 0, part = 0, last = 0,
  }
  return window
end

function steady.read(window, at, part, last) window.at, window.part, window.last = at, part, last end

local function times(window, count)
  local carry, part = divide(count * window.step_part, window.parts)
  return count * window.step + carry, part
end

local function early(window)
  if window.at < now then return 0, 0 end
  return window.at - now, window.part
end

function steady.available(window)
  local room, part = early(window)
  room, part = window.tolerance - room, window.tolerance_part - part
  if part < 0 then room, part = room - 1, part + window.parts end
  if room < 0 then return 0 end
  -- A guess that is at most one off, then put right exactly.
  local count = math.floor((room + part / window.parts) / (window.step + window.step_part / window.parts))
  local function fits(number)
    local whole, rest = times(window, number)
    return whole < room or (whole == room and rest <= part)
  end
  while count > 0 and not fits(count) do count = count - 1 end
  while fits(count + 1) do count = count + 1 end
  return count + 1
end

function steady.commit(window, count)
  window.last = math.max(window.last, now)
  if window.at < now then window.at, window.part = now, 0 end
  local whole, part = times(window, count)
  window.at, window.part = window.at + whole, window.part + part
  if window.part >= window.parts then window.at, window.part = window.at + 1, window.part - window.parts end
end

-- As far as nothing being left, but never earlier than it was.
local function exhaust(window)
  local at, part = now + window.tolerance + window.step, window.tolerance_part + window.step_part
  if part >= window.parts then at, part = at + 1, part - window.parts end
  return at, part
end

-- Until nothing is left and so much is owed, and no further.
local function commit_up_to(window, count, owed)
  local at, part = window.at, window.part
  local worst, worst_part = exhaust(window)
  worst = worst + owed
  -- A part at a time, so that every product is counted exactly.
  local most = floor(2 ^ 52 / window.parts)
  repeat
    local taken = min(count, most)
    steady.commit(window, taken)
    count = count - taken
    local beyond = window.at > worst or (window.at == worst and window.part > worst_part)
    if beyond then window.at, window.part = worst, worst_part end
  until beyond or count <= 0
  if at > window.at or (at == window.at and part > window.part) then window.at, window.part = at, part end
end

function steady.punish(window, count) commit_up_to(window, count, 0) end
function steady.charge(window, count) commit_up_to(window, count, window.owed) end

function steady.spend(window)
  local length = window.tolerance + window.step
  if length > 60000000 or doubt >= length then return false end
  local at, part = exhaust(window)
  if window.at < at then window.at, window.part = at, part end
  window.last = now
  return true
end

function steady.back(window, count, taken)
  local whole, part = times(window, count)
  -- Without these permits, those who took later would have lost up to the time since.
  whole = whole - math.max(window.last - taken, 0)
  if whole < 0 then return end
  window.at, window.part = window.at - whole, window.part - part
  if window.part < 0 then window.at, window.part = window.at - 1, window.part + window.parts end
end

function steady.view(window, least)
  local used, part = early(window)
  local reset = part > 0 and used + 1 or used
  local needed, needed_part = times(window, math.max(least, 1) - 1)
  local retry = used + needed - window.tolerance
  local rest = part + needed_part - window.tolerance_part
  if rest > 0 then retry = retry + math.ceil(rest / window.parts) elseif rest <= -window.parts then retry = retry - 1 end
  return math.max(retry, 0), reset
end

function steady.holds(window) return window.hold end
function steady.form() return 'ddd' end
function steady.cell(window) return window.at, window.part, window.last end

-- Windows aligned to the clock.
local fixed = {}

function fixed.new(numbers)
  local window = {
    limit = tonumber(numbers[1]), period = numbers[2], length = tonumber(numbers[3]), owed = tonumber(numbers[7]), used = 0,
  }
  window.number, window.ends = place(window.period, now)
  return window
end

function fixed.read(window, number, used)
  -- A clock that went back stays in the later window; each one pays what is owed.
  if number >= window.number then
    window.number, window.used = number, used
  else
    window.used = max(used - (window.number - number) * window.limit, 0)
  end
end

function fixed.available(window) return math.max(window.limit - window.used, 0) end
function fixed.commit(window, count) window.used = max(window.used, min(window.used + count, window.limit)) end
fixed.punish = fixed.commit
function fixed.charge(window, count) window.used = min(window.used + count, window.limit + window.owed) end

function fixed.spend(window)
  if window.length > 60000000 or window.ends - window.length >= now - doubt then return false end
  window.used = max(window.used, window.limit)
  return true
end

function fixed.back(window, count, taken)
  if place(window.period, taken) == window.number then window.used = math.max(window.used - count, 0) end
end

function fixed.view(window, least)
  -- When the windows after this one have paid so much.
  local function after(count)
    return max(ending(window.period, window.number + max(math.ceil(count / window.limit), 1) - 1) - now, 0)
  end
  local needed = min(max(least, 1), window.limit)
  local retry = fixed.available(window) >= max(least, 1) and 0 or after(window.used + needed - window.limit)
  return retry, after(window.used)
end

function fixed.holds(window) return math.max(window.ends - now, 0) end
function fixed.form() return 'dd' end
function fixed.cell(window) return window.number, window.used end

-- Any stretch: segments that are counted apart.
local sliding = {}

function sliding.new(numbers)
  local window = {
    limit = tonumber(numbers[1]), segment = tonumber(numbers[2]), count = tonumber(numbers[3]),
    most = tonumber(numbers[7]), owed = 0, used = {},
  }
  window.number = place(numbers[2], now)
  return window
end

function sliding.read(window, newest, owed, ...)
  local count, used = window.count, { ... }
  local now_at = max(window.number, newest)
  if owed > 0 then
    -- Each period pays the whole limit, and then stands as the one before.
    local periods = min(floor((now_at - newest) / count), floor(owed / window.limit))
    newest, owed = newest + periods * count, owed - periods * window.limit
  end
  -- The newest first.
  for place = 1, count do window.used[newest - place + 1] = used[place] end
  -- What leaves the period is used again for what is owed; that takes no longer than two.
  for number = newest + 1, min(now_at, newest + 2 * count) do
    local paid = min(owed, window.used[number - count] or 0)
    window.used[number], owed = paid, owed - paid
  end
  -- Those that the period no longer touches are left out.
  for number, count_of in pairs(window.used) do
    if count_of == 0 or number <= now_at - count then window.used[number] = nil end
  end
  window.number, window.owed = now_at, owed
end

local function total(window)
  local sum = 0
  for _, used in pairs(window.used) do sum = sum + used end
  return sum
end

function sliding.available(window) return math.max(window.limit - total(window), 0) end

function sliding.commit(window, count)
  count = math.min(count, sliding.available(window))
  window.used[window.number] = (window.used[window.number] or 0) + count
end
sliding.punish = sliding.commit

function sliding.charge(window, count)
  local more = max(count - sliding.available(window), 0)
  sliding.commit(window, count)
  window.owed = min(window.owed + more, window.most)
end

function sliding.spend(window)
  local length = window.segment * window.count
  if length > 65000000 or doubt >= length then return false end
  sliding.commit(window, window.limit)
  return true
end

function sliding.back(window, count, taken)
  local number = place(string.format('%.0f', window.segment), taken)
  if number > window.number or number <= window.number - window.count then return end
  -- As long as something is owed the whole limit is used.
  local owed = min(count, window.owed)
  window.owed, count = window.owed - owed, count - owed
  if window.used[number] then window.used[number] = max(window.used[number] - count, 0) end
end

function sliding.view(window, least)
  local missing = min(max(least, 1), window.limit) - sliding.available(window)
  -- What has to come back until the next request passes, and in all: so many whole periods, and so much.
  local function within(count)
    local periods = max(floor((count - 1) / window.limit), 0)
    return periods, count - periods * window.limit
  end
  local retry_periods, retry_count = within(missing > 0 and missing + window.owed or 0)
  local reset_periods, reset_count = within(total(window) + window.owed)
  local retry, reset, back = 0, 0, 0
  for number = window.number - window.count + 1, window.number do
    local used = window.used[number] or 0
    local before = back
    back = back + used
    local function gone(periods) return max((number + (periods + 1) * window.count) * window.segment - now, 0) end
    if before < retry_count and retry_count <= back then retry = gone(retry_periods) end
    if before < reset_count and reset_count <= back then reset = gone(reset_periods) end
  end
  return retry, reset
end

function sliding.holds(window) return math.max((window.number + 1) * window.segment - now, 0) end

function sliding.form(window) return 'dd' .. string.rep('I4', window.count) end

function sliding.cell(window)
  local counts = {}
  for age = 0, window.count - 1 do counts[age + 1] = window.used[window.number - age] or 0 end
  return window.number, window.owed, unpack(counts)
end

local kinds = { steady = steady, fixed = fixed, sliding = sliding }

return each(function(index)
  local key, windows = KEYS[index], {}
  for place_of = 7, windows_end - 7, 8 do
    local kind = kinds[ARGV[place_of]]
    local numbers = {}
    for offset = 1, 7 do numbers[offset] = ARGV[place_of + offset] end
    windows[#windows + 1] = { kind = kind, window = kind.new(numbers) }
  end

  local stored = call('GET', key)
  local known = false
  if stored then
    local from = 1
    for _, entry in ipairs(windows) do
      local cell = { unpacked('<' .. entry.kind.form(entry.window), stored, from) }
      -- What it ends with is where the next begins.
      from = table.remove(cell)
      entry.kind.read(entry.window, unpack(cell))
    end
    known = string.sub(stored, from) == generation
  end

  local changed = false
  if not known and doubt >= 0 then
    -- What was used before may be forgotten: of short windows it is taken that all was.
    for _, entry in ipairs(windows) do
      if entry.kind.spend(entry.window) then changed = true end
    end
  end

  local granted = 0
  if operation == 'back' then
    for _, entry in ipairs(windows) do entry.kind.back(entry.window, first, second) end
    changed = stored and true or changed
  elseif operation == 'charge' then
    for _, entry in ipairs(windows) do entry.kind.charge(entry.window, first) end
    changed = true
  elseif operation == 'take' then
    local available = math.huge
    for _, entry in ipairs(windows) do available = min(available, entry.kind.available(entry.window)) end
    granted = grant(available, tonumber(ARGV[windows_end + index]))
    if granted > 0 then
      for _, entry in ipairs(windows) do entry.kind.commit(entry.window, granted) end
      changed = true
    elseif charge and available < second then
      for _, entry in ipairs(windows) do entry.kind.punish(entry.window, second) end
      changed = true
    end
  end

  local least = operation == 'back' and 1 or second
  local views, holds, longest = {}, math.huge, 0
  for number, entry in ipairs(windows) do
    local retry, reset = entry.kind.view(entry.window, least)
    holds, longest = min(holds, entry.kind.holds(entry.window)), max(longest, reset)
    views[number] = pack('<ddd', entry.kind.available(entry.window), retry, reset)
  end
  answer[index + 1] = pack('<dd', granted, holds) .. table.concat(views)

  if changed then
    local cells = {}
    for number, entry in ipairs(windows) do
      cells[number] = pack('<' .. entry.kind.form(entry.window), entry.kind.cell(entry.window))
    end
    -- Nothing is left behind: when every window is whole again the ledger says nothing.
    call('SET', key, table.concat(cells) .. generation, 'PX', math.ceil(longest / 1000) + 1000)
  end
end)
