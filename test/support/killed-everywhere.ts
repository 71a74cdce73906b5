/** Kills a scenario at each of its calls in turn, starts again on what was durable, and asks the promises. */
import { expect } from 'vitest'
import type { Home } from '../contract/key-port.contract.ts'
import { aRun, conclusions, once, promises, type Run, type Scenario, settle } from '../operator/crash-scenarios.ts'
import { Crash, crashingAt, type Point } from './crash.ts'

const POINTS: readonly Point[] = Array.from({ length: 30 }, (_, call) => call).flatMap((call) => [
  { call, when: 'before' },
  { call, when: 'after' },
])

/** One crash; says at how many points. */
export async function killedEverywhere(scenario: Scenario, fresh: () => Home): Promise<number> {
  for (const [count, point] of POINTS.entries()) {
    const home = fresh()
    try {
      const run = await begun(scenario, home)
      const killed = await isKilledAt(run, point)
      await concluded(run, scenario)
      if (!killed) return count
    } finally {
      await home.close()
    }
  }
  throw new Error('more calls than points')
}

/** A crash, and another one while the first is made good. */
export async function killedTwiceEverywhere(scenario: Scenario, fresh: () => Home): Promise<number> {
  let count = 0
  for (const first of POINTS) {
    for (const second of POINTS) {
      const run = await begun(scenario, fresh())
      if (!(await isKilledAt(run, first))) return count
      const again = await isKilledAt(run, second)
      await concluded(run, scenario)
      if (!again) break
      count += 1
    }
  }
  throw new Error('more calls than points')
}

async function begun(scenario: Scenario, home: Home): Promise<Run> {
  const run = aRun(home)
  await scenario.before(run)
  scenario.change(run)
  promises(run)
  return run
}

/** Reconciles until it is killed at that point; false: it came to its end before. */
async function isKilledAt(run: Run, point: Point): Promise<boolean> {
  try {
    await once(run, crashingAt(run.home.port(), point).port)
    return false
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    await run.home.kill()
    promises(run)
    return true
  }
}

async function concluded(run: Run, scenario: Scenario): Promise<void> {
  await settle(run)
  await conclusions(run)
  scenario.after(run)
  const lines = run.home.lines().length
  await settle(run)
  expect(run.home.lines().length, 'what is settled stays so').toBe(lines)
}
