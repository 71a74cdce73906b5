/** Scenarios that ask whether the time of an answer tells anything; too many requests, and too easily disturbed, for CI. */
import { expect } from 'vitest'
import { checksum } from '../../src/core/credential.ts'
import { openRaw } from '../support/raw-client.ts'
import type { Scenario } from './scenarios-keys.ts'
import type { World } from './world.ts'

const ROUNDS = 10_000
/** The bound of dudect: beyond it two series differ for certain. */
const CERTAIN = 4.5
/** What the scheduler adds to the slowest is no sign of anything. */
const KEPT = 0.9

type Pair = readonly [string, string]

/** Milliseconds of both requests, again and again in turns on one connection; which of them goes first alternates. */
async function times({ port }: World, pair: Pair): Promise<readonly [number[], number[]]> {
  const connection = await openRaw(port)
  const took: readonly [number[], number[]] = [[], []]
  const once = async (which: 0 | 1) => {
    const start = performance.now()
    connection.send(`GET /api/x HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${pair[which]}\r\n\r\n`)
    const { status } = await connection.response()
    took[which].push(performance.now() - start)
    expect(status).toBe(401)
  }
  for (let i = 0; i < ROUNDS; i++) {
    await once(i % 2 === 0 ? 0 : 1)
    await once(i % 2 === 0 ? 1 : 0)
  }
  connection.destroy()
  return took
}

/** Welch's t of two series, the slowest of both left out by one bound. */
export function welch(a: readonly number[], b: readonly number[]): number {
  const bound = [...a, ...b].sort((x, y) => x - y)[Math.floor((a.length + b.length) * KEPT)] ?? 0
  const [left, right] = [a, b].map((series) => moments(series.filter((value) => value <= bound)))
  if (left === undefined || right === undefined) return 0
  return (left.mean - right.mean) / Math.sqrt(left.variance / left.count + right.variance / right.count)
}

function moments(series: readonly number[]) {
  const count = series.length
  const mean = series.reduce((sum, value) => sum + value, 0) / count
  const variance = series.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1)
  return { count, mean, variance }
}

/** The same key with another letter at a place of its secret, and a checksum that is right for it. */
function altered(key: string, place: number): string {
  const body = key.slice(0, -6)
  const at = body.lastIndexOf('_') + 1 + place
  const text = body.slice(0, at) + (body[at] === 'A' ? 'B' : 'A') + body.slice(at + 1)
  return text + checksum(text)
}

async function tellsNothing(world: World, pair: Pair): Promise<void> {
  const t = welch(...(await times(world, pair)))
  expect(Math.abs(t), `t = ${t}`).toBeLessThan(CERTAIN)
}

export const TIMING_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'MISC-timing-id': (world) => {
    const key = world.credentials.KEY_OK ?? ''
    const unknown = `kw_prod_AAAAAAAAAAAA${key.slice(key.lastIndexOf('_'), -6)}`
    return tellsNothing(world, [unknown + checksum(unknown), altered(key, 20)])
  },
  'MISC-timing-secret': (world) => {
    const key = world.credentials.KEY_OK ?? ''
    return tellsNothing(world, [altered(key, 0), altered(key, 40)])
  },
}
