/** Which places inside an access namespace are asked about, by what routes and the tree say. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects.ts'
import { policyReaders } from '../../src/kube/policy-caches.ts'
import { makeReachWithin } from '../../src/kube/reach-within.ts'
import { withinRoutes } from '../../src/resources/within-routes.ts'

const { namespaceOf, apiOf } = policyReaders()

const anObject = (name: string, spec: object, uid = name): KubeObject => ({
  metadata: { name, namespace: 'team', uid, resourceVersion: '1', creationTimestamp: '2026-11-22T12:00:00Z' },
  spec,
})

const PLACES = [
  ['acme', { type: 'organization' }],
  ['acme-web', { type: 'application', parent: 'acme' }],
  ['web-us', { type: 'workspace', parent: 'acme-web' }],
  ['web-eu', { type: 'workspace', parent: 'acme-web' }],
  ['staff', { type: 'userGroup', parent: 'acme' }],
  ['globex', { type: 'organization' }],
] as const

const route = (more: object = {}) => ({
  methods: ['PUT'],
  path: '/v1/workspaces/{id}',
  permission: 'workspace:write',
  resource: 'workspace',
  id: 'id',
  reach: { workspace: 'lineage', application: 'within', organization: 'within' },
  ...more,
})

const apiSpec = (...routes: readonly object[]) => ({
  environments: [{ name: 'production', hosts: ['api.example.com'] }],
  routes,
})

function setUp() {
  const reach = makeReachWithin()
  const place = (name: string, spec: object) =>
    reach.remember('AccessNamespace', name, namespaceOf(anObject(name, spec)))
  const api = (name: string, spec: object | undefined) =>
    reach.remember('ProtectedApi', `team/${name}`, spec && apiOf(anObject(name, spec)))
  for (const [name, spec] of PLACES) place(name, spec)
  const inside = (name: string, ...permissions: readonly string[]) =>
    Object.fromEntries(reach.insideOf(name, permissions))
  return { reach, place, api, inside }
}

describe('what is asked about inside an access namespace', () => {
  test('is each place of the type that a route names, at any depth, in the order of their names', () => {
    const { api, inside } = setUp()
    api('main', apiSpec(route()))
    expect(inside('acme-web', 'workspace:write')).toEqual({ 'workspace:write': ['web-eu', 'web-us'] })
    expect(inside('acme', 'workspace:write', 'workspace:read')).toEqual({ 'workspace:write': ['web-eu', 'web-us'] })
    expect(inside('globex', 'workspace:write')).toEqual({ 'workspace:write': [] })
  })

  test('is nothing where no route reaches within from a key of that type, or the key is of an unknown place', () => {
    const { api, inside } = setUp()
    api('main', apiSpec(route()))
    expect([inside('web-eu', 'workspace:write'), inside('nowhere', 'workspace:write')]).toEqual([{}, {}])
  })

  test('is what all routes of all ProtectedApis say together', () => {
    const { api, inside } = setUp()
    api('main', apiSpec(route()))
    api('other', apiSpec(route({ resource: 'userGroup', reach: { organization: 'within' } })))
    expect(inside('acme', 'workspace:write')).toEqual({ 'workspace:write': ['staff', 'web-eu', 'web-us'] })
    api('other', undefined)
    expect(inside('acme', 'workspace:write')).toEqual({ 'workspace:write': ['web-eu', 'web-us'] })
  })

  test('goes on where a ProtectedApi can not be read any more, as it does for requests', () => {
    const { api, inside } = setUp()
    api('main', apiSpec(route()))
    api('main', apiSpec({ path: 'wrong' }))
    expect(inside('acme-web', 'workspace:write')).toEqual({ 'workspace:write': ['web-eu', 'web-us'] })
  })

  test('is nothing below parents that stand in a circle', () => {
    const { api, place, inside } = setUp()
    api('main', apiSpec(route()))
    place('one', { type: 'application', parent: 'two' })
    place('two', { type: 'application', parent: 'one' })
    expect(inside('one', 'workspace:write')).toEqual({ 'workspace:write': [] })
  })
})

test('only what may change an answer is another revision', () => {
  const { reach, place, api } = setUp()
  api('main', apiSpec(route()))
  const before = reach.revision()
  place('web-eu', { type: 'workspace', parent: 'acme-web', displayName: 'Europe' })
  api('main', apiSpec(route({ path: '/v2/workspaces/{id}' })))
  expect(reach.revision()).toBe(before)
  place('web-asia', { type: 'workspace', parent: 'acme-web' })
  expect(reach.revision()).not.toBe(before)
})

test('a route asks for the permissions of each of its methods', () => {
  const { permission: _one, ...rest } = route()
  const routes = [{ ...rest, methods: ['GET', 'PUT', 'DELETE'], permissionByMethod: { GET: 'w:read', '*': 'w:write' } }]
  const found = withinRoutes({ routes: routes as never })
  expect(found.map(({ from, permission, to }) => `${from} ${permission} ${to}`)).toEqual([
    'application w:read workspace',
    'organization w:read workspace',
    'application w:write workspace',
    'organization w:write workspace',
  ])
})
