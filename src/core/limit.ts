/**
 * Rates as GCRA and quotas per calendar window, in whole microseconds. Where a period does not divide evenly, the rest is
 * kept as a fraction of a microsecond in integers, so that neither the ninth request of nine nor the 7777th of 7777 is lost
 * to rounding; every number stays below 2^53, which is what Redis' Lua can hold as well.
 */

export type RateLimit = {
  readonly kind: 'rate'
  readonly requests: number
  readonly perUs: number
  readonly burst: number
}

export type QuotaPeriod = 'day' | 'month'

export type Quota = { readonly kind: 'quota'; readonly requests: number; readonly period: QuotaPeriod }

export type Limit = RateLimit | Quota

/** What counts where the shared limits are out of reach: a share of one's own, nothing, or nobody passes. */
export type LimitFailure = 'local' | 'open' | 'closed'

/** Where a limit stands after a request. */
export type Left = {
  readonly limit: Limit
  readonly remaining: number
  /** Microseconds until the limit is whole again (rate) or the window ends (quota). */
  readonly resetUs: number
}

export type LimitCode = 'rate_limited' | 'quota_exhausted'

export type Spent =
  | { readonly ok: true; readonly left: readonly Left[] }
  | { readonly ok: false; readonly code: LimitCode; readonly retryUs: number; readonly left: readonly Left[] }

/** Where a key's bucket stands: the theoretical arrival time of GCRA is `tatUs + part / requests` µs. */
export type BucketState = {
  readonly tatUs: number
  readonly part: number
  /** The rate under which that time was reckoned; 0 where none was. */
  readonly requests: number
  readonly perUs: number
  readonly windowStartUs: number
  readonly used: number
}

export const FRESH_BUCKET: BucketState = { tatUs: 0, part: 0, requests: 0, perUs: 0, windowStartUs: 0, used: 0 }

type Arrival = { readonly tatUs: number; readonly part: number }

/** count · perUs / requests µs after an arrival, exactly: counts and requests up to 60 million keep it below 2^53. */
function later({ tatUs, part }: Arrival, count: number, { perUs, requests }: RateLimit): Arrival {
  const rest = count * (perUs % requests) + part
  return { tatUs: tatUs + count * Math.floor(perUs / requests) + Math.floor(rest / requests), part: rest % requests }
}

/** GCRA (ITU-T I.371): a request passes if the burst, taken back from its arrival time, does not lie ahead of now. */
function admit(at: Arrival, rate: RateLimit, nowUs: number): Arrival | { readonly waitUs: number } {
  const start = at.tatUs < nowUs ? { tatUs: nowUs, part: 0 } : at
  const next = later(start, 1, rate)
  const full = later({ tatUs: nowUs, part: 0 }, rate.burst, rate)
  const aheadUs = next.tatUs - full.tatUs + (next.part > full.part ? 1 : 0)
  return aheadUs > 0 ? { waitUs: aheadUs } : next
}

/**
 * The bucket as the rate of this moment has it. An edited rate keeps the number of requests that are outstanding, not the
 * time that they stood for under the old one; and no bucket is emptier than empty, which a lowered burst or a clock that
 * was set back would make it.
 */
function underRate(state: BucketState, rate: RateLimit, nowUs: number): BucketState {
  const { requests, perUs } = rate
  const at = state.requests === requests && state.perUs === perUs ? state : rescaled(state, rate, nowUs)
  if (at.tatUs <= nowUs) return at
  const empty = later({ tatUs: nowUs, part: 0 }, rate.burst, rate)
  return at.tatUs > empty.tatUs || (at.tatUs === empty.tatUs && at.part > empty.part) ? { ...at, ...empty } : at
}

function rescaled(state: BucketState, { requests, perUs }: RateLimit, nowUs: number): BucketState {
  if (state.tatUs < nowUs) return { ...state, requests, perUs, part: 0 }
  const outstanding = ((state.tatUs - nowUs) * state.requests + state.part) / state.perUs
  return { ...state, tatUs: nowUs + Math.ceil((outstanding * perUs) / requests), part: 0, requests, perUs }
}

/** How many requests would pass at once. */
function remaining(at: Arrival, { requests, perUs, burst }: RateLimit, nowUs: number): number {
  if (at.tatUs < nowUs) return burst
  const owed = (at.tatUs - nowUs) * requests + at.part
  if (Number.isSafeInteger(owed)) return Math.max(0, burst - Math.ceil(owed / perUs))
  const [wide, divisor] = [BigInt(at.tatUs - nowUs) * BigInt(requests) + BigInt(at.part), BigInt(perUs)]
  return Math.max(0, burst - Number((wide + divisor - 1n) / divisor))
}

/** The calendar window (UTC) that holds a moment: [start, end) in µs since 1970. */
export function quotaWindow(period: QuotaPeriod, nowUs: number): { readonly startUs: number; readonly endUs: number } {
  const at = new Date(Math.floor(nowUs / 1000))
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()]
  return period === 'day'
    ? { startUs: Date.UTC(year, month, day) * 1000, endUs: Date.UTC(year, month, day + 1) * 1000 }
    : { startUs: Date.UTC(year, month) * 1000, endUs: Date.UTC(year, month + 1) * 1000 }
}

/**
 * Spends one request of all limits of a key, or of none: what one limit refuses, the others do not lose.
 * Where several refuse, the first gives the code and the longest the wait.
 */
export function spend(
  state: BucketState,
  limits: readonly Limit[],
  nowUs: number,
): { readonly state: BucketState; readonly spent: Spent } {
  const before = limits.reduce((at, limit) => (limit.kind === 'rate' ? underRate(at, limit, nowUs) : at), state)
  let next = before
  const refusals = new Map<Limit, Refusal>()
  for (const limit of limits) {
    const tried = limit.kind === 'rate' ? spendRate(next, limit, nowUs) : spendQuota(next, limit, nowUs)
    if ('code' in tried) refusals.set(limit, tried)
    else next = tried
  }
  const [first] = refusals.values()
  if (first === undefined) return { state: next, spent: { ok: true, left: standing(next, limits, nowUs) } }
  const retryUs = Math.max(...[...refusals.values()].map((refusal) => refusal.retryUs))
  // a caller that reads t of RateLimit is sent to the same moment as one that reads Retry-After
  const left = standing(before, limits, nowUs).map((one) => {
    const refusal = refusals.get(one.limit)
    return refusal === undefined ? one : { ...one, remaining: 0, resetUs: refusal.retryUs }
  })
  return { state: before, spent: { ok: false, code: first.code, retryUs, left } }
}

type Refusal = { readonly code: LimitCode; readonly retryUs: number }

function spendRate(state: BucketState, limit: RateLimit, nowUs: number): BucketState | Refusal {
  const admitted = admit(state, limit, nowUs)
  return 'waitUs' in admitted ? { code: 'rate_limited', retryUs: admitted.waitUs } : { ...state, ...admitted }
}

function spendQuota(state: BucketState, limit: Quota, nowUs: number): BucketState | Refusal {
  const { startUs, endUs } = quotaWindow(limit.period, nowUs)
  const used = state.windowStartUs === startUs ? state.used : 0
  return used < limit.requests
    ? { ...state, windowStartUs: startUs, used: used + 1 }
    : { code: 'quota_exhausted', retryUs: endUs - nowUs }
}

function standing(state: BucketState, limits: readonly Limit[], nowUs: number): readonly Left[] {
  return limits.map((limit) => {
    if (limit.kind === 'rate') {
      const resetUs = Math.max(0, state.tatUs - nowUs + (state.part > 0 ? 1 : 0))
      return { limit, remaining: remaining(state, limit, nowUs), resetUs }
    }
    const { startUs, endUs } = quotaWindow(limit.period, nowUs)
    const used = state.windowStartUs === startUs ? state.used : 0
    return { limit, remaining: Math.max(0, limit.requests - used), resetUs: endUs - nowUs }
  })
}
