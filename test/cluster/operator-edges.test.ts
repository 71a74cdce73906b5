/** What happens at the edges: claims past their time, objects that can't be read, kinds that the server does not know. */
import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { get } from '../../src/kube/calls.ts'
import { openKeyCaches } from '../../src/kube/key-caches.ts'
import { makeClusterKeyPort } from '../../src/kube/key-port.ts'
import { API_KEYS } from '../../src/kube/objects.ts'
import { reconcile } from '../../src/operator/reconcile.ts'
import { askedBy, auditMark, OPERATOR, writesIn } from '../support/audit.ts'
import { claim } from '../support/claimant.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { applyKey, conditionOf, editKey, eventsOf, getKey, keptOf, untilReady } from '../support/cluster-keys.ts'
import { trustedPeople } from '../support/fake-people.ts'
import { startOperator } from '../support/operator.ts'
import { type RealApi, realApi } from '../support/real-api.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let real: RealApi
beforeAll(async () => {
  cluster = await startCluster({ denials: [/^keyward-operator get (apikeys|nokeys) default\/nobody$/] })
  real = await realApi(cluster, true)
})
afterAll(() => real.close())

const MINUTE_MS = 60_000

/** The operator's port in this process, with its rights and with a clock that the test sets ahead. */
async function portAhead(aheadMs = 0) {
  const { operator: client, reflect } = await real.fresh('keyward-system')
  const stop = new AbortController()
  const clock = { aheadMs }
  const nowMs = () => Date.now() + clock.aheadMs
  const namespace = 'keyward-system'
  const parts = { onTrouble: () => {}, wake: () => {}, steadyMs: () => performance.now(), jitter: () => 0.5 }
  const caches = openKeyCaches({ client, namespace, reflect, ...parts })
  const running = caches.run(stop.signal)
  await caches.whenSynced()
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  const port = makeClusterKeyPort({
    ...{ client, namespace, caches, people: trustedPeople, events: { note: () => {} }, nowMs },
    uuid: randomUUID,
  })
  const random = (count: number) => randomBytes(count)
  return {
    clock,
    client,
    look: (name: string) => reconcile({ port, nowMs, random }, { namespace: 'default', name }),
    /** How many went. */
    sweep: async () => {
      await caches.relist()
      return await port.sweepClaims()
    },
  }
}

describe('a claim that is past its time', () => {
  test('is removed ten minutes after it was made, or answered, and never before it is answered', async () => {
    const first = await portAhead()
    const isThere = async (name: string) =>
      (await cluster.request('GET', `/apis/keyward.dev/v1alpha1/namespaces/default/apikeyclaims/${name}`)).status ===
      200
    await applyKey(cluster, 'timely')
    await applyKey(cluster, 'late')
    const delivered = await claim(cluster, { apiKey: 'timely' })
    await first.look('timely')
    expect(await delivered.outcome()).toBe('Delivered')
    first.clock.aheadMs = 9.8 * MINUTE_MS
    expect(await first.sweep()).toBe(0)
    first.clock.aheadMs = 10.2 * MINUTE_MS
    expect(await first.sweep()).toBe(1)
    expect(await isThere(delivered.name)).toBe(false)

    // the operator was away: this one waited for an hour and is answered only now
    const waiting = await claim(cluster, { apiKey: 'late', name: 'late-one' })
    const { clock, look, sweep } = await portAhead(60 * MINUTE_MS)
    expect([await sweep(), await isThere(waiting.name)]).toEqual([0, true])
    await look('late')
    expect(await waiting.outcome()).toBe('Delivered')
    clock.aheadMs = 69.8 * MINUTE_MS
    expect([await sweep(), await isThere(waiting.name)]).toEqual([0, true])
    const denied = await claim(cluster, { apiKey: 'late' })
    await look('late')
    expect(await denied.outcome()).toBe('AlreadyClaimed')
    clock.aheadMs = 70.2 * MINUTE_MS
    expect(await sweep()).toBe(1)
    expect([await isThere(waiting.name), await isThere(denied.name)]).toEqual([false, true])
    clock.aheadMs = 80.2 * MINUTE_MS
    expect(await sweep()).toBe(1)
    const [kept] = await keptOf(cluster, 'late')
    expect(kept?.current?.version, 'the key goes on').toBe(1)
  })
})

test('a kind that the server does not know is not an object that is gone', async () => {
  const { client } = await portAhead()
  const ref = { namespace: 'default', name: 'nobody' }
  expect(await get(client, API_KEYS, ref)).toBeUndefined()
  for (const unknown of [{ plural: 'nokeys' }, { group: 'elsewhere.dev' }, { version: 'v9' }]) {
    const asked = get(client, { ...API_KEYS, ...unknown }, ref)
    // to the operator what it has no right to is unknown as well
    await expect(asked).rejects.toThrow(/kube_not_found|kube_forbidden/)
  }
  const asAdmin = await cluster.request('GET', '/apis/keyward.dev/v1alpha1/namespaces/default/nokeys/nobody')
  expect(asAdmin, 'a bare 404, without a reason').toEqual({ status: 404, body: '404 page not found\n' })
})

type Definition = {
  readonly spec: { readonly versions: readonly { readonly schema: unknown }[]; readonly selectableFields?: unknown }
}

/** As somebody leaves it who wants to get something through. */
async function loosen(name: string): Promise<void> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`
  const { spec } = (await cluster.request('GET', path)).body as Definition
  const anything = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const versions = spec.versions.map((version) => ({ ...version, schema: anything, selectableFields: null }))
  const answer = await cluster.request('PATCH', path, { spec: { versions } }, 'application/merge-patch+json')
  expect(answer.status).toBe(200)
}

describe('an ApiKey that can not be read', () => {
  const BAD = { permissions: ['no permission at all!'], overlap: 'kw_prod_not-to-be-told' }

  test('says so in its status and by an event, keeps what is stored of it, and keeps nobody else from anything', async () => {
    const operator = await startOperator(cluster)
    await operator.leads()
    await applyKey(cluster, 'spoilt')
    const mine = await claim(cluster, { apiKey: 'spoilt' })
    expect(await mine.outcome()).toBe('Delivered')
    await untilReady(cluster, 'spoilt', 'Active')
    const before = await keptOf(cluster, 'spoilt')
    await loosen('apikeys.keyward.dev')
    // whoever makes something is stamped as ever, and nobody looks at what they make
    await cluster.kubectl(['delete', 'validatingwebhookconfiguration', 'keyward'])
    await until('the definition takes anything', async () => {
      const path = '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys/spoilt?dryRun=All'
      const { status } = await cluster.request('PATCH', path, { spec: BAD }, 'application/merge-patch+json')
      return status === 200
    })
    await editKey(cluster, 'spoilt', BAD)
    await applyKey(cluster, 'born-bad', BAD)
    for (const name of ['spoilt', 'born-bad']) {
      const told = await untilReady(cluster, name, 'SpecUnreadable')
      expect([told.status?.phase, conditionOf(told, 'Ready')?.status]).toEqual(['Failed', 'False'])
      expect(conditionOf(told, 'Ready')?.message).toContain("can't read spec.overlap, spec.permissions[0]:")
    }
    const told = (await getKey(cluster, 'spoilt'))?.status
    expect([told?.keyId, conditionOf(await getKey(cluster, 'spoilt'), 'Claimed')?.status]).toEqual([
      before[0]?.keyId,
      'True',
    ])
    await until('it is told', async () => {
      const events = (await eventsOf(cluster)).filter(({ reason }) => reason === 'SpecUnreadable')
      return events.length === 2 && events.every(({ note }) => !note.includes('not-to-be-told'))
    })
    expect(operator.output()).toContain('api_key_unreadable')
    expect(operator.output()).not.toContain('not-to-be-told')
    expect(await keptOf(cluster, 'spoilt')).toEqual(before)
    expect(await keptOf(cluster, 'born-bad')).toEqual([])

    await applyKey(cluster, 'other')
    const others = await claim(cluster, { apiKey: 'other' })
    expect(await others.outcome()).toBe('Delivered')
    await untilReady(cluster, 'other', 'Active')

    await operator.stop()
    const mark = auditMark(cluster)
    const again = await startOperator(cluster)
    await again.leads()
    await until('all were looked at', async () => (await again.metric('keyward_operator_queue_depth')) === 0)
    const writes = writesIn(askedBy(cluster, OPERATOR, mark)).filter(({ resource }) => resource !== 'events')
    expect(writes, 'what was said is not said again').toEqual([])

    await editKey(cluster, 'spoilt', { permissions: ['workspace:read'], overlap: '1h' })
    await untilReady(cluster, 'spoilt', 'Active')
    expect((await keptOf(cluster, 'spoilt')).map(({ current }) => current)).toEqual(before.map((one) => one.current))
    await editKey(cluster, 'born-bad', { permissions: ['workspace:read'], overlap: '1h' })
    await untilReady(cluster, 'born-bad', 'AwaitingClaim')
    expect(await again.stop()).toBe(0)
  })
})
