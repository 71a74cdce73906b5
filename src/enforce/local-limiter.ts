/** A Limiter in this process: exact for one process, forgotten when it ends. */
import { type BucketState, FRESH_BUCKET, type Limit, quotaWindow, type Spent, spend } from '../core/limit.ts'

/** How often buckets that are whole again are forgotten, so that keys long gone take no memory. */
export const SWEEP_EVERY_US = 60_000_000

export type LocalLimiter = {
  readonly spend: (bucket: string, limits: readonly Limit[]) => Spent
  readonly size: () => number
}

type Bucket = { state: BucketState; limits: readonly Limit[] }

/** @param nowUs microseconds since 1970; may step back, which costs nobody a request */
export function localLimiter(nowUs: () => number): LocalLimiter {
  const buckets = new Map<string, Bucket>()
  let sweptUs = nowUs()

  const sweep = (now: number): void => {
    sweptUs = now
    for (const [name, bucket] of buckets) if (isWhole(bucket, now)) buckets.delete(name)
  }

  return {
    size: () => buckets.size,
    spend: (name, limits) => {
      const now = nowUs()
      if (Math.abs(now - sweptUs) > SWEEP_EVERY_US) sweep(now)
      const bucket = buckets.get(name)
      const { state, spent } = spend(bucket?.state ?? FRESH_BUCKET, limits, now)
      if (bucket === undefined) buckets.set(name, { state, limits })
      else {
        bucket.state = state
        bucket.limits = limits
      }
      return spent
    },
  }
}

const isWhole = ({ state, limits }: Bucket, now: number): boolean =>
  state.tatUs < now &&
  limits.every((limit) => limit.kind === 'rate' || quotaWindow(limit.period, now).startUs > state.windowStartUs)
