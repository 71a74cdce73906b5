/** Replicas with limits in a real Redis, and a steady load on them: what each spend took, what became of it, what was said. */
import { onTestFinished } from 'vitest'
import type { Limit, LimitFailure } from '../../src/core/limit.ts'
import type { Limiter, Spending } from '../../src/enforce/check.ts'
import { type LimitsMode, sharedLimiter } from '../../src/enforce/shared-limiter.ts'
import type { RedisConfig } from '../../src/redis/config.ts'
import { countReplicas } from '../../src/redis/replicas.ts'
import { limitsNotes } from '../../src/runtime/limits-notes.ts'
import { makeLog } from '../../src/runtime/log.ts'
import { makeMetrics } from '../../src/runtime/metrics.ts'
import { jitter, nowUs, uuid } from '../../src/runtime/system.ts'
import { clientOf, limitsOf, PREFIX } from './redis-limits.ts'
import { until } from './until.ts'

export type Replica = {
  readonly limiter: Limiter
  readonly mode: () => LimitsMode
  /** When the mode changed, by performance.now(). */
  readonly changes: readonly { readonly mode: LimitsMode; readonly atMs: number }[]
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  readonly metrics: () => Promise<string>
}

/** As a run wires them; all of them count each other when it resolves. */
export async function startReplicas(config: RedisConfig, count: number): Promise<readonly Replica[]> {
  const started = Array.from({ length: count }, () => startReplica(config, count))
  await until('all replicas are counted', () => started.every(({ counted }) => counted() === count))
  return started
}

function startReplica(config: RedisConfig, replicas: number): Replica & { readonly counted: () => number | undefined } {
  const { client } = clientOf(config)
  const heard = countReplicas({ client, prefix: PREFIX, id: uuid(), jitter, beatMs: 250 })
  const lines: Record<string, unknown>[] = []
  const changes: { mode: LimitsMode; atMs: number }[] = []
  const log = makeLog('info', { write: (line) => void lines.push(JSON.parse(line)) })
  const metrics = makeMetrics('test', {
    keys: () => 0,
    problems: () => 0,
    tunnels: () => 0,
    certificateExpiresAt: () => undefined,
    limitsMode: () => limiter.mode(),
  })
  const notes = limitsNotes({ metrics, log })
  const limiter = sharedLimiter({
    shared: limitsOf(client, { replicas: heard.count }),
    rank: heard.rank,
    replicas,
    nowUs,
    nowMs: () => performance.now(),
    after: (delayMs, act) => {
      const timer = setTimeout(act, delayMs)
      return () => clearTimeout(timer)
    },
    onceRead: setImmediate,
    jitter,
    ...notes,
    onMode: (change) => {
      changes.push({ mode: change.mode, atMs: performance.now() })
      notes.onMode(change)
    },
  })
  onTestFinished(async () => {
    limiter.stop()
    await heard.stop()
  })
  return { limiter, mode: limiter.mode, changes, lines, metrics: metrics.text, counted: heard.count }
}

export type Answer = {
  readonly startMs: number
  readonly tookMs: number
  readonly bucket: string
  readonly failure: LimitFailure
  readonly answer: 'ok' | 'refused' | 'unavailable'
}

export type Load = {
  readonly answers: readonly Answer[]
  /** The longest time by which this process itself was late: no wait can be measured better than that. */
  readonly stallMs: () => number
  /** Resolves when every spend has ended. */
  readonly stop: () => Promise<void>
  readonly pending: () => number
}

/** Twenty a second, and asked for more: what is granted of it is compared with what may be. */
export const HOT = { kind: 'rate', requests: 20, perUs: 1_000_000, burst: 20 } as const satisfies Limit
export const HOT_BUCKETS = ['hot-0', 'hot-1', 'hot-2']
/** A hundred a minute with a burst of as many, as most people write it. */
export const MINUTE = { kind: 'rate', requests: 100, perUs: 60_000_000, burst: 100 } as const satisfies Limit
const MINUTE_BUCKET = 'minute'
/** Enough for whoever asks. */
const WIDE: readonly Limit[] = [{ kind: 'rate', requests: 1500, perUs: 60_000_000, burst: 1500 }]
const WIDE_BUCKETS = 400
const HOT_LIMITS: readonly Limit[] = [HOT]
const MINUTE_LIMITS: readonly Limit[] = [MINUTE]

type Ask = { readonly bucket: string; readonly limits: readonly Limit[]; readonly failure: LimitFailure }

/** What the n-th spend asks for: most of it many buckets, 3 × 60 a second the hot ones, 30 a second the one by the minute. */
function nth(n: number): Ask {
  const slot = n % 100
  if (slot < 9) return { bucket: HOT_BUCKETS[slot % 3] ?? '', limits: HOT_LIMITS, failure: 'local' }
  if (slot < 11) return { bucket: MINUTE_BUCKET, limits: MINUTE_LIMITS, failure: 'local' }
  const bucket = `wide-${n % WIDE_BUCKETS}`
  const failure = slot < 16 ? 'closed' : slot < 21 ? 'open' : 'local'
  return { bucket: `${bucket}-${failure}`, limits: WIDE, failure }
}

const TICK_MS = 2

/** Spends that come whether or not those before have ended, spread over the replicas. */
export function startLoad(replicas: readonly Replica[], perSecond: number): Load {
  const answers: Answer[] = []
  const beganMs = performance.now()
  let [sent, pending, stallMs, lastMs] = [0, 0, 0, beganMs]
  const one = () => {
    const n = sent++
    const { bucket, limits, failure } = nth(n)
    const replica = replicas[(n + Math.floor(n / 100) + Math.floor(n / WIDE_BUCKETS)) % replicas.length]
    const startMs = performance.now()
    pending++
    const ended = (spending: Spending) => {
      pending--
      const answer = spending === undefined ? 'unavailable' : spending.ok ? 'ok' : 'refused'
      answers.push({ startMs, tookMs: performance.now() - startMs, bucket, failure, answer })
    }
    const spending = replica?.limiter.spend(bucket, limits, failure)
    if (spending instanceof Promise) void spending.then(ended)
    else ended(spending)
  }
  const timer = setInterval(() => {
    const now = performance.now()
    stallMs = Math.max(stallMs, now - lastMs - TICK_MS)
    lastMs = now
    const due = Math.floor(((now - beganMs) * perSecond) / 1000)
    // after a stall the rest of it is dropped: a flood of our own making is no load
    if (due - sent > perSecond / 10) sent = due - perSecond / 10
    while (sent < due) one()
  }, TICK_MS)
  onTestFinished(() => clearInterval(timer))
  return {
    answers,
    stallMs: () => stallMs,
    pending: () => pending,
    stop: async () => {
      clearInterval(timer)
      await until('every spend has ended', () => pending === 0)
    },
  }
}

export const percentile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0
