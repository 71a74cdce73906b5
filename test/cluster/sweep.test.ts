/** Keys through every flow, and then a search for their plaintext in all that is left; and who asked for what meanwhile. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type Credential,
  composeCredential,
  composeKeyId,
  digestOf,
  parseCredential,
  RANDOM_BYTES,
} from '../../src/core/credential.ts'
import { ask } from '../support/ask.ts'
import { type Asked, askedBy, auditWithout, OPERATOR } from '../support/audit.ts'
import { claim } from '../support/claimant.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type ClusterAuthz, startClusterAuthz } from '../support/cluster-authz.ts'
import {
  applyKey,
  deleteKey,
  editKey,
  eventsOf,
  getKey,
  keptOf,
  untilReady,
  workloadSecret,
} from '../support/cluster-keys.ts'
import { startKillProxy, type Write } from '../support/kill-proxy.ts'
import { leaksOf } from '../support/leaks.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { THINGS } from '../support/things.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let redis: RedisServer
let authz: ClusterAuthz
/** The last one is at work; the ones before were killed. */
const operators: Operator[] = []
/** Every credential that reached an owner, by what it is for. */
const delivered = new Map<string, Credential>()

const MAY_READ = { permissions: ['thing:read'], rateLimit: { requests: 600, per: '1m' } }
const AT_DEBUG = ['--log-level', 'debug']
const isDelivery = ({ body }: Write): boolean => /"jwe"|"key":/.test(body)

const remember = (what: string, key: string): string => {
  const parsed = parseCredential(key)
  if (!parsed.ok) throw new Error(parsed.problem)
  delivered.set(what, parsed.value)
  return key
}

/** Used as its owner does, and as nobody should. */
async function use(key: string, outcome = '200'): Promise<void> {
  await authz.comesTo({ key }, outcome, 10_000)
  expect(await authz.outcome({ key: `${key}x` })).toMatch(/^401/)
  expect(await authz.outcome({ path: `/things?api_key=${key}` })).toMatch(/^40/)
}

async function byClaim(what: string, apiKey: string, version = 1): Promise<string> {
  const mine = await claim(cluster, { apiKey, version })
  const key = remember(what, (await mine.open()).key)
  await mine.acknowledge()
  await untilReady(cluster, apiKey, 'Active')
  await use(key)
  return key
}

async function bySecret(what: string, name: string, version: number): Promise<void> {
  const current = await until(`version ${version} of ${name}`, async () => {
    const [kept] = await keptOf(cluster, name)
    return kept?.current?.version === version && kept.current.claimedAt !== undefined
  }).then(() => workloadSecret(cluster, name))
  await use(remember(what, current?.key ?? ''))
}

/** An operator that is killed as soon as what it delivers has arrived, and its successor. */
async function crashedWhileDelivering(change: () => Promise<unknown>): Promise<void> {
  const proxy = await startKillProxy(cluster)
  const { env, serviceAccount } = proxy
  await operators.at(-1)?.stop()
  const doomed = await startOperator(cluster, { env, serviceAccount, args: AT_DEBUG })
  operators.push(doomed)
  await doomed.leads()
  const killed = proxy.killAt({ matches: isDelivery, n: 0, phase: 'after' }, () => doomed.process.signal('SIGKILL'))
  await change()
  expect(await killed).toMatch(/apikeyclaims|default\/secrets/)
  await doomed.process.exited
  await startAnother()
}

async function startAnother(): Promise<void> {
  const operator = await startOperator(cluster, { args: AT_DEBUG })
  operators.push(operator)
  await operator.leads()
}

async function flowsOfClaims(): Promise<void> {
  await applyKey(cluster, 'swept', { ...MAY_READ, overlap: '1h' })
  const first = await byClaim('a claim', 'swept')
  await editKey(cluster, 'swept', { regenerate: 1 })
  await until('another is due', async () => (await getKey(cluster, 'swept'))?.status?.observedGeneration === 2)
  await byClaim('a claim after a regeneration', 'swept', 2)
  await use(first)
  const late = await claim(cluster, { apiKey: 'swept', version: 2 })
  const early = await claim(cluster, { apiKey: 'swept', version: 9 })
  expect([await late.outcome(), await early.outcome()]).toEqual(['AlreadyClaimed', 'NotClaimable'])
  await editKey(cluster, 'swept', { state: 'Revoked' })
  await untilReady(cluster, 'swept', 'Revoked')
  await use(first, '401 key_inactive')

  await applyKey(cluster, 'deleted', MAY_READ)
  const deleted = await byClaim('a key that is deleted', 'deleted')
  await deleteKey(cluster, 'deleted')
  await until('it is gone', async () => (await keptOf(cluster, 'deleted')).length === 0)
  await use(deleted, '401 invalid_key')

  const credential = composeCredential(composeKeyId('production', randomBytes(RANDOM_BYTES)), randomBytes(RANDOM_BYTES))
  const delivery = { keyId: credential.keyId as string, digest: `sha256:${digestOf(credential)}` }
  await applyKey(cluster, 'imported', { ...MAY_READ, delivery })
  await untilReady(cluster, 'imported', 'Active')
  await use(remember('an import', credential.text))
}

async function flowsOfSecrets(): Promise<void> {
  await applyKey(cluster, 'workload', { ...MAY_READ, delivery: { secretName: 'workload' } })
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
}

async function flowsOfCrashes(): Promise<void> {
  await applyKey(cluster, 'crashed', MAY_READ)
  await untilReady(cluster, 'crashed', 'AwaitingClaim')
  let mine: Awaited<ReturnType<typeof claim>> | undefined
  await crashedWhileDelivering(async () => {
    mine = await claim(cluster, { apiKey: 'crashed' })
  })
  const key = remember('a claim that outlived its operator', (await mine?.open())?.key ?? '')
  await untilReady(cluster, 'crashed', 'Active')
  await use(key)

  const delivery = { secretName: 'outlived' }
  await crashedWhileDelivering(() => applyKey(cluster, 'outlived', { ...MAY_READ, delivery }))
  await bySecret('a Secret that outlived its operator', 'outlived', 1)
}

/** Of these the plaintext is meant to be there, and nowhere else. */
const WORKLOADS = ['workload', 'outlived']
const IN_SECRETS = ['a Secret that was deleted between', 'a Secret that outlived its operator']
const EVER_IN_SECRETS = [...IN_SECRETS, 'a Secret', 'a Secret after a regeneration']

beforeAll(async () => {
  cluster = await startCluster()
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  redis = await startRedis({ persist: true })
  const asked = [startClusterAuthz(cluster, { args: [...AT_DEBUG, '--redis', redis.url] }), startAnother()] as const
  ;[authz] = await Promise.all(asked)
  await flowsOfClaims()
  await flowsOfSecrets()
  await flowsOfCrashes()
}, 180_000)

const textOf = async (url: string): Promise<Buffer> => Buffer.from((await ask(`${url}/metrics`)).text)

/** Every command that changed anything, as it was carried out. */
function redisFiles(): Buffer {
  const files = readdirSync(redis.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
}

/** Empty pages say nothing, and there are many of them. */
function withoutEmptyPages(bytes: Buffer): Buffer {
  const pages = Array.from({ length: Math.ceil(bytes.length / PAGE) }, (_, i) =>
    bytes.subarray(i * PAGE, (i + 1) * PAGE),
  )
  return Buffer.concat(pages.filter((page) => page.some((byte) => byte !== 0)))
}
const PAGE = 4096

/** Of which of the credentials there is anything in these bytes. */
const foundIn = (bytes: Buffer): readonly string[] =>
  [...delivered].flatMap(([what, credential]) => (leaksOf(credential, bytes).length > 0 ? [what] : [])).sort()

/** Whatever has the form of a whole credential, known here or not. */
const shapedIn = (bytes: Buffer): readonly string[] => [
  ...new Set(bytes.toString('latin1').match(/kw_(?:prod|stag|dev)_[0-9A-Za-z]{12}_[0-9A-Za-z]{16,}/g) ?? []),
]

describe('of no plaintext there is anything', () => {
  test('in logs at debug, metrics, Redis, events and the audit log', async () => {
    expect(delivered.size).toBe(9)
    const places: Readonly<Record<string, Buffer>> = {
      'the logs of the operators': Buffer.from(operators.map((one) => one.output()).join('\n')),
      'the metrics of the operator': await textOf(operators.at(-1)?.adminUrl ?? ''),
      'the log of authz': Buffer.from(authz.output()),
      'the metrics of authz': await textOf(authz.adminUrl),
      Redis: redisFiles(),
      events: Buffer.from(JSON.stringify(await eventsOf(cluster))),
      "the API server's audit log": Buffer.from(auditWithout(cluster, WORKLOADS)),
    }
    for (const [place, bytes] of Object.entries(places)) {
      expect([place, bytes.length > 100], 'there is something to be searched').toEqual([place, true])
      expect([place, foundIn(bytes), shapedIn(bytes)]).toEqual([place, [], []])
    }
    expect(places.Redis?.includes(delivered.get('a claim')?.keyId ?? ''), 'its key IDs are what Redis counts by').toBe(
      true,
    )
    expect(places['the log of authz']?.includes('"level":"debug"')).toBe(true)
  })

  test('in what etcd holds and ever held, but for the Secrets that workloads read', async () => {
    const ever = withoutEmptyPages(cluster.etcdFiles())
    expect(ever.includes(delivered.get('a key that is deleted')?.keyId ?? ''), 'what is deleted is in there').toBe(true)
    expect(foundIn(ever)).toEqual([...EVER_IN_SECRETS].sort())
    const inSecrets = EVER_IN_SECRETS.map((what) => delivered.get(what)?.text)
    expect([...shapedIn(ever)].sort(), 'nor of any that nobody received').toEqual(inSecrets.sort())
    expect(foundIn(await cluster.etcdDump())).toEqual([...IN_SECRETS].sort())
    for (const name of WORKLOADS) await cluster.request('DELETE', `/api/v1/namespaces/default/secrets/${name}`)
    expect(foundIn(await cluster.etcdDump())).toEqual([])
  })
})

describe('the operator', () => {
  const asked = (): readonly Asked[] => askedBy(cluster, OPERATOR)

  test('asks for nothing that it may not have', () => {
    expect(asked().length).toBeGreaterThan(50)
    expect(asked().filter(({ code }) => code === 401 || code === 403)).toEqual([])
  })

  test('reads no Secret outside its own two Kubernetes namespaces, and in one of them two by name', () => {
    const secrets = asked().filter(({ resource }) => resource === 'secrets')
    const verbsIn = (isThere: (namespace: string) => boolean) =>
      [...new Set(secrets.filter(({ namespace = '' }) => isThere(namespace)).map(({ verb }) => verb))].sort()
    expect(verbsIn((namespace) => !namespace.startsWith('keyward-'))).toEqual(['create', 'patch'])
    expect(verbsIn((namespace) => namespace === 'keyward-operator')).toEqual(['create', 'get'])
    const own = secrets.filter(({ namespace, verb }) => namespace === 'keyward-operator' && verb === 'get')
    expect([...new Set(own.map(({ name }) => name))].sort()).toEqual([
      'keyward-stamp-key',
      'keyward-webhook-certificates',
    ])
  })

  test('has no right to get, list, watch or replace one there, though it may patch those whose names it knows', async () => {
    const serviceAccount = await cluster.serviceAccount('keyward-operator')
    const may = async (verb: string, resource: string, namespace: string) => {
      const { stdout } = await cluster.kubectl(['auth', 'can-i', verb, resource, '-n', namespace], { serviceAccount })
      return stdout.trim()
    }
    expect(await may('get', 'secrets', 'default')).toBe('no')
    expect(await may('list', 'secrets', 'kube-system')).toBe('no')
    expect(await may('watch', 'secrets', 'default')).toBe('no')
    expect(await may('update', 'secrets', 'default')).toBe('no')
    expect(await may('delete', 'secrets', 'default')).toBe('no')
    expect(await may('patch', 'secrets', 'default')).toBe('yes')
    expect(await may('get', 'secrets', 'keyward-system')).toBe('yes')
    expect(await may('update', 'apikeys.keyward.dev', 'default')).toBe('no')
  })
})
