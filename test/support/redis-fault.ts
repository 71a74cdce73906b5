/** One fault of Redis under load, from a while before it to a while after it, and what every fault must leave true. */
import { expect } from 'vitest'
import type { RedisConfig } from '../../src/redis/config.ts'
import {
  type Answer,
  HOT,
  HOT_BUCKETS,
  type Load,
  MINUTE,
  percentile,
  type Replica,
  startLoad,
  startReplicas,
} from './limits-load.ts'
import { until } from './until.ts'

export type Fault = {
  readonly config: RedisConfig
  readonly replicas?: number
  readonly perSecond?: number
  readonly begin: () => Promise<unknown> | unknown
  /** The fault is there only when `begin` has ended: a command to Redis is a process that has to be started. */
  readonly byCommand?: boolean
  /** Resolves when the fault is over. */
  readonly end: () => Promise<unknown> | unknown
  readonly duringMs?: number
}

export type FaultSeen = {
  readonly replicas: readonly Replica[]
  readonly openedMs: number
  readonly recoveredMs: number
  readonly p99: { readonly before: number; readonly during: number }
  readonly longestMs: number
  readonly accepted: Readonly<Record<string, number>>
  readonly seconds: number
}

const BEFORE_MS = 1000
/** From here on nobody may feel the fault. */
const OPEN_WITHIN_MS = 100
const RECOVER_WITHIN_MS = 2000
const AFTER_MS = 500

const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** A fault that takes Redis out of reach: every replica falls back and comes back, and callers are none the wiser. */
export async function throughFault(fault: Fault): Promise<FaultSeen> {
  const { config, begin, end, duringMs = 1500 } = fault
  const replicas = await startReplicas(config, fault.replicas ?? 3)
  const load = startLoad(replicas, fault.perSecond ?? 2000)
  await pass(BEFORE_MS)
  const beganMs = performance.now()
  const thereMs = Promise.resolve(begin()).then(() => (fault.byCommand === true ? performance.now() : beganMs))
  await until('every replica has fallen back', () => replicas.every(({ mode }) => mode() === 'fallback'))
  const openedMs = Math.max(...replicas.map((one) => fellBackMs(one, beganMs))) - (await thereMs)
  await pass(Math.max(0, beganMs + duringMs - performance.now()))
  await end()
  const endedMs = performance.now()
  await until('every replica is back', () => replicas.every(({ mode }) => mode() === 'shared'))
  const recoveredMs = performance.now() - endedMs
  await pass(AFTER_MS)
  await load.stop()
  // a machine that is busy enough is a fault of its own, which may have begun just now
  await until('every replica is still back, or again', () => replicas.every(({ mode }) => mode() === 'shared'))
  const within = (fromMs: number, toMs: number) =>
    load.answers.filter(({ startMs }) => startMs >= fromMs && startMs < toMs).map(({ tookMs }) => tookMs)
  const openMs = (await thereMs) + Math.max(openedMs, OPEN_WITHIN_MS)
  const seen = {
    replicas,
    openedMs,
    recoveredMs,
    p99: { before: percentile(within(0, beganMs), 0.99), during: percentile(within(openMs, endedMs), 0.99) },
    longestMs: longestOf(load),
    ...acceptedOf(load),
  }
  tell(seen, load)
  mustHold(seen, load)
  return seen
}

/** A replica may have fallen back just before: on a machine that is busy enough Redis itself has pauses. */
const fellBackMs = ({ changes }: Replica, sinceMs: number): number =>
  changes.find(({ mode, atMs }) => mode === 'fallback' && atMs >= sinceMs)?.atMs ?? sinceMs

/** A fault that Redis answers through: a busy machine may make it late, but it is never in trouble. */
export async function underLoad(fault: Fault): Promise<Pick<FaultSeen, 'accepted' | 'seconds'>> {
  const replicas = await startReplicas(fault.config, fault.replicas ?? 3)
  const load = startLoad(replicas, fault.perSecond ?? 2000)
  await pass(BEFORE_MS)
  await fault.begin()
  await pass(fault.duringMs ?? 1000)
  await fault.end()
  await load.stop()
  expect(longestOf(load)).toBeLessThan(250 + load.stallMs())
  expect(load.answers.filter(outOfPlace)).toEqual([])
  // Redis is given up after a second without an answer, which a machine that stands still has not had either
  if (load.stallMs() < 250) {
    for (const { metrics } of replicas) expect(await metrics()).not.toMatch(/redis_errors_total\{kind="redis_/)
  }
  const seen = acceptedOf(load)
  withinBounds(seen)
  return seen
}

const longestOf = ({ answers }: Load): number => answers.reduce((longest, { tookMs }) => Math.max(longest, tookMs), 0)

export function acceptedOf({ answers }: Load) {
  const accepted: Record<string, number> = {}
  for (const { bucket, answer } of answers) if (answer === 'ok') accepted[bucket] = (accepted[bucket] ?? 0) + 1
  const [first, last] = [answers[0]?.startMs ?? 0, answers.at(-1)?.startMs ?? 0]
  return { accepted, seconds: (last - first) / 1000 }
}

/** The figures of docs/failure-modes.md, where somebody wants to see them: SHOW_FAULTS=1. */
function tell({ openedMs, recoveredMs, p99, longestMs, accepted, seconds, replicas }: FaultSeen, load: Load): void {
  if (process.env.SHOW_FAULTS === undefined) return
  const ms = { openedMs, recoveredMs, p99Before: p99.before, p99During: p99.during, longestMs, stallMs: load.stallMs() }
  const figures = Object.entries(ms).map(([name, value]) => `${name} ${value.toFixed(1)}`)
  const granted = [...HOT_BUCKETS, 'minute'].map((bucket) => accepted[bucket])
  const why = replicas.map(({ lines }) => lines[0]?.why)
  console.log(`${figures.join(', ')}; in ${seconds.toFixed(1)} s ${granted.join(' ')}; why ${why.join(' ')}`)
}

function mustHold(seen: FaultSeen, load: Load): void {
  const { openedMs, recoveredMs, p99, longestMs, replicas } = seen
  const stallMs = load.stallMs()
  expect(openedMs).toBeLessThan(OPEN_WITHIN_MS + stallMs)
  expect(p99.during).toBeLessThan(p99.before + 5)
  expect(longestMs).toBeLessThan(250 + stallMs)
  expect(recoveredMs).toBeLessThan(RECOVER_WITHIN_MS + stallMs)
  expect(load.answers.filter(outOfPlace)).toEqual([])
  expect(load.answers.some(({ answer }) => answer === 'unavailable')).toBe(true)
  withinBounds(seen)
  for (const replica of replicas) tellsOfEachChange(replica)
}

/** A line for each change of the mode, none for anything else; it begins with the limits shared and ends so. */
function tellsOfEachChange({ lines, changes }: Replica): void {
  const messages = {
    fallback: 'limits are out of reach: failureMode.limits of each API counts',
    shared: 'limits are shared again',
  }
  expect(lines.map(({ message }) => message)).toEqual(changes.map(({ mode }) => messages[mode]))
  expect(changes.map(({ mode }) => mode)).toEqual(changes.map((_, i) => (i % 2 === 0 ? 'fallback' : 'shared')))
  expect(changes.at(-1)?.mode).toBe('shared')
}

/** A 503 where nobody asked for it, or a refusal where nothing counts or where far less was asked for than there is. */
export const outOfPlace = ({ answer, failure, bucket }: Answer): boolean =>
  (answer === 'unavailable' && failure !== 'closed') || (answer === 'refused' && bucket.startsWith('wide'))

/** By the wording of the promise: 1.25 times the limit, and the burst. */
function withinBounds({ accepted, seconds }: Pick<FaultSeen, 'accepted' | 'seconds'>): void {
  for (const bucket of HOT_BUCKETS) {
    expect(accepted[bucket]).toBeLessThanOrEqual(1.25 * HOT.requests * seconds + HOT.burst)
    // and nobody starves: three times as much was asked for
    expect(accepted[bucket]).toBeGreaterThan(0.6 * HOT.requests * seconds)
  }
  expect(accepted.minute).toBeLessThanOrEqual(1.25 * MINUTE.requests + MINUTE.burst)
}
