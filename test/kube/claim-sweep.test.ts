/** Claims past their time, and what is kept in memory of keys that are gone. A fake API server whose time is set by the test. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { ApiError } from '../../src/kube/api-error.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { openKeyCaches } from '../../src/kube/key-caches.ts'
import { makeClusterKeyPort } from '../../src/kube/key-port.ts'
import { API_KEYS, CLAIMS, type KubeObject, pathOf } from '../../src/kube/objects.ts'
import { makeTurns } from '../../src/kube/turns.ts'
import { aKeyId, aSecret, aVersion, NOON, NOT_ARRIVED } from '../operator/make.ts'
import { testJwk } from '../support/cluster-home.ts'
import { fakeApiServer } from '../support/fake-api-server.ts'
import { MAKER, trustedPeople } from '../support/fake-people.ts'

const MINUTE = 60_000
const REF = { namespace: 'team', name: 'main' }
const UNREADABLE = { spec: { permissions: 'all' } }
const READABLE = {
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['customer:read'] },
}

const refused = (status: number, reason: string): ApiError =>
  new ApiError({ status, reason, fields: [], causes: [], retryAfterMs: undefined })

async function aPort(spec: object = UNREADABLE, around = (client: KubeClient): KubeClient => client) {
  let now = NOON
  const server = fakeApiServer(() => now)
  const client = around(server.client)
  const nowMs = () => now
  const caches = openKeyCaches({
    ...{ client, namespace: 'keyward-system', reflect: server.reflect, steadyMs: () => 0, jitter: () => 0 },
    wake: () => {},
    onTrouble: () => {},
  })
  const port = makeClusterKeyPort({
    ...{ client, namespace: 'keyward-system', caches, nowMs, events: { note: () => {} }, people: trustedPeople },
    uuid: randomUUID,
  })
  const post = (resource: typeof CLAIMS, name: string, object: object) =>
    server.client.send({
      method: 'POST',
      path: pathOf(resource, { namespace: REF.namespace }),
      body: { metadata: { name, namespace: REF.namespace }, ...object },
    }) as Promise<KubeObject>
  const key = await post(API_KEYS, REF.name, spec)
  const publicJwk = await testJwk()
  const claim = (name: string) => post(CLAIMS, name, { spec: { apiKey: REF.name, publicJwk } })
  const claims = () =>
    server.all().flatMap(({ metadata, spec, status }) => {
      if ((spec as { publicJwk?: unknown } | undefined)?.publicJwk === undefined) return []
      const { conditions = [] } = (status ?? {}) as { conditions?: { reason: string }[] }
      return [[metadata.name, conditions[0]?.reason ?? 'waits']]
    })
  const pass = (minutes: number) => {
    now += minutes * MINUTE
  }
  return { server, port, key, claim, claims, pass }
}

const sweep = ({ port }: Awaited<ReturnType<typeof aPort>>): Promise<unknown> =>
  port.sweepClaims().then(
    () => 'swept',
    (error: { code?: string }) => error.code ?? String(error),
  )

test('a claim that nobody could answer is denied after ten minutes, and taken away ten minutes later', async () => {
  const home = await aPort()
  await home.claim('a')
  home.pass(9)
  expect([await sweep(home), home.claims()]).toEqual(['swept', [['a', 'waits']]])
  home.pass(1)
  expect([await sweep(home), home.claims()]).toEqual(['swept', [['a', 'NotClaimable']]])
  home.pass(9)
  expect([await sweep(home), home.claims()]).toEqual(['swept', [['a', 'NotClaimable']]])
  home.pass(1)
  expect([await sweep(home), home.claims()]).toEqual(['swept', []])
})

test('one that can not be taken away keeps no other from it, and is told of', async () => {
  const home = await aPort(UNREADABLE, (client) => ({
    ...client,
    send: async (request) => {
      if (request.method === 'DELETE' && request.path.endsWith('/b')) throw refused(403, 'Forbidden')
      return await client.send(request)
    },
  }))
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await home.claim(name)
  home.pass(10)
  await sweep(home)
  home.pass(10)
  expect([await sweep(home), home.claims()]).toEqual(['kube_forbidden', [['b', 'NotClaimable']]])
})

test('where nobody answers the rest waits for the next round', async () => {
  let asked = 0
  const home = await aPort(UNREADABLE, (client) => ({
    ...client,
    send: async (request) => {
      if (request.method === 'GET') return await client.send(request)
      asked += 1
      throw Object.assign(new Error(), { code: 'kube_unreachable' })
    },
  }))
  for (let i = 0; i < 20; i++) await home.claim(`c${i}`)
  home.pass(10)
  expect([await sweep(home), asked]).toEqual(['kube_unreachable', 4])
})

test('a claim to which a version is on its way stays, since only it can tell whether that arrived', async () => {
  const home = await aPort(READABLE)
  await home.claim('a')
  const { uid } = home.key.metadata
  await home.port.observe(REF)
  const recipient = { kind: 'claim', claim: 'a', claimant: MAKER } as const
  const attempt = await home.port.openAttempt({ ref: REF, uid, over: undefined, recipient, grant: undefined })
  const current = aVersion(1, '1', NOT_ARRIVED)
  await attempt.storeDigest(aSecret({ uid, name: 'team/main', keyId: aKeyId('m'), current }))
  home.pass(20)
  expect([await sweep(home), home.claims()]).toEqual(['swept', [['a', 'waits']]])
  await attempt.confirm(aSecret({ uid, name: 'team/main', current: aVersion(1, '1') }))
  expect([await sweep(home), home.claims()]).toEqual(['swept', [['a', 'NotClaimable']]])
})

test('of keys that are gone no turn is remembered', () => {
  const turns = makeTurns()
  expect([turns.next(REF, 'uid-1'), turns.next({ ...REF, name: 'other' }, 'uid-2'), turns.next(REF, 'uid-3')]).toEqual([
    1, 2, 3,
  ])
  expect([turns.of('uid-1'), turns.of('uid-2'), turns.of('uid-3')]).toEqual([0, 2, 3])
  turns.forget(REF)
  turns.forget({ ...REF, name: 'other' })
  expect([turns.of('uid-3'), turns.size()]).toEqual([0, 0])
})
