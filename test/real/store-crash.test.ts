/** The crashes of test/operator/crash.test.ts on real files, and every pair of them. */
import { describe, expect, test } from 'vitest'
import { SCENARIOS } from '../operator/crash-scenarios.ts'
import { fakeHome } from '../support/fake-key-port.ts'
import { killedEverywhere, killedTwiceEverywhere } from '../support/killed-everywhere.ts'
import { storeHome } from '../support/store-home.ts'

const named = SCENARIOS.map((scenario) => [scenario.name, scenario] as const)

describe('the store of standalone', () => {
  test.each(named)('a crash anywhere in %s loses nothing and doubles nothing', async (_name, scenario) => {
    expect(await killedEverywhere(scenario, storeHome)).toBeGreaterThanOrEqual(4)
  })
})

describe('two crashes', () => {
  test.each(named)('in %s', async (_name, scenario) => {
    expect(await killedTwiceEverywhere(scenario, fakeHome)).toBeGreaterThanOrEqual(16)
  })
})
