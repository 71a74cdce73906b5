/** The bypass corpus against a real API server, with admission, operator and authz as they run there. */
import { beforeAll, describe, expect, test } from 'vitest'
import { CASES } from '../corpus/cases.ts'
import { CLUSTER_CASES } from '../corpus/cluster-cases.ts'
import { type ClusterWorld, KEYS, manifestIn, TEAM, WORLD } from '../corpus/cluster-world.ts'
import { startCluster } from '../support/cluster.ts'
import { startClusterAuthz } from '../support/cluster-authz.ts'
import { type Operator, startOperator } from '../support/operator.ts'

let world: ClusterWorld

beforeAll(async () => {
  const cluster = await startCluster()
  await cluster.apply(WORLD)
  const operators: Operator[] = []
  const start = async () => {
    const operator = await startOperator(cluster)
    operators.push(operator)
    return operator
  }
  const [authz, first] = await Promise.all([startClusterAuthz(cluster), start()])
  await first.leads()
  world = { cluster, authz, operator: () => operators.at(-1) ?? first, startOperator: start }
})

// their words are older than the resources; what they are about is run below in the words of today
test('as they are written, no manifest of the corpus is taken', async () => {
  const manifests = CASES.filter(({ input }) => typeof input === 'string' && input.includes("<<'E'"))
  expect(manifests.length).toBeGreaterThan(15)
  for (const { id, input } of manifests) {
    const { status } = await world.cluster.request('POST', `${KEYS}?fieldValidation=Strict`, manifestIn(String(input)))
    expect([id, status]).toEqual([id, expect.toSatisfy((one: number) => one === 400 || one === 422)])
  }
  const { stdout } = await world.cluster.kubectl(['get', 'apikeys', '-n', TEAM, '-o', 'name'])
  expect(stdout).toBe('')
})

describe('the cases', () => {
  test.each(Object.entries(CLUSTER_CASES))('%s', (_id, one) => one(world))
})
