/** Shared limits that are in this process and do what they are told: answer, stall, fail. */
import type { Limit, Spent } from '../../src/core/limit.ts'
import { Trouble } from '../../src/core/trouble.ts'
import { localLimiter } from '../../src/enforce/local-limiter.ts'
import type { SharedLimits } from '../../src/enforce/shared-limiter.ts'

export type FakeSharedLimits = SharedLimits & {
  /** at once: as a lease does; answer: soon; stall: never, until it answers again; fail: with a Trouble. */
  readonly be: (state: 'at once' | 'answer' | 'stall' | 'fail') => void
  /** What was sent, in order: the names of buckets, `ping`, `remind`. */
  readonly sent: () => readonly string[]
}

export function fakeSharedLimits(nowUs: () => number, replicas: number): FakeSharedLimits {
  const limiter = localLimiter(nowUs)
  const sent: string[] = []
  let state: 'at once' | 'answer' | 'stall' | 'fail' = 'answer'
  let stalled: (() => void)[] = []

  const soon = <T>(answer: () => T): Promise<T> => {
    if (state === 'fail') return Promise.reject(new Trouble('redis_readonly', 'retry'))
    if (state !== 'stall') return Promise.resolve(answer())
    return new Promise((resolve) => stalled.push(() => resolve(answer())))
  }
  const spend = (bucket: string, limits: readonly Limit[]): Spent | Promise<Spent> => {
    sent.push(bucket)
    return state === 'at once' ? limiter.spend(bucket, limits) : soon(() => limiter.spend(bucket, limits))
  }
  return {
    spend,
    ping: () => {
      sent.push('ping')
      return soon(() => undefined)
    },
    remind: (bucket, uncounted) => {
      sent.push('remind')
      return soon(() => {
        for (const { limit, requests } of uncounted) {
          for (let i = 0; i < requests; i++) limiter.spend(bucket, [limit])
        }
      })
    },
    replicas: () => replicas,
    be: (to) => {
      state = to
      if (to === 'stall') return
      for (const answer of stalled) answer()
      stalled = []
    },
    sent: () => sent,
  }
}
