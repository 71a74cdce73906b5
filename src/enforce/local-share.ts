/** What a replica grants alone while the shared limits are out of reach, and what it remembers for that and of that. */
import {
  type BucketState,
  FRESH_BUCKET,
  type Left,
  type Limit,
  type Quota,
  quotaWindow,
  type RateLimit,
  type Spent,
  spend,
} from '../core/limit.ts'
import { type Place, placeFor, shareOfQuota, shareOfRate, startUs, unknownRequests, worthKnowingUs } from './share.ts'
import type { Uncounted } from './shared-limiter.ts'

export type LocalShare = {
  readonly spend: (bucket: string, limits: readonly Limit[]) => Spent
  /** What the shared limits just said of a bucket; gives what they should be reminded of. */
  readonly told: (bucket: string, spent: Spent) => readonly Uncounted[]
  readonly size: () => number
}

export type LocalShareParts = {
  /** Microseconds since 1970. */
  readonly nowUs: () => number
  readonly place: () => Place
  /** true: there are no shared limits that could have granted anything, so a share is one of the whole, not of a quarter. */
  readonly alone?: boolean
}

const SWEEP_EVERY_US = 60_000_000
/** A reminder is on its way for so long; what is told meanwhile does not know of it yet. */
const REMINDING_US = 500_000

type Bucket = {
  /** The share's own state; undefined: not in use, the shared limits count. */
  share: BucketState | undefined
  limits: readonly Limit[]
  /** When the bucket will be whole again as far as this replica knows, taking it that all are asked as much as it is. */
  wholeUs: number
  remindedUs: number
  quota: QuotaKnown
}

/** Of one window: granted here alone, how many of those the shared limits do not know, and what they last said is left. */
type QuotaKnown = { readonly windowUs: number; used: number; uncounted: number; remaining: number }

const NO_WINDOW: QuotaKnown = { windowUs: 0, used: 0, uncounted: 0, remaining: Number.POSITIVE_INFINITY }
const NOTHING: readonly Uncounted[] = []

export function localShare({ nowUs, place, alone = false }: LocalShareParts): LocalShare {
  const buckets = new Map<string, Bucket>()
  let sweptUs = nowUs()
  let lastUs = sweptUs

  const now = (): number => {
    const at = nowUs()
    // moments that were remembered mean nothing after the clock was set back
    if (at < lastUs - 1_000_000) buckets.clear()
    lastUs = at
    if (Math.abs(at - sweptUs) > SWEEP_EVERY_US) sweep(at)
    return at
  }

  const sweep = (at: number): void => {
    sweptUs = at
    for (const [name, bucket] of buckets) if (isOver(bucket, at)) buckets.delete(name)
  }

  const bucketOf = (name: string, limits: readonly Limit[]): Bucket => {
    const known = buckets.get(name)
    if (known !== undefined) return known
    const made: Bucket = { share: undefined, limits, wholeUs: 0, remindedUs: 0, quota: NO_WINDOW }
    buckets.set(name, made)
    return made
  }

  return {
    size: () => buckets.size,
    spend: (name, limits) => {
      const at = now()
      const bucket = bucketOf(name, limits)
      bucket.limits = limits
      return spendShare(bucket, { limits, now: at, place: placeFor(name, place()), alone })
    },
    told: (name, spent) => {
      if (!buckets.has(name) && !isWorthKnowing(spent)) return NOTHING
      const limits = spent.left.map(({ limit }) => limit)
      // first: it may forget buckets, this one too
      const at = now()
      return learn(bucketOf(name, limits), { limits, spent, now: at })
    },
  }
}

type Asked = {
  readonly limits: readonly Limit[]
  readonly now: number
  readonly place: Place
  readonly alone: boolean
}

function spendShare(bucket: Bucket, asked: Asked): Spent {
  const { limits, now, place } = asked
  bucket.quota = inWindow(bucket.quota, limits, now)
  bucket.share ??= opening(bucket, asked)
  const shares = limits.map((limit) =>
    limit.kind === 'rate' ? shareOfRate(limit, place) : { ...limit, requests: mayUse(bucket.quota, limit, asked) },
  )
  const { state, spent } = spend({ ...bucket.share, used: bucket.quota.used }, shares, now)
  bucket.share = state
  if (spent.ok) count(bucket, shares, now)
  return { ...spent, left: spent.left.map((one, i) => ({ ...one, limit: limits[i] ?? one.limit })) }
}

/** From what was last told, and from a quarter at most: another replica may have granted the rest meanwhile. */
function opening({ wholeUs, quota }: Bucket, { limits, now, place, alone }: Asked): BucketState {
  const state = { ...FRESH_BUCKET, windowStartUs: quota.windowUs }
  const rate = limits.find(isRate)
  if (rate === undefined) return state
  const known = rate.burst - (Math.max(0, wholeUs - now) * rate.requests) / rate.perUs
  const { requests, perUs } = shareOfRate(rate, place)
  const available = alone ? known : Math.min(known, unknownRequests(rate))
  return { ...state, requests, perUs, tatUs: now + startUs(rate, place, available) }
}

/** Both bounds hold: a share of what was left when last told, and a share of a quarter in the whole window. */
function mayUse({ used, uncounted, remaining }: QuotaKnown, quota: Quota, { place, alone }: Asked): number {
  if (alone) return shareOfQuota(quota.requests, place)
  const unknown = unknownRequests(quota)
  const sinceTold = used - uncounted + shareOfQuota(Math.min(remaining, unknown), place)
  return Math.min(sinceTold, shareOfQuota(unknown, place))
}

function count(bucket: Bucket, shares: readonly Limit[], now: number): void {
  for (const share of shares) {
    if (share.kind === 'rate') bucket.wholeUs = Math.max(bucket.wholeUs, now) + share.perUs / share.requests
    else bucket.quota = { ...bucket.quota, used: bucket.quota.used + 1, uncounted: bucket.quota.uncounted + 1 }
  }
}

/** A quota begins anew with its window, whatever was granted in the one before. */
function inWindow(known: QuotaKnown, limits: readonly Limit[], now: number): QuotaKnown {
  const quota = limits.find(isQuota)
  if (quota === undefined) return known
  const windowUs = quotaWindow(quota.period, now).startUs
  return known.windowUs === windowUs ? known : { ...NO_WINDOW, windowUs }
}

/** The shared limits count again: what they say is remembered, and what they do not know is given back. */
function learn(bucket: Bucket, { limits, spent, now }: { limits: readonly Limit[]; spent: Spent; now: number }) {
  const uncounted: Uncounted[] = []
  const granted = bucket.share !== undefined
  const before = bucket.limits.find(isRate)
  bucket.share = undefined
  bucket.limits = limits
  bucket.quota = inWindow(bucket.quota, limits, now)
  for (const left of spent.left) {
    const { limit } = left
    if (limit.kind === 'quota') {
      if (bucket.quota.uncounted > 0) uncounted.push({ limit, requests: bucket.quota.uncounted })
      bucket.quota = { ...bucket.quota, remaining: left.remaining - bucket.quota.uncounted, uncounted: 0 }
      continue
    }
    const wholeUs = now + aheadUs(left, limit, spent)
    // leases, and clocks that differ, make small differences; a large one means that what was counted is gone
    const slackUs = granted ? limit.perUs / limit.requests : worthKnowingUs(limit)
    const isBehind = sameRate(before, limit) && bucket.wholeUs - wholeUs > slackUs
    if (!isBehind) bucket.wholeUs = wholeUs
    else if (now - bucket.remindedUs > REMINDING_US) {
      bucket.remindedUs = now
      const behindUs = Math.min(bucket.wholeUs, now + fullUs(limit)) - wholeUs
      uncounted.push({ limit, requests: Math.max(0, Math.round((behindUs * limit.requests) / limit.perUs)) })
    }
  }
  return uncounted
}

function isWorthKnowing(spent: Spent): boolean {
  for (const left of spent.left) {
    const { limit } = left
    if (limit.kind === 'quota') {
      if (left.remaining < unknownRequests(limit)) return true
    } else if (aheadUs(left, limit, spent) > worthKnowingUs(limit)) return true
  }
  return false
}

/** How far a bucket is from whole. A refusal tells when the next request passes instead. */
function aheadUs({ remaining, resetUs }: Left, rate: RateLimit, { ok }: Spent): number {
  return ok || remaining > 0 ? resetUs : resetUs + fullUs(rate) - rate.perUs / rate.requests
}

const fullUs = ({ burst, perUs, requests }: RateLimit): number => (burst * perUs) / requests

const isRate = (limit: Limit): limit is RateLimit => limit.kind === 'rate'
const isQuota = (limit: Limit): limit is Quota => limit.kind === 'quota'

const sameRate = (one: RateLimit | undefined, other: RateLimit): boolean =>
  one?.requests === other.requests && one.perUs === other.perUs && one.burst === other.burst

/** Nothing is lost with it: the rate is whole, and the quota's window is over or nobody used anything of it here. */
function isOver({ wholeUs, share, quota, limits }: Bucket, now: number): boolean {
  if (wholeUs > now || (share !== undefined && share.tatUs > now)) return false
  const period = limits.find(isQuota)?.period
  return period === undefined || quota.used === 0 || quotaWindow(period, now).startUs !== quota.windowUs
}
