/** An API server that is away, has gone back in time, or has too much to do: nothing is lost, doubled or hammered at. */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import { askedBy, auditMark, OPERATOR, writesIn } from '../support/audit.ts'
import { claim } from '../support/claimant.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type ClusterAuthz, startClusterAuthz } from '../support/cluster-authz.ts'
import {
  applyKey,
  deleteKey,
  editKey,
  getKey,
  keptKeys,
  keptOf,
  untilReady,
  workloadSecret,
} from '../support/cluster-keys.ts'
import { startKubeFaultProxy } from '../support/kube-fault-proxy.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { temporaryFolder } from '../support/process.ts'
import { THINGS } from '../support/things.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let operator: Operator
let authz: ClusterAuthz

const AWAY_MS = 30_000
const BACK_WITHIN_MS = 20_000
const MAY_READ = { permissions: ['thing:read'] }

beforeAll(async () => {
  cluster = await startCluster()
  await cluster.request('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  await cluster.apply(THINGS)
  ;[operator, authz] = await Promise.all([startOperator(cluster), startClusterAuthz(cluster)])
  await operator.leads()
})

const digestIn = (text: string): string => {
  const parsed = parseCredential(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}

async function claimed(apiKey: string, version = 1): Promise<string> {
  await untilObserved(apiKey)
  const { key } = await (await claim(cluster, { apiKey, version })).open(BACK_WITHIN_MS)
  await untilReady(cluster, apiKey, 'Active')
  return key
}

const untilObserved = (name: string): Promise<unknown> =>
  until(
    `${name} is looked at`,
    async () => {
      const key = await getKey(cluster, name)
      return key !== undefined && key.status?.observedGeneration === key.metadata.generation
    },
    BACK_WITHIN_MS,
  )

const inSecret = async (name: string, version: number): Promise<string> => {
  await until(`version ${version} of ${name} is there`, async () => {
    const [kept] = await keptOf(cluster, name)
    return kept?.current?.version === version && kept.current.claimedAt !== undefined
  })
  return (await workloadSecret(cluster, name))?.key ?? ''
}

/** The versions whose digests are good, with these. */
const goodOf = async (name: string): Promise<readonly (readonly [number, string])[]> =>
  (await keptOf(cluster, name)).flatMap(({ current, previous }) =>
    [current, previous].flatMap((one) => (one === undefined ? [] : [[one.version, one.digest] as const])),
  )

test('away for half a minute: nothing is made or removed, and operator and authz go on by themselves', async () => {
  await applyKey(cluster, 'steady', MAY_READ)
  const key = await claimed('steady')
  await applyKey(cluster, 'waiting', MAY_READ)
  await applyKey(cluster, 'stored', { ...MAY_READ, delivery: { secretName: 'stored' } })
  const inStored = await inSecret('stored', 1)
  await Promise.all(['waiting', 'stored'].map(untilObserved))
  await authz.comesTo({ key }, '200')
  const before = await keptKeys(cluster)
  const mark = auditMark(cluster)
  await cluster.apiServer.kill()
  await sleep(AWAY_MS)
  expect(await authz.outcome({ key })).toBe('200')
  expect(await operator.metric('keyward_operator_leading')).toBe(0)
  expect(await operator.metric('keyward_operator_staleness_seconds')).toBeGreaterThan(20)

  await cluster.apiServer.start()
  const backAt = performance.now()
  await operator.leads(BACK_WITHIN_MS)
  await until('all were looked at', async () => (await operator.metric('keyward_operator_queue_depth')) === 0)
  expect(await keptKeys(cluster)).toEqual(before)
  expect(digestIn((await workloadSecret(cluster, 'stored'))?.key ?? '')).toBe(digestIn(inStored))
  const writes = writesIn(askedBy(cluster, OPERATOR, mark)).filter(({ uri }) => !uri.includes('dryRun'))
  // the look at the Secret of a workload is a patch that changes nothing
  expect(writes.filter(({ verb, namespace }) => verb !== 'patch' || namespace !== 'default')).toEqual([])
  const next = await claimed('waiting')
  await authz.comesTo({ key: next }, '200', BACK_WITHIN_MS)
  const backMs = Math.round(performance.now() - backAt)
  process.stdout.write(`operator and authz: a claim is delivered and works ${backMs} ms after the API server is back\n`)
})

test('etcd as it was before: that state is in force, no digest of it is removed, and no version is good twice', async () => {
  for (const name of ['renewed', 'deleted', 'revoked']) await applyKey(cluster, name, MAY_READ)
  const [renewed, deleted, revoked] = [await claimed('renewed'), await claimed('deleted'), await claimed('revoked')]
  await applyKey(cluster, 'open', MAY_READ)
  await applyKey(cluster, 'job', { ...MAY_READ, delivery: { secretName: 'job' } })
  const job = await inSecret('job', 1)
  await Promise.all(['open', 'job'].map(untilObserved))
  const then = await keptKeys(cluster)
  const folder = join(temporaryFolder(), 'etcd')
  await cluster.snapshot(folder)

  // all of this is about to be undone
  await editKey(cluster, 'renewed', { regenerate: 1 })
  const lostSecond = await claimed('renewed', 2)
  await deleteKey(cluster, 'deleted')
  await until('it is gone', async () => (await keptOf(cluster, 'deleted')).length === 0)
  await editKey(cluster, 'revoked', { state: 'Revoked' })
  const lostFirst = await claimed('open')
  await editKey(cluster, 'job', { regenerate: 1 })
  const lostJob = await inSecret('job', 2)
  await applyKey(cluster, 'newcomer', MAY_READ)
  const lostNewcomer = await claimed('newcomer')
  await authz.comesTo({ key: lostNewcomer }, '200')
  await authz.comesTo({ key: deleted }, '401 invalid_key')
  await authz.comesTo({ key: renewed }, '401 invalid_key')

  const mark = auditMark(cluster)
  await cluster.restore(folder)
  await operator.leads(BACK_WITHIN_MS)
  for (const key of [renewed, deleted, revoked, job]) await authz.comesTo({ key }, '200', BACK_WITHIN_MS)
  for (const key of [lostSecond, lostFirst, lostJob, lostNewcomer])
    await authz.comesTo({ key }, '401 invalid_key', BACK_WITHIN_MS)
  await sleep(3000)
  const secrets = (await keptKeys(cluster)).map(({ name, secret }) => ({ name, secret }))
  expect(secrets).toEqual(then.map(({ name, secret }) => ({ name, secret })))
  const removed = askedBy(cluster, OPERATOR, mark).filter(
    ({ verb, resource, code }) => verb === 'delete' && resource === 'secrets' && code === 200,
  )
  expect(removed).toEqual([])
  expect(digestIn((await workloadSecret(cluster, 'job'))?.key ?? '')).toBe(digestIn(job))

  // what was made since then is made anew, and what was handed out of it before stays worthless
  const first = await claimed('open')
  expect(await goodOf('open')).toEqual([[1, digestIn(first)]])
  await editKey(cluster, 'renewed', { regenerate: 1 })
  const second = await claimed('renewed', 2)
  expect(await goodOf('renewed')).toEqual([[2, digestIn(second)]])
  await editKey(cluster, 'job', { regenerate: 1 })
  const anew = await inSecret('job', 2)
  expect(await goodOf('job')).toEqual([[2, digestIn(anew)]])
  for (const key of [first, second, anew]) await authz.comesTo({ key }, '200', BACK_WITHIN_MS)
  for (const key of [renewed, lostFirst, lostSecond, job, lostJob])
    await authz.comesTo({ key }, '401 invalid_key', BACK_WITHIN_MS)
})

test('etcd as it was before, with so much written since that no number tells: who leads on through it notices', async () => {
  await operator.stop()
  // whoever comes to lead lists all anew anyway
  const leading = await startOperator(cluster, { leaseMs: 60_000 })
  await leading.leads()
  await applyKey(cluster, 'fooled', MAY_READ)
  const first = await claimed('fooled')
  const folder = join(temporaryFolder(), 'etcd')
  await cluster.snapshot(folder)
  await editKey(cluster, 'fooled', { regenerate: 1 })
  await claimed('fooled', 2)
  leading.process.signal('SIGSTOP')
  await cluster.restore(folder)
  const path = '/api/v1/namespaces/default/configmaps'
  const { body } = await cluster.request('POST', path, { metadata: { name: 'filler' } })
  // far beyond where the operator had come to
  for (let i = 0; i < 200; i++)
    await cluster.request('PATCH', `${path}/filler`, { data: { i: `${i}` } }, 'application/merge-patch+json')
  expect((body as { metadata: { name: string } }).metadata.name).toBe('filler')
  leading.process.signal('SIGCONT')
  await until('it leads on', async () => (await leading.metric('keyward_operator_leading')) === 1)
  expect(await goodOf('fooled')).toEqual([[1, digestIn(first)]])
  await editKey(cluster, 'fooled', { regenerate: 1 })
  const second = await claimed('fooled', 2)
  expect(await goodOf('fooled')).toEqual([[2, digestIn(second)]])
  expect(leading.output().split('"leading"').length, 'it led all the time').toBe(2)
  expect(await leading.stop()).toBe(0)
})

const TOO_MANY = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason: 'TooManyRequests',
  code: 429,
})
const KEYS = 40
const THROTTLED_MS = 6000

test('that has too much to do is left alone as it asks for, and then all is done', async () => {
  const proxy = await startKubeFaultProxy({ port: cluster.port, caFile: cluster.caFile })
  const account = await cluster.serviceAccount('keyward-operator')
  const serviceAccount = temporaryFolder()
  for (const file of ['token', 'namespace']) copyFileSync(join(account, file), join(serviceAccount, file))
  copyFileSync(proxy.caFile, join(serviceAccount, 'ca.crt'))
  const throttled = await startOperator(cluster, {
    env: { KUBERNETES_SERVICE_PORT: String(proxy.port) },
    serviceAccount,
  })
  await throttled.leads()
  const names = Array.from({ length: KEYS }, (_, i) => `crowd-${i}`)
  let refused = 0
  /** As the API server's own fairness does it: Leases pass, and watches that are open go on. */
  const refuse = (which: (asked: { readonly method: string }) => boolean) =>
    proxy.fault(({ method, path }) => {
      if (path.includes('/leases/') || path.includes('watch=true') || !which({ method })) return undefined
      refused += 1
      const headers = { 'content-type': 'application/json', 'retry-after': '1' }
      return { kind: 'answer', status: 429, body: TOO_MANY, headers }
    })
  const change = (spec: object) => Promise.all(names.map((name) => applyKey(cluster, name, { ...MAY_READ, ...spec })))

  for (const [what, which, spec] of [
    ['every request', () => true, {}],
    ['every write', ({ method }: { readonly method: string }) => method !== 'GET', { displayName: 'Crowd' }],
  ] as const) {
    refused = 0
    refuse(which)
    await change(spec)
    await sleep(THROTTLED_MS)
    const asked = refused
    proxy.fault(() => undefined)
    const freeAt = performance.now()
    await Promise.all(names.map((name) => untilReady(cluster, name, 'AwaitingClaim', BACK_WITHIN_MS)))
    const doneMs = Math.round(performance.now() - freeAt)
    process.stdout.write(
      `operator, ${KEYS} keys, 429 to ${what} for ${THROTTLED_MS / 1000} s: asked ${asked} times, done ${doneMs} ms after\n`,
    )
    expect(await throttled.metric('keyward_operator_leading')).toBe(1)
    // asked to wait for a second: at most once each second for each key, a status and an event of each
    expect(asked).toBeLessThan((THROTTLED_MS / 1000 + 1) * KEYS * 2)
    expect(doneMs).toBeLessThan(10_000)
  }
  expect(await throttled.stop()).toBe(0)
})
