/** What a replica knows of roles, bindings and ServiceAccounts by watching them. A fake API server. */
import { describe, expect, test } from 'vitest'
import type { Person } from '../../src/core/person.ts'
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  pathOf,
  type Resource,
  SERVICE_ACCOUNTS,
} from '../../src/kube/objects.ts'
import { openRbacCaches } from '../../src/kube/rbac-caches.ts'
import { mayGrant, sameRights } from '../../src/resources/rights.ts'
import { fakeApiServer } from '../support/fake-api-server.ts'

const aPerson = (username: string, groups: readonly string[] = []): Person => ({ username, uid: '', groups, extra: {} })
const ANA = aPerson('ana', ['devs'])
const DEPLOYER = aPerson('system:serviceaccount:ci:deployer')

const grants = (verbs: readonly string[], resourceNames?: readonly string[]) => [
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
  {
    apiGroups: ['keyward.dev'],
    resources: ['accessnamespaces/permissions'],
    verbs,
    ...(resourceNames && { resourceNames }),
  },
]

async function setUp() {
  const server = fakeApiServer(() => 0)
  let changes = 0
  const caches = openRbacCaches({
    ...{ client: server.client, reflect: server.reflect, steadyMs: () => 0, jitter: () => 0 },
    onChange: () => {
      changes += 1
    },
    onTrouble: () => {},
  })
  const whole = (resource: Resource, name: string, namespace?: string) => pathOf(resource, { namespace, name })
  const write = async (resource: Resource, name: string, object: object, namespace?: string) => {
    const body = { metadata: { name, ...(namespace !== undefined && { namespace }) }, ...object }
    const path = whole(resource, name, namespace)
    const isThere = server.get(path) !== undefined
    await server.client.send(
      isThere ? { method: 'PUT', path, body } : { method: 'POST', path: pathOf(resource, { namespace }), body },
    )
  }
  const role = (name: string, rules: readonly object[]) => write(CLUSTER_ROLES, name, { rules })
  const bind = (name: string, to: string, ...subjects: readonly object[]) =>
    write(CLUSTER_ROLE_BINDINGS, name, { roleRef: { kind: 'ClusterRole', name: to }, subjects })
  const remove = (resource: Resource, name: string, namespace?: string) =>
    server.client.send({ method: 'DELETE', path: whole(resource, name, namespace) })
  const changed = async (act: () => Promise<unknown>): Promise<number> => {
    const before = changes
    await act()
    return changes - before
  }
  const may = (person: Person, permission: string, accessNamespace: string) =>
    mayGrant(caches.rightsOf(person), { permission, accessNamespace })
  return { caches, role, bind, remove, write, changed, may }
}

describe('the rights of somebody', () => {
  test('come through their name, their groups, and the ServiceAccount that they are', async () => {
    const { role, bind, may, caches } = await setUp()
    await role('reader', grants(['a:read'], ['acme']))
    await role('writer', grants(['a:write']))
    await bind('one', 'reader', { kind: 'User', name: 'ana' })
    await bind('two', 'writer', { kind: 'Group', name: 'devs' })
    await bind('three', 'writer', { kind: 'ServiceAccount', namespace: 'ci', name: 'deployer' })
    expect([may(ANA, 'a:read', 'acme'), may(ANA, 'a:write', 'globex')]).toEqual([true, true])
    expect([may(ANA, 'a:read', 'globex'), may(aPerson('ana'), 'a:write', 'acme')]).toEqual([false, false])
    expect([may(DEPLOYER, 'a:write', 'acme'), may(DEPLOYER, 'a:read', 'acme')]).toEqual([true, false])
    expect([ANA, DEPLOYER, aPerson('ben')].map(caches.grantsAnything)).toEqual([true, true, false])
  })

  test('go with the last binding that gives them', async () => {
    const { role, bind, remove, may } = await setUp()
    await role('reader', grants(['a:read']))
    await bind('one', 'reader', { kind: 'User', name: 'ana' }, { kind: 'User', name: 'ana' })
    await bind('two', 'reader', { kind: 'User', name: 'ana' })
    await remove(CLUSTER_ROLE_BINDINGS, 'one')
    expect(may(ANA, 'a:read', 'acme')).toBe(true)
    await bind('two', 'reader', { kind: 'User', name: 'ben' })
    expect(may(ANA, 'a:read', 'acme')).toBe(false)
  })

  test('are the same ones where a role was rewritten with the same words, or with others that are not ours', async () => {
    const { role, bind, changed, caches } = await setUp()
    await role('reader', grants(['a:read']))
    await bind('one', 'reader', { kind: 'User', name: 'ana' })
    const before = caches.rightsOf(ANA)
    const rewrite = () =>
      role('reader', [...grants(['a:read']), { apiGroups: ['apps'], resources: ['*'], verbs: ['*'] }])
    expect([await changed(rewrite), sameRights(caches.rightsOf(ANA), before)]).toEqual([0, true])
    await role('reader', grants(['a:read', 'a:write']))
    expect(sameRights(caches.rightsOf(ANA), before)).toBe(false)
  })
})

test('groups are named as long as some binding names them', async () => {
  const { bind, remove, caches } = await setUp()
  await bind('one', 'reader', { kind: 'Group', name: 'devs' })
  const isNamed = caches.isNamedGroup()
  expect([isNamed?.('devs'), isNamed?.('others')]).toEqual([true, false])
  await remove(CLUSTER_ROLE_BINDINGS, 'one')
  expect(caches.isNamedGroup()?.('devs')).toBe(false)
})

test('a ServiceAccount is known by its uid, and only its coming and going is a change', async () => {
  const { write, remove, changed, caches } = await setUp()
  const account = (object = {}) => write(SERVICE_ACCOUNTS, 'deployer', object, 'ci')
  expect(await changed(account)).toBe(1)
  const uid = caches.serviceAccountUid('ci', 'deployer')
  expect(
    await changed(() =>
      write(SERVICE_ACCOUNTS, 'deployer', { secrets: [], metadata: { name: 'deployer', namespace: 'ci', uid } }, 'ci'),
    ),
  ).toBe(0)
  await remove(SERVICE_ACCOUNTS, 'deployer', 'ci')
  expect(caches.serviceAccountUid('ci', 'deployer')).toBeUndefined()
  await account()
  expect(caches.serviceAccountUid('ci', 'deployer')).not.toBe(uid)
})
