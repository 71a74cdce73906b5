/** High limits by leases: tokens taken from Redis in batches and handed out here at once, so that Redis is off the path. */
import type { Limit, Spent } from '../core/limit.ts'
import type { Ask } from './ask.ts'
import { atMost } from './at-most.ts'
import {
  addBatch,
  isUsable,
  isWorthReturning,
  keepRefusal,
  type Lease,
  newLease,
  refusalNow,
  takeBack,
  takeToken,
  wantsMore,
} from './lease.ts'
import { type Reply, spentOf } from './wire.ts'

/** A lease is at most this part of the smallest limit, and no more than this many. */
const LEASE_SHARE = 200
const LARGEST_LEASE = 1000
/** What would be smaller is asked for one by one: exact for whoever has few. */
const SMALLEST_LEASE = 10
/** No more buckets than this are leased at a time; the others are asked for one by one. */
const MOST_LEASES = 50_000

const SWEEP_MS = 1000
const MOST_RETURNS_PER_SWEEP = 1000
const STOP_MS = 500

/** How many requests a lease of these limits holds; 0: none. */
export function leaseSize(limits: readonly Limit[]): number {
  let least = LARGEST_LEASE * LEASE_SHARE
  for (const limit of limits) {
    least = Math.min(least, limit.kind === 'rate' ? Math.min(limit.requests, limit.burst) : limit.requests)
  }
  const size = Math.floor(least / LEASE_SHARE)
  return size < SMALLEST_LEASE ? 0 : size
}

export type LeaseParts = {
  readonly ask: Ask
  readonly nowUs: () => number
  readonly sizeOf: (limits: readonly Limit[]) => number
}

export type Leasing = {
  /** undefined: these limits are not leased. */
  readonly spend: (bucket: string, limits: readonly Limit[]) => Spent | Promise<Spent> | undefined
  readonly size: () => number
  readonly stop: () => Promise<void>
}

type Waiter = { readonly resolve: (spent: Spent) => void; readonly reject: (error: unknown) => void }

/** A bucket that is leased: its lease, who waits for Redis, and whether it is being asked. */
type Holding = { readonly bucket: string; readonly lease: Lease; waiting: Waiter[]; asking: boolean; dropped: boolean }

export function leasing({ ask, nowUs, sizeOf }: LeaseParts): Leasing {
  const held = new Map<string, Holding>()
  const underWay = new Set<Promise<unknown>>()
  let stopped = false

  const tracked = (promise: Promise<unknown>): void => {
    underWay.add(promise)
    promise.finally(() => underWay.delete(promise)).catch(() => {})
  }

  const allDone = async (): Promise<void> => {
    while (underWay.size > 0) await Promise.allSettled(underWay)
  }

  const giveBack = ({ bucket, lease }: Holding): void => {
    const back = takeBack(lease)
    if (back === undefined) return
    // where Redis is out of reach they are lost, which is the safe side
    tracked(ask({ bucket, limits: lease.limits, wanted: 0, back }).catch(() => {}))
  }

  const drop = (holding: Holding): void => {
    holding.dropped = true
    held.delete(holding.bucket)
    giveBack(holding)
  }

  const settle = (
    holding: Holding,
    waiters: readonly Waiter[],
    batch: { reply: Reply; wanted: number; sentUs: number },
  ) => {
    const { lease } = holding
    const { reply, wanted, sentUs } = batch
    if (reply.granted === 0) {
      const spent = spentOf(reply)
      if (!spent.ok) keepRefusal(lease, spent, sentUs)
      for (const { resolve } of waiters) resolve(spent)
      return
    }
    addBatch(lease, { ...reply, wanted, sentUs })
    const now = nowUs()
    const [served, unserved] = [waiters.slice(0, lease.tokens), waiters.slice(lease.tokens)]
    for (const { resolve } of served) resolve(takeToken(lease, now))
    // who came meanwhile is served as well, unless the window has ended on the way; for the others more is asked for
    const later = isUsable(lease, now) ? holding.waiting.splice(0, lease.tokens) : []
    for (const { resolve } of later) resolve(takeToken(lease, now))
    holding.waiting = [...unserved, ...holding.waiting]
  }

  const askFor = (holding: Holding): void => {
    const { bucket, lease } = holding
    const waiters = holding.waiting
    holding.waiting = []
    holding.asking = true
    const sentUs = nowUs()
    const back = isUsable(lease, sentUs) ? undefined : takeBack(lease)
    const room = stopped || holding.dropped ? 0 : Math.max(0, lease.size - lease.tokens)
    const wanted = waiters.length + room
    const asked = ask({ bucket, limits: lease.limits, wanted, back }).then((reply) => {
      holding.asking = false
      settle(holding, waiters, { reply, wanted, sentUs })
      if (holding.waiting.length > 0) askFor(holding)
      else if (holding.dropped || stopped) giveBack(holding)
    })
    tracked(
      asked.catch((error: unknown) => {
        holding.asking = false
        for (const { reject } of [...waiters, ...holding.waiting]) reject(error)
        holding.waiting = []
      }),
    )
  }

  const waitFor = (holding: Holding): Promise<Spent> =>
    new Promise((resolve, reject) => {
      holding.waiting.push({ resolve, reject })
      if (!holding.asking) askFor(holding)
    })

  const spendOf = (holding: Holding): Spent | Promise<Spent> => {
    const { lease } = holding
    const now = nowUs()
    if (!isUsable(lease, now)) return refusalNow(lease, now) ?? waitFor(holding)
    const spent = takeToken(lease, now)
    if (!holding.asking && wantsMore(lease, now)) askFor(holding)
    return spent
  }

  const found = (bucket: string, limits: readonly Limit[]): Holding | undefined => {
    const holding = held.get(bucket)
    if (holding === undefined || holding.lease.limits === limits) return holding
    if (sameLimits(holding.lease.limits, limits)) {
      holding.lease.limits = limits
      return holding
    }
    drop(holding)
    return undefined
  }

  const sweep = setInterval(() => {
    const now = nowUs()
    let returns = 0
    for (const holding of held.values()) {
      const { lease, asking } = holding
      if (asking || isUsable(lease, now) || now < lease.untilUs || refusalNow(lease, now) !== undefined) continue
      if (!isWorthReturning(lease, now)) held.delete(holding.bucket)
      else if (returns++ < MOST_RETURNS_PER_SWEEP) drop(holding)
    }
  }, SWEEP_MS)
  sweep.unref()

  return {
    spend: (bucket, limits) => {
      const known = found(bucket, limits)
      if (known !== undefined) return spendOf(known)
      const size = sizeOf(limits)
      if (size < 2 || stopped || held.size >= MOST_LEASES) return undefined
      const holding: Holding = { bucket, lease: newLease(limits, size), waiting: [], asking: false, dropped: false }
      held.set(bucket, holding)
      return spendOf(holding)
    },
    size: () => held.size,
    stop: async () => {
      stopped = true
      clearInterval(sweep)
      for (const holding of [...held.values()]) drop(holding)
      await atMost(STOP_MS, allDone())
    },
  }
}

function sameLimits(a: readonly Limit[], b: readonly Limit[]): boolean {
  return a.length === b.length && a.every((one, i) => sameLimit(one, b[i]))
}

function sameLimit(a: Limit, b: Limit | undefined): boolean {
  if (a.kind === 'rate') {
    return b?.kind === 'rate' && a.requests === b.requests && a.perUs === b.perUs && a.burst === b.burst
  }
  return b?.kind === 'quota' && a.requests === b.requests && a.period === b.period
}
