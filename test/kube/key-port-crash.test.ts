/** The cluster's port, stopped before and after every request that it makes: the promises of the hand-over hold. A fake API server. */
import { expect, test } from 'vitest'
import { SCENARIOS } from '../operator/crash-scenarios.ts'
import { fakeClusterHome } from '../support/fake-cluster-home.ts'
import { killedEverywhere } from '../support/killed-everywhere.ts'
import { killedAt } from '../support/stopped-client.ts'

/** The others are made of the same steps, and run in test/long. */
const HERE = [
  'a first hand-over',
  'a regeneration with overlap',
  'a rotation with overlap',
  'a rotation without overlap',
  'an import whose digest is replaced',
  'a revocation',
  'a deletion',
  'an import that was deleted and is tried again',
]

test.each(SCENARIOS.filter(({ name }) => HERE.includes(name)).map((scenario) => [scenario.name, scenario] as const))(
  'a crash at any request in %s loses nothing and doubles nothing',
  async (_name, scenario) => {
    const points = await killedEverywhere(
      scenario,
      () => fakeClusterHome(),
      async (home, point) => (await home.leader((client) => killedAt(client, point))).port,
    )
    expect(points).toBeGreaterThanOrEqual(4)
  },
)
