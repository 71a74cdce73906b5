/** Several replicas with the limiter, started together and asked at the same moment. */
import { join } from 'node:path'
import type { Limit } from '../../src/core/limit.ts'
import { startProcess } from './process.ts'
import type { RedisServer } from './redis.ts'
import { until } from './until.ts'

export type PacedRun = {
  readonly bucket: string
  readonly limits: readonly Limit[]
  /** By each replica, evenly over that time. */
  readonly requests: number
  readonly overMs: number
}

export type PacedResult = {
  readonly accepted: number
  readonly failed: number
  /** Answered without a round trip. */
  readonly atOnce: number
  readonly firstMs: number
  readonly lastMs: number
}

let rounds = 0

/** What all replicas together were granted, for each run. */
export async function fanOut(
  redis: RedisServer,
  replicas: number,
  runs: readonly PacedRun[],
): Promise<readonly PacedResult[]> {
  const goKey = `go-${rounds++}`
  const script = join(import.meta.dirname, 'limits-child.ts')
  const children = Array.from({ length: replicas }, () =>
    startProcess(process.execPath, [script, redis.url, goKey, JSON.stringify(runs)]),
  )
  await until(
    'every replica is ready',
    async () => (await redis.cli('GET', `${goKey}:ready`)) === String(replicas),
    30_000,
  )
  await redis.cli('SET', goKey, String(Date.now() + 150))
  await Promise.all(children.map(({ exited }) => exited))
  const results = children.map((child) => resultsOf(child.output()))
  return runs.map((_, i) => total(results.map((one) => one[i])))
}

function resultsOf(output: string): readonly PacedResult[] {
  const line = output.split('\n').find((one) => one.startsWith('RESULT '))
  if (line === undefined) throw new Error(`a replica ended without a result:\n${output}`)
  return JSON.parse(line.slice('RESULT '.length))
}

function total(of: readonly (PacedResult | undefined)[]): PacedResult {
  const all = of.filter((one) => one !== undefined)
  const sum = (read: (one: PacedResult) => number) => all.reduce((so, one) => so + read(one), 0)
  return {
    accepted: sum(({ accepted }) => accepted),
    failed: sum(({ failed }) => failed),
    atOnce: sum(({ atOnce }) => atOnce),
    firstMs: Math.min(...all.map(({ firstMs }) => firstMs)),
    lastMs: Math.max(...all.map(({ lastMs }) => lastMs)),
  }
}

/** What one bucket grants to who asks all the time: the burst, and what comes back meanwhile. */
export function gcraIdeal(limit: Limit, { firstMs, lastMs }: PacedResult): number {
  if (limit.kind === 'quota') return limit.requests
  return limit.burst + ((lastMs - firstMs) * 1000 * limit.requests) / limit.perUs
}
