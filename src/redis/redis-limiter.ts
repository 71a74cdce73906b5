/** The limits that all replicas share, in Redis: exact for low limits, in leases for high ones. */
import type { Limit, Spent } from '../core/limit.ts'
import type { SharedLimits } from '../enforce/shared-limiter.ts'
import { type AskParts, askRedis } from './ask.ts'
import { leaseSize, leasing } from './leases.ts'
import { spentOf } from './wire.ts'

export type RedisLimitParts = AskParts & {
  /** Microseconds; only differences count. It may step back, which ends leases. */
  readonly nowUs: () => number
  readonly replicas: () => number | undefined
  /** How many requests a lease of these limits holds; below 2: none, each request is asked for. */
  readonly leaseSize?: (limits: readonly Limit[]) => number
}

export type RedisLimits = Required<SharedLimits> & {
  /** How many buckets tokens are held of. */
  readonly leases: () => number
  /** Gives leases back; at most half a second, whatever happens. The connection stays its maker's to close. */
  readonly stop: () => Promise<void>
}

/** A bucket of its own, so that a ping shows that Redis would count: that it is there, writes, and lets us. */
const PROBE = 'ping'
const PROBE_LIMITS: readonly Limit[] = [{ kind: 'rate', requests: 1_000_000, perUs: 1_000_000, burst: 1_000_000 }]
const NOTHING_SPENT: Spent = { ok: true, left: [] }

export function redisLimits(parts: RedisLimitParts): RedisLimits {
  const ask = askRedis(parts)
  const leases = leasing({ ask, nowUs: parts.nowUs, sizeOf: parts.leaseSize ?? leaseSize })
  return {
    spend: (bucket, limits) => {
      if (limits.length === 0) return NOTHING_SPENT
      return leases.spend(bucket, limits) ?? ask({ bucket, limits, wanted: 1 }).then(spentOf)
    },
    ping: async () => {
      spentOf(await ask({ bucket: PROBE, limits: PROBE_LIMITS, wanted: 1 }))
    },
    replicas: parts.replicas,
    // limit by limit, since each may have missed another number; as many as there are left are taken
    remind: async (bucket, uncounted) => {
      const asked = uncounted.map(({ limit, requests }) => ask({ bucket, limits: [limit], wanted: requests }))
      await Promise.all(asked)
    },
    leases: leases.size,
    stop: leases.stop,
  }
}
