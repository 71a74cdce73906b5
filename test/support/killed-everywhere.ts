/** Kills a scenario at each of its calls in turn, starts again on what was durable, and asks the promises. */
import { expect } from 'vitest'
import type { KeyPort } from '../../src/operator/key-port.ts'
import type { Home } from '../contract/key-port.contract.ts'
import { aRun, conclusions, once, promises, type Run, type Scenario, settle } from '../operator/crash-scenarios.ts'
import { Crash, crashingAt, type Point } from './crash.ts'

const POINTS: readonly Point[] = Array.from({ length: 30 }, (_, call) => call).flatMap((call) => [
  { call, when: 'before' },
  { call, when: 'after' },
])

/** A port that is killed at that point. */
type Crashing<H> = (home: H, point: Point) => KeyPort | Promise<KeyPort>

const atCalls: Crashing<Home> = (home, point) => crashingAt(home.port(), point).port

/** One crash; says at how many points. */
export async function killedEverywhere<H extends Home>(
  scenario: Scenario,
  fresh: () => H | Promise<H>,
  crashing: Crashing<H> = atCalls,
): Promise<number> {
  for (const [count, point] of POINTS.entries()) {
    const home = await fresh()
    try {
      const run = await begun(scenario, home)
      const killed = await isKilledAt(run, point, crashing)
      await concluded(run, scenario)
      if (!killed) return count
    } finally {
      await home.close()
    }
  }
  throw new Error('more calls than points')
}

/** A crash, and another one while the first is made good. */
export async function killedTwiceEverywhere(scenario: Scenario, fresh: () => Home | Promise<Home>): Promise<number> {
  let count = 0
  for (const first of POINTS) {
    for (const second of POINTS) {
      const run = await begun(scenario, await fresh())
      if (!(await isKilledAt(run, first, atCalls))) return count
      const again = await isKilledAt(run, second, atCalls)
      await concluded(run, scenario)
      if (!again) break
      count += 1
    }
  }
  throw new Error('more calls than points')
}

async function begun<H extends Home>(scenario: Scenario, home: H): Promise<Run<H>> {
  const run = aRun(home)
  await scenario.before(run)
  await scenario.change(run)
  await promises(run)
  return run
}

/** Reconciles until it is killed at that point; false: it came to its end before. */
async function isKilledAt<H extends Home>(run: Run<H>, point: Point, crashing: Crashing<H>): Promise<boolean> {
  try {
    await once(run, await crashing(run.home, point))
    return false
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    await run.home.kill()
    await promises(run)
    return true
  }
}

async function concluded(run: Run, scenario: Scenario): Promise<void> {
  await settle(run)
  await conclusions(run)
  await scenario.after(run)
  const lines = (await run.home.lines()).length
  await settle(run)
  expect((await run.home.lines()).length, 'what is settled stays so').toBe(lines)
}
