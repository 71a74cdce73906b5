/** The Lua script that does in Redis, in one round trip, what `spend` of core/limit.ts does in this process. */

/**
 * Production asks Redis for the time, so that no replica's clock counts. Whole microseconds stay below 2^53, which is
 * what a number of Lua holds exactly.
 */
const REDIS_CLOCK = `
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local keepMs = 1000
`

/**
 * For tests alone, which compare the script with the core over years in a second: the time comes as the first argument,
 * and since it runs faster than Redis' own, nothing may expire meanwhile.
 */
const GIVEN_CLOCK = `
local now = tonumber(table.remove(ARGV, 1))
local keepMs = 3600000
`

/**
 * KEYS[1] the bucket. ARGV: how many requests are wanted (0: only give back); requests, µs of the period and burst of
 * the rate, the first 0 where there is none; requests and period of the quota, the first 0 where there is none; and, if
 * some are given back: how many, until when (µs) the bucket is known not to have been whole since they were taken,
 * the end of the window that they were counted in (µs), and when they were taken (µs).
 *
 * Replies granted, garbage found, now; of the rate: remaining, µs until whole, µs to wait; of the quota: remaining, µs
 * until its end, whether it refuses. What is done and told is what core/limit.ts does; a test holds the two equal.
 * It is one piece without functions or tables of its own, because a script makes these anew at each request.
 */
const BODY = `
local floor, ceil = math.floor, math.ceil
local wanted = tonumber(ARGV[1])
local rate, period, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local quota = tonumber(ARGV[5])

-- what is kept: arrival time, its part, requests and period of the rate that it was reckoned under, the quota's window, used, its
-- end, and when requests of the rate were given back last
local tat, part, requests, per, start, used, ends, returned = 0, 0, 0, 0, 0, 0, 0, 0
local garbage = 0
local kept = redis.pcall('GET', KEYS[1])
if type(kept) == 'table' then
  if not string.find(kept.err, 'WRONGTYPE', 1, true) then return kept end
  kept, garbage = false, 1
elseif kept then
  local a, b, c, d, e, f, g, h
  if #kept <= 140 then
    a, b, c, d, e, f, g, h = string.match(kept, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  end
  if h then
    tat, part, requests, per = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
    start, used, ends, returned = tonumber(e), tonumber(f), tonumber(g), tonumber(h)
  end
  -- what this script can't have written counts as nothing
  if not h or tat > 9007199254740991 or per > 9007199254740991 or used > 9007199254740991
    or requests > 9007199254740991 or start > 9007199254740991 or ends > 9007199254740991 or returned > 9007199254740991
    or (requests == 0 or per == 0) and tat + part + requests + per > 0
    or requests > 0 and part >= requests then
    tat, part, requests, per, start, used, ends, returned = 0, 0, 0, 0, 0, 0, 0, 0
    kept, garbage = false, 1
  end
end

local from, till = 0, 0
if quota > 0 then
  local days = floor(now / 86400000000)
  if ARGV[6] == 'day' then
    from, till = days * 86400000000, (days + 1) * 86400000000
  else
    -- days since 0000-03-01; in years that begin in March the day of a leap year comes last
    local z = days + 719468
    local era = floor(z / 146097)
    local doe = z - era * 146097
    local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
    local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
    local mp = floor((5 * doy + 2) / 153)
    local first = days - (doy - floor((153 * mp + 2) / 5))
    local long = floor((153 * (mp + 1) + 2) / 5) - floor((153 * mp + 2) / 5)
    if mp == 11 then
      -- February: the year is the next one's, in which it lies
      local year = yoe + era * 400 + 1
      long = (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) and 29 or 28
    end
    from, till = first * 86400000000, (first + long) * 86400000000
  end
end

if ARGV[7] then
  local back = tonumber(ARGV[7])
  if quota > 0 and start == from and tonumber(ARGV[9]) == till then
    used = used - back
    if used < 0 then used = 0 end
  end
  if rate > 0 and requests == rate and per == period and tat > now and tonumber(ARGV[10]) > returned then
    -- never beyond whole: what would be back by itself, had the bucket been whole meanwhile, is not added; nor is what
    -- others gave back since these were taken, after which nobody knows that any more
    local sure = floor((tonumber(ARGV[8]) - now) * rate / period)
    if sure > back then sure = back end
    if sure > 0 then
      local rest = part - sure * (period % rate)
      tat, part, returned = tat - sure * floor(period / rate) + floor(rest / rate), rest % rate, now
    end
  end
end

local granted = wanted
-- one request's time, and when an empty bucket would be whole: each in µs and a part
local step, stepPart, full, fullPart, left = 0, 0, 0, 0, 0
if rate > 0 then
  step = floor(period / rate)
  stepPart = period - step * rate
  full = burst * stepPart
  fullPart = full % rate
  full = now + burst * step + floor(full / rate)
  if wanted > 0 then
    if requests ~= rate or per ~= period then
      if tat >= now then
        tat = now + ceil((((tat - now) * requests + part) / per * period) / rate)
      end
      part, requests, per = 0, rate, period
    end
    if tat > now and (tat > full or tat == full and part > fullPart) then tat, part = full, fullPart end
  end
  left = burst
  if tat >= now then
    local ahead = tat - now
    local owed = ahead * rate + part
    if owed <= 9007199254740991 then
      left = burst - ceil(owed / period)
    else
      -- beyond 2^53: a quotient that is off by one at most, and its rest, reckoned in halves of 24 bits, of which each
      -- product, and the small difference of the large ones, is exact
      local quotient = floor(owed / period)
      local high, low = floor(ahead / 16777216), ahead % 16777216
      local perHigh, perLow = floor(period / 16777216), period % 16777216
      local rest = (high * rate - perHigh * quotient) * 16777216 + (low * rate - perLow * quotient) + part
      left = burst - quotient - ceil(rest / period)
    end
    if left < 0 then left = 0 end
  end
  if granted > left then granted = left end
end

local quotaLeft = 0
if quota > 0 then
  quotaLeft = start == from and quota - used or quota
  if quotaLeft < 0 then quotaLeft = 0 end
  if granted > quotaLeft then granted = quotaLeft end
end

local wait, refused = 0, 0
if granted > 0 then
  if rate > 0 then
    if tat < now then tat, part = now, 0 end
    local rest = granted * stepPart + part
    tat, part = tat + granted * step + floor(rest / rate), rest % rate
    left = left - granted
  end
  if quota > 0 then
    if start ~= from then start, used, ends = from, 0, 0 end
    used = used + granted
    if ends < till then ends = till end
    quotaLeft = quotaLeft - granted
  end
elseif wanted > 0 then
  if rate > 0 and left == 0 then
    local rest = stepPart + part
    wait = tat + step + floor(rest / rate) - full
    if rest % rate > fullPart then wait = wait + 1 end
  end
  if quota > 0 and quotaLeft == 0 then refused = 1 end
end

local state = string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f', tat, part, requests, per, start, used, ends, returned)
if state ~= kept and (kept or granted > 0) then
  -- a bucket that is whole again is a bucket that is not there
  local whole = tat + 1
  if used > 0 and ends > whole then whole = ends end
  local ms = ceil((whole - now) / 1000)
  if ms < 0 then ms = 0 elseif ms > 34646400000 then ms = 34646400000 end
  redis.call('SET', KEYS[1], state, 'PX', string.format('%.0f', ms + keepMs))
end

local reset = 0
if rate > 0 and tat >= now then
  reset = tat - now
  if part > 0 then reset = reset + 1 end
end
-- fifteen digits are all that a RateLimit field can say, and what ioredis reads exactly
if quotaLeft > 999999999999999 then quotaLeft = 999999999999999 end
return { granted, garbage, now, left, reset, wait, quotaLeft, till - now, refused }
`

export type Clock = 'redis' | 'given'

/** @param clock whose time counts; `given` is for tests alone */
export const scriptText = (clock: Clock): string => (clock === 'redis' ? REDIS_CLOCK : GIVEN_CLOCK) + BODY
