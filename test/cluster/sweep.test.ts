/** Keys through every flow, and then a search for their plaintext in all that is left; and who asked for what meanwhile. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type Credential, parseCredential } from '../../src/core/credential.ts'
import { ask } from '../support/ask.ts'
import { type Asked, askedBy, auditWithout, OPERATOR } from '../support/audit.ts'
import { claim } from '../support/claimant.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { applyKey, deleteKey, editKey, getKey, keptOf, untilReady, workloadSecret } from '../support/cluster-keys.ts'
import { leaksOf } from '../support/leaks.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let operator: Operator
/** Every credential that reached an owner, by what it is for. */
const delivered = new Map<string, Credential>()

const remember = (what: string, key: string): void => {
  const parsed = parseCredential(key)
  if (!parsed.ok) throw new Error(parsed.problem)
  delivered.set(what, parsed.value)
}

async function byClaim(what: string, apiKey: string, version = 1): Promise<void> {
  const mine = await claim(cluster, { apiKey, version })
  remember(what, (await mine.open()).key)
  await mine.acknowledge()
  await untilReady(cluster, apiKey, 'Active')
}

async function bySecret(what: string, name: string, version: number): Promise<void> {
  const current = await until(`version ${version} of ${name}`, async () => {
    const [kept] = await keptOf(cluster, name)
    return kept?.current?.version === version && kept.current.claimedAt !== undefined
  }).then(() => workloadSecret(cluster, name))
  remember(what, current?.key ?? '')
}

beforeAll(async () => {
  cluster = await startCluster()
  operator = await startOperator(cluster, { args: ['--log-level', 'debug'] })
  await operator.leads()

  await applyKey(cluster, 'swept', { overlap: '1h' })
  await byClaim('a claim', 'swept')
  await editKey(cluster, 'swept', { regenerate: 1 })
  await until('another is due', async () => (await getKey(cluster, 'swept'))?.status?.observedGeneration === 2)
  await byClaim('a claim after a regeneration', 'swept', 2)
  const late = await claim(cluster, { apiKey: 'swept' })
  await late.outcome()
  await editKey(cluster, 'swept', { state: 'Revoked' })
  await untilReady(cluster, 'swept', 'Revoked')

  await applyKey(cluster, 'deleted')
  await byClaim('a key that is deleted', 'deleted')
  await deleteKey(cluster, 'deleted')
  await until('it is gone', async () => (await keptOf(cluster, 'deleted')).length === 0)

  await applyKey(cluster, 'workload', { delivery: { secretName: 'workload' } })
  await bySecret('a Secret', 'workload', 1)
  await editKey(cluster, 'workload', { regenerate: 1 })
  await bySecret('a Secret after a regeneration', 'workload', 2)
  await cluster.request('DELETE', '/api/v1/namespaces/default/secrets/workload')
  await editKey(cluster, 'workload', { regenerate: 2 })
  await bySecret('a Secret that was deleted between', 'workload', 3)

  await cluster.request('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'theirs' } })
  await applyKey(cluster, 'refused', { delivery: { secretName: 'theirs' } })
  await until('it is told', async () =>
    (await getKey(cluster, 'refused'))?.status?.conditions?.some(({ reason }) => reason === 'SecretNotOurs'),
  )
})

describe('of no plaintext there is anything', () => {
  const placesOf = async (): Promise<Readonly<Record<string, Buffer>>> => ({
    'the log of the operator': Buffer.from(operator.output()),
    'its metrics': Buffer.from((await ask(`${operator.adminUrl}/metrics`)).text),
    "the API server's audit log": Buffer.from(auditWithout(cluster, 'workload')),
  })

  test('in log, metrics and audit log', async () => {
    expect([...delivered.keys()].length).toBe(6)
    const places = await placesOf()
    const found = Object.entries(places).flatMap(([place, bytes]) =>
      [...delivered].flatMap(([what, credential]) => leaksOf(credential, bytes).map((how) => [place, what, how])),
    )
    expect(found).toEqual([])
    expect(operator.output().length).toBeGreaterThan(0)
  })

  test('in etcd, but for the Secret that its workload reads', async () => {
    // what was there before is still there until etcd is compacted, and is not looked for: only what is stored now
    const found = async () => {
      const dump = await cluster.etcdDump()
      return [...delivered].flatMap(([what, credential]) => leaksOf(credential, dump).map(() => what))
    }
    expect([...new Set(await found())]).toEqual(['a Secret that was deleted between'])
    await cluster.request('DELETE', '/api/v1/namespaces/default/secrets/workload')
    expect(await found()).toEqual([])
  })
})

describe('the operator', () => {
  const asked = (): readonly Asked[] => askedBy(cluster, OPERATOR)

  test('asks for nothing that it may not have', () => {
    expect(asked().length).toBeGreaterThan(50)
    expect(asked().filter(({ code }) => code === 401 || code === 403)).toEqual([])
  })

  test('reads no Secret outside its own Kubernetes namespace', () => {
    const elsewhere = asked().filter(
      ({ resource, namespace }) => resource === 'secrets' && namespace !== 'keyward-system',
    )
    expect([...new Set(elsewhere.map(({ verb }) => verb))].sort()).toEqual(['create', 'patch'])
  })

  test('could not either', async () => {
    const serviceAccount = await cluster.serviceAccount('keyward-operator')
    const may = async (verb: string, resource: string, namespace: string) => {
      const { stdout } = await cluster.kubectl(['auth', 'can-i', verb, resource, '-n', namespace], { serviceAccount })
      return stdout.trim()
    }
    expect(await may('get', 'secrets', 'default')).toBe('no')
    expect(await may('list', 'secrets', 'kube-system')).toBe('no')
    expect(await may('update', 'secrets', 'default')).toBe('no')
    expect(await may('get', 'secrets', 'keyward-system')).toBe('yes')
    expect(await may('update', 'apikeys.keyward.dev', 'default')).toBe('no')
  })
})
