/** PURE. One bucket's lease: tokens that are paid for already, until when they count, and what a caller is told of them. */
import type { Left, Limit, Spent } from '../core/limit.ts'
import type { Returned } from './wire.ts'

/** Unused tokens go back after this. */
export const LEASE_US = 10_000_000
/** A refusal is taken for granted no longer than this, should the bucket be filled by other means. */
const REFUSAL_US = 1_000_000
/** After Redis gave fewer than were asked for, more are asked for in the background no earlier than this. */
const SCARCE_US = 5_000

export type Refusal = Extract<Spent, { ok: false }>

/** What Redis said of a bucket, and when it was asked, by our own clock. */
export type Told = { readonly left: readonly Left[]; readonly sentUs: number }

export type Lease = {
  limits: readonly Limit[]
  readonly size: number
  tokens: number
  /** Of these, how many are of the lease before; by Redis' time each batch is surely outstanding until its moment. */
  older: number
  olderSureUntilUs: number
  sureUntilUs: number
  olderTakenUs: number
  takenUs: number
  told: Told
  /** By our own clock: when the rate would be whole, if nobody but us had asked since. */
  wholeUs: number
  untilUs: number
  /** By Redis' time; 0 where there is no quota. */
  windowEndsUs: number
  scarceUntilUs: number
  refusal: { readonly spent: Refusal; readonly fromUs: number; readonly untilUs: number } | undefined
}

export const newLease = (limits: readonly Limit[], size: number): Lease => ({
  limits,
  size,
  tokens: 0,
  older: 0,
  olderSureUntilUs: 0,
  sureUntilUs: 0,
  olderTakenUs: 0,
  takenUs: 0,
  told: { left: [], sentUs: 0 },
  wholeUs: 0,
  untilUs: 0,
  windowEndsUs: 0,
  scarceUntilUs: 0,
  refusal: undefined,
})

export type Batch = {
  readonly granted: number
  readonly wanted: number
  readonly nowUs: number
  readonly left: readonly Left[]
  readonly sentUs: number
}

/** Adds what was granted. Counted from when it was asked for, so that no time on the way makes anything last longer. */
export function addBatch(lease: Lease, { granted, wanted, nowUs, left, sentUs }: Batch): void {
  const rate = left.find(({ limit }) => limit.kind === 'rate')
  const quota = left.find(({ limit }) => limit.kind === 'quota')
  const windowEndsUs = quota === undefined ? 0 : nowUs + quota.resetUs
  // what is left of a window that is over is worth nothing in the next
  if (windowEndsUs !== lease.windowEndsUs) lease.tokens = 0
  lease.olderSureUntilUs = sureUntilUs(lease)
  lease.olderTakenUs = takenUs(lease)
  lease.older = lease.tokens
  lease.sureUntilUs = nowUs + (rate?.resetUs ?? 0) - 1
  lease.takenUs = nowUs
  lease.tokens += granted
  lease.told = { left, sentUs }
  if (rate !== undefined) lease.wholeUs = sentUs + rate.resetUs - lease.tokens * oneUs(rate.limit)
  lease.windowEndsUs = windowEndsUs
  lease.untilUs = sentUs + Math.min(LEASE_US, quota?.resetUs ?? LEASE_US)
  lease.refusal = undefined
  if (granted < wanted) lease.scarceUntilUs = sentUs + SCARCE_US
}

const sureUntilUs = ({ older, olderSureUntilUs, sureUntilUs }: Lease): number =>
  older > 0 ? Math.min(olderSureUntilUs, sureUntilUs) : sureUntilUs

const takenUs = (lease: Lease): number => (lease.older > 0 ? lease.olderTakenUs : lease.takenUs)

/** Whether a token may be handed out now. A clock that stepped back ends a lease: nobody knows how old it is. */
export const isUsable = (lease: Lease, nowUs: number): boolean =>
  lease.tokens > 0 && nowUs < lease.untilUs && nowUs >= lease.told.sentUs

/** Hands one out. */
export function takeToken(lease: Lease, nowUs: number): Spent {
  lease.tokens--
  if (lease.older > 0) lease.older--
  const { left } = lease.told
  for (const { limit } of left) {
    if (limit.kind === 'rate') lease.wholeUs = Math.max(lease.wholeUs, nowUs) + oneUs(limit)
  }
  return { ok: true, left: left.map((told) => estimate(told, lease, nowUs)) }
}

/** Time for more, in the background: half is gone, and Redis had enough when it was asked last. */
export const wantsMore = (lease: Lease, nowUs: number): boolean =>
  lease.tokens * 2 <= lease.size && nowUs >= lease.scarceUntilUs && refusalNow(lease, nowUs) === undefined

/** Takes all of them out, to be given back. */
export function takeBack(lease: Lease): Returned | undefined {
  if (lease.tokens === 0) return undefined
  const back = {
    count: lease.tokens,
    sureUntilUs: sureUntilUs(lease),
    windowEndsUs: lease.windowEndsUs,
    takenUs: takenUs(lease),
  }
  lease.tokens = 0
  lease.older = 0
  return back
}

/** Whether giving back would change anything: a quota, or a rate that is not whole by itself meanwhile. */
export const isWorthReturning = ({ tokens, told }: Lease, nowUs: number): boolean =>
  tokens > 0 && told.left.some(({ limit, resetUs }) => limit.kind === 'quota' || told.sentUs + resetUs > nowUs)

export function keepRefusal(lease: Lease, spent: Refusal, sentUs: number): void {
  lease.refusal = { spent, fromUs: sentUs, untilUs: sentUs + Math.min(spent.retryUs, REFUSAL_US) }
}

/** What was refused stays refused until time has brought a request back, by Redis' own reckoning. */
export function refusalNow({ refusal }: Lease, nowUs: number): Refusal | undefined {
  if (refusal === undefined || nowUs >= refusal.untilUs || nowUs < refusal.fromUs) return undefined
  const sinceUs = nowUs - refusal.fromUs
  const left = refusal.spent.left.map((one) => ({ ...one, resetUs: Math.max(0, one.resetUs - sinceUs) }))
  return { ...refusal.spent, retryUs: refusal.spent.retryUs - sinceUs, left }
}

/**
 * What a caller is told to remain: what Redis had when it was asked last, what is in hand here, and what time has brought
 * back since. What other replicas took meanwhile is not known.
 */
function estimate({ limit, remaining, resetUs }: Left, lease: Lease, nowUs: number): Left {
  const { tokens, told, wholeUs } = lease
  if (limit.kind === 'quota') {
    return { limit, remaining: remaining + tokens, resetUs: Math.max(0, resetUs - (nowUs - told.sentUs)) }
  }
  const aheadUs = Math.max(0, wholeUs - nowUs)
  const now = limit.burst - Math.ceil(aheadUs / oneUs(limit) - ROUNDING)
  return { limit, remaining: Math.max(tokens, now), resetUs: Math.max(0, Math.ceil(aheadUs - ROUNDING)) }
}

/** What a request takes to come back; not exact, nor need it be: only estimates are made of it. */
const oneUs = (limit: Limit): number => (limit.kind === 'rate' ? limit.perUs / limit.requests : 0)
const ROUNDING = 0.001
