import { expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects.ts'
import { accessNamespaceOf, protectedApiOf, type Said, sameSaid } from '../../src/kube/policy.ts'
import { hostsInForce, type PolicyInForce, treeInForce } from '../../src/kube/policy-in-force.ts'
import { makeSetAside } from '../../src/kube/set-aside.ts'

const ROUTES = [{ methods: ['GET'], path: '/things', permission: 'thing:read' }]

const anObject = (key: string, spec: unknown, created = '2026-11-22T12:00:00Z'): KubeObject => {
  const [first = '', second] = key.split('/')
  const named = second === undefined ? { name: first } : { namespace: first, name: second }
  return { metadata: { ...named, uid: key, resourceVersion: '1', creationTimestamp: created }, spec }
}
const api = (key: string, host: string, created?: string, routes: unknown = ROUTES) =>
  [
    key,
    protectedApiOf(anObject(key, { environments: [{ name: 'production', hosts: [host] }], routes }, created)),
  ] as const
const namespace = (name: string, spec: object, created?: string) =>
  [name, accessNamespaceOf(anObject(name, { type: 'organization', ...spec }, created))] as const

function noted() {
  const told: Record<string, unknown>[] = []
  const setAside = makeSetAside({ warn: (fields: object) => void told.push({ ...fields }), info: () => undefined })
  return { told, setAside }
}

test('a host belongs to the older of two ProtectedApis, and of equally old ones to the first by name', () => {
  const { told, setAside } = noted()
  const [young, old] = [api('a/young', 'api.test', '2026-11-22T12:00:01Z'), api('z/old', 'api.test')]
  const same = api('z/z-same', 'api.test')
  const policy = hostsInForce(setAside)
  expect(policy.compile([young, same, old]).find('api.test')?.api.name).toBe('z/old')
  expect(told.map(({ name }) => name)).toEqual(['z/z-same', 'a/young'])
  expect(setAside.size()).toBe(2)
  policy.compile([old])
  expect(setAside.size()).toBe(0)
})

test('a ProtectedApi that can not be read is set aside, and the others are in force', () => {
  const { told, setAside } = noted()
  const hosts = hostsInForce(setAside).compile([
    api('team/bad', 'bad.test', undefined, [{ path: '/x' }]),
    api('team/good', 'good.test'),
  ])
  expect([hosts.find('bad.test'), hosts.find('good.test')?.api.name]).toEqual([undefined, 'team/good'])
  expect(told).toEqual([{ kind: 'ProtectedApi', name: 'team/bad', problem: expect.stringContaining('spec.routes[0]') }])
})

test('an external id belongs to the older of two AccessNamespaces, and what does not fit is left out', () => {
  const { told, setAside } = noted()
  const all = [
    namespace('younger', { externalId: 'x' }, '2026-11-22T12:00:01Z'),
    namespace('older', { externalId: 'x' }),
    namespace('lost', { type: 'application', parent: 'nobody' }),
    namespace('odd', { type: 'galaxy' }),
  ]
  const tree = treeInForce(setAside).compile(all)
  expect(tree.byExternalId('organization', 'x')?.name).toBe('older')
  expect(told.map(({ name }) => name).sort()).toEqual(['lost', 'odd', 'younger'])
})

test('an event about nothing but the status changes nothing', () => {
  const [, before] = api('team/main', 'api.test')
  expect(sameSaid(before, api('team/main', 'api.test')[1])).toBe(true)
  expect(sameSaid(before, api('team/main', 'other.test')[1])).toBe(false)
  expect(sameSaid(before, undefined)).toBe(false)
})

/** Objects as they come and are edited, one after the other, and what is in force after each. */
function following<T, Compiled>(policy: PolicyInForce<T, Compiled>) {
  const all = new Map<string, Said<T>>()
  return {
    put: ([key, now]: readonly [string, Said<T>]): Compiled => {
      policy.changed(key, now, all.get(key))
      all.set(key, now)
      return policy.compile(all)
    },
    drop: (key: string): Compiled => {
      policy.changed(key, undefined, all.get(key))
      all.delete(key)
      return policy.compile(all)
    },
  }
}

const LATER = '2026-11-22T12:00:01Z'
const TIED = [ROUTES[0], ROUTES[0]]

test('a host is not taken by an edit of an older ProtectedApi, and goes to it once nobody else names it', () => {
  const { told, setAside } = noted()
  const { put, drop } = following(hostsInForce(setAside))
  const who = (hosts: ReturnType<typeof put>) => hosts.find('pay.test')?.api.name
  put(api('a/old', 'old.test'))
  put(api('b/young', 'pay.test', LATER))
  expect(who(put(api('a/old', 'pay.test')))).toBe('b/young')
  expect(told.at(-1)).toMatchObject({ name: 'a/old', problem: expect.stringContaining('b/young') })
  expect(who(drop('b/young'))).toBe('a/old')
  expect(who(put(api('b/young', 'pay.test', LATER)))).toBe('a/old')
  expect(who(put(api('a/old', 'old.test')))).toBe('b/young')
})

test('a host is lost with the object: one that is made again under the name comes after those who are there', () => {
  const { setAside } = noted()
  const { put, drop } = following(hostsInForce(setAside))
  put(api('a/api', 'pay.test'))
  put(api('b/other', 'pay.test', LATER))
  drop('a/api')
  const [key, again] = api('a/api', 'pay.test')
  expect(put([key, { ...again, uid: 'another' }]).find('pay.test')?.api.name).toBe('b/other')
})

test('a ProtectedApi goes on as it was where an edit can not be read, and nobody takes its host meanwhile', () => {
  const { told, setAside } = noted()
  const { put, drop } = following(hostsInForce(setAside))
  put(api('a/main', 'pay.test', LATER))
  put(api('b/thief', 'other.test'))
  const edited = put(api('a/main', 'new.test', LATER, TIED))
  expect([edited.find('pay.test')?.api.name, edited.find('new.test')]).toEqual(['a/main', undefined])
  expect(setAside.size()).toBe(1)
  expect(told.at(-1)?.problem).toMatch(/spec\.routes.*; until then it goes on as it was before$/)
  expect(put(api('b/thief', 'pay.test')).find('pay.test')?.api.name).toBe('a/main')
  const right = put(api('a/main', 'new.test', LATER))
  expect([right.find('new.test')?.api.name, right.find('pay.test')?.api.name]).toEqual(['a/main', 'b/thief'])
  expect(setAside.size()).toBe(0)
  put(api('a/main', 'new.test', LATER, TIED))
  expect(drop('a/main').find('new.test')).toBeUndefined()
})

test('the last readable form is of the same object, and is the last one though others came at the same moment', () => {
  const { setAside } = noted()
  const policy = hostsInForce(setAside)
  const [key, first] = api('a/main', 'first.test')
  const [, second] = api('a/main', 'second.test')
  const [, bad] = api('a/main', 'third.test', undefined, TIED)
  policy.changed(key, first, undefined)
  policy.changed(key, second, first)
  policy.changed(key, bad, second)
  expect(policy.compile([[key, bad]]).find('second.test')?.api.name).toBe('a/main')
  const remade = { ...bad, uid: 'another' }
  policy.changed(key, undefined, bad)
  policy.changed(key, remade, undefined)
  expect(policy.compile([[key, remade]]).find('second.test')).toBeUndefined()
})

test("at the start a ProtectedApi that can not be read is not in force, and the hosts that it names are nobody else's", () => {
  const { told, setAside } = noted()
  const hosts = hostsInForce(setAside).compile([
    api('a/bad', 'pay.test', undefined, TIED),
    api('b/young', 'pay.test', LATER),
  ])
  expect(hosts.find('pay.test')).toBeUndefined()
  expect(told.map(({ name }) => name)).toEqual(['a/bad', 'b/young'])
  const odd = protectedApiOf(anObject('c/odd', { environments: [{ hosts: [7, 'odd.test'] }, null] }))
  expect(odd.read).toMatchObject({ kind: 'unreadable', reserves: ['odd.test'] })
})

test('an external id is not taken by an edit, and an AccessNamespace that can not be read any more keeps its place', () => {
  const { setAside } = noted()
  const { put, drop } = following(treeInForce(setAside))
  const who = (tree: ReturnType<typeof put>) => tree.byExternalId('organization', 'x')?.name
  put(namespace('old', {}))
  put(namespace('young', { externalId: 'x' }, LATER))
  expect(who(put(namespace('old', { externalId: 'x' })))).toBe('young')
  expect(who(put(namespace('young', { externalId: 'x', surprise: 1 }, LATER)))).toBe('young')
  expect(who(drop('young'))).toBe('old')
})

test("at the start the external id of an AccessNamespace that can not be read is nobody else's", () => {
  const { setAside } = noted()
  const tree = treeInForce(setAside).compile([
    namespace('bad', { externalId: 'x', surprise: 1 }),
    namespace('young', { externalId: 'x' }, LATER),
  ])
  expect([tree.get('bad'), tree.get('young')]).toEqual([undefined, undefined])
})
