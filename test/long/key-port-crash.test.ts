/** Every life of a key on a fake API server, stopped before and after every request and every call of the port. */
import { expect, test } from 'vitest'
import { SCENARIOS } from '../operator/crash-scenarios.ts'
import { type FakeClusterHome, fakeClusterHome } from '../support/fake-cluster-home.ts'
import { killedEverywhere } from '../support/killed-everywhere.ts'
import { killedAt } from '../support/stopped-client.ts'

const EACH = SCENARIOS.map((scenario) => [scenario.name, scenario] as const)
const fresh = (): Promise<FakeClusterHome> => fakeClusterHome()

test.each(EACH)('a crash at any request in %s loses nothing and doubles nothing', async (_name, scenario) => {
  const points = await killedEverywhere(
    scenario,
    fresh,
    async (home, point) => (await home.leader((client) => killedAt(client, point))).port,
  )
  expect(points).toBeGreaterThanOrEqual(4)
})

test.each(EACH)('a crash between any two calls in %s loses nothing and doubles nothing', async (_name, scenario) => {
  expect(await killedEverywhere(scenario, fresh)).toBeGreaterThanOrEqual(4)
})
