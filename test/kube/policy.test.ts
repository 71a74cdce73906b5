import { expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects.ts'
import { accessNamespaceOf, hostsOf, protectedApiOf, sameSaid, treeOf } from '../../src/kube/policy.ts'
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
  expect(hostsOf([young, same, old], setAside).find('api.test')?.api.name).toBe('z/old')
  expect(told.map(({ name }) => name)).toEqual(['z/z-same', 'a/young'])
  expect(setAside.size()).toBe(2)
  hostsOf([old], setAside)
  expect(setAside.size()).toBe(0)
})

test('a ProtectedApi that can not be read is set aside, and the others are in force', () => {
  const { told, setAside } = noted()
  const hosts = hostsOf(
    [api('team/bad', 'bad.test', undefined, [{ path: '/x' }]), api('team/good', 'good.test')],
    setAside,
  )
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
  const tree = treeOf(all, setAside)
  expect(tree.byExternalId('organization', 'x')?.name).toBe('older')
  expect(told.map(({ name }) => name).sort()).toEqual(['lost', 'odd', 'younger'])
})

test('an event about nothing but the status changes nothing', () => {
  const [, before] = api('team/main', 'api.test')
  expect(sameSaid(before, api('team/main', 'api.test')[1])).toBe(true)
  expect(sameSaid(before, api('team/main', 'other.test')[1])).toBe(false)
  expect(sameSaid(before, undefined)).toBe(false)
})
