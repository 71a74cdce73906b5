/** The fence of a hand-over on a real API server, with the operator's own rights: read by API and from etcd. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aRun, conclusions, once, REF, SCENARIOS, settle } from '../operator/crash-scenarios.ts'
import { anApiKey, WORKLOAD } from '../operator/make.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type ClusterHome, clusterHome } from '../support/cluster-home.ts'
import { killedEverywhere } from '../support/killed-everywhere.ts'
import { type RealApi, realApi } from '../support/real-api.ts'
import { killedAt } from '../support/stopped-client.ts'
import { contest, onlyTheStoredOneWasDelivered } from '../support/two-leaders.ts'

let cluster: Cluster
let api: RealApi

beforeAll(async () => {
  cluster = await startCluster()
  api = await realApi(cluster, true)
})
afterAll(() => api.close())

const fresh = async (): Promise<ClusterHome> => clusterHome(await api.fresh('keyward-system'), 'everything')

/** Each test leaves the digests of its key behind, as nobody deletes the key. */
async function cleared(home: ClusterHome): Promise<void> {
  await home.withdraw(REF)
  await settle(aRun(home))
  await home.close()
}

test.each([
  ['a claim', {}],
  ['the Secret of a workload', { delivery: WORKLOAD }],
] as const)(
  'of two leaders, one standing still before any of its writes, one hands %s its credential',
  async (_what, spec) => {
    for (let write = 0, stood = true; stood; write++) {
      const home = await fresh()
      const run = aRun(home)
      await home.declare(anApiKey(spec), 'uid-1')
      stood = await contest({ run, write, other: write % 2 === 0 ? 'comes new' : 'knew it before' })
      await onlyTheStoredOneWasDelivered(home)
      if (!stood) expect(write).toBeGreaterThan(3)
      await cleared(home)
    }
  },
)

test('of two leaders who both stand still before the same write one hands a claim its credential', async () => {
  for (const write of [0, 1, 2, 3]) {
    const home = await fresh()
    await home.declare(anApiKey(), 'uid-1')
    await contest({ run: aRun(home), write, secondWrite: write, other: 'comes new' })
    await onlyTheStoredOneWasDelivered(home)
    await cleared(home)
  }
})

test('nothing of what was sealed lies in etcd', async () => {
  const home = await fresh()
  await home.declare(anApiKey(), 'uid-1')
  const run = aRun(home)
  // random bytes that no other test has drawn
  run.drawn = 1000
  await once(run)
  const [line] = await home.lines()
  if (line === undefined) throw new Error('nothing was handed out')
  const stored = Buffer.concat([await cluster.etcdDump(), cluster.etcdFiles()]).toString('latin1')
  expect(stored.includes(line.id), 'what is searched holds the key').toBe(true)
  for (const text of [line.secret, line.key, btoa(line.key), line.secret.slice(0, 43)])
    expect(stored.includes(text)).toBe(false)
  await conclusions(run)
  await cleared(home)
})

const HERE = ['a first hand-over', 'a rotation with overlap', 'a deletion']

test.each(SCENARIOS.filter(({ name }) => HERE.includes(name)).map((scenario) => [scenario.name, scenario] as const))(
  'a crash at any request in %s loses nothing and doubles nothing',
  async (_name, scenario) => {
    const points = await killedEverywhere(
      scenario,
      async () => {
        const home = await fresh()
        return { ...home, close: () => cleared(home) }
      },
      async (home, point) => (await home.leader((client) => killedAt(client, point))).port,
    )
    expect(points).toBeGreaterThanOrEqual(4)
  },
)
