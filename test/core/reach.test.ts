import { describe, expect, test } from 'vitest'
import { buildTree } from '../../src/core/namespace.ts'
import { reached } from '../../src/core/reach.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import type { Method, RouteSpec } from '../../src/core/route.ts'
import { aKeyRecord, NAMESPACES } from '../support/make.ts'

const { tree } = buildTree(NAMESPACES)

/** 'all', 'outside', or the names that a list shows. */
function reach(
  route: Omit<RouteSpec, 'path'>,
  { id, method = 'GET', ...record }: Partial<KeyRecord> & { id?: string; method?: Method } = {},
): 'all' | 'outside' | string[] {
  const parameters: Record<string, string> = id === undefined ? {} : { id }
  const match = { route: { path: '/x', index: 0, ...route }, parameters }
  const found = reached({ match, method, permission: route.permission, record: aKeyRecord(record), tree })
  return found.kind === 'list' ? found.visible.namespaces.map(({ name }) => name) : found.kind
}

// The special rules of GET routes that list, as a ProtectedApi says them.
const WORKSPACES: Omit<RouteSpec, 'path'> = {
  resource: 'workspace',
  reach: { workspace: 'lineage', application: 'within' },
}
const APPS: Omit<RouteSpec, 'path'> = {
  resource: 'application',
  reach: { workspace: 'lineage', userGroup: 'lineage', application: 'lineage' },
}
const ORGANIZATIONS: Omit<RouteSpec, 'path'> = {
  resource: 'organization',
  reach: { workspace: 'lineage', userGroup: 'lineage', application: 'lineage' },
}
const USER_GROUPS: Omit<RouteSpec, 'path'> = {
  resource: 'userGroup',
  reach: { userGroup: 'lineage', application: 'within' },
}

describe('what a list shows to a key', () => {
  test.each<[string, string, Omit<RouteSpec, 'path'>, 'outside' | string[]]>([
    ['a workspace key, of workspaces, its own', 'acme-web-eu', WORKSPACES, ['acme-web-eu']],
    ['a workspace key, of applications, its own', 'acme-web-eu', APPS, ['acme-web']],
    ['a workspace key, of organizations, its own', 'acme-web-eu', ORGANIZATIONS, ['acme']],
    ['a workspace key, of user groups, nothing', 'acme-web-eu', USER_GROUPS, 'outside'],
    ['a user group key, of user groups, its own', 'acme-web-admins', USER_GROUPS, ['acme-web-admins']],
    ["an application's user group key, of applications, that one", 'acme-web-admins', APPS, ['acme-web']],
    ["an application's user group key, of organizations, that one's", 'acme-web-admins', ORGANIZATIONS, ['acme']],
    ["an organization's user group key, of organizations, that one", 'acme-staff', ORGANIZATIONS, ['acme']],
    ["an organization's user group key, of applications, none: it has none", 'acme-staff', APPS, 'outside'],
    ['a user group key, of workspaces, nothing', 'acme-web-admins', WORKSPACES, 'outside'],
    ['an application key, of applications, its own', 'acme-web', APPS, ['acme-web']],
    ['an application key, of organizations, its own', 'acme-web', ORGANIZATIONS, ['acme']],
    ['an application key, of workspaces, all inside', 'acme-web', WORKSPACES, ['acme-web-eu', 'acme-web-us']],
    ['an application key, of user groups, all inside', 'acme-web', USER_GROUPS, ['acme-web-admins']],
    ['an organization key, of workspaces, nothing: namespaces are not nested', 'acme', WORKSPACES, 'outside'],
    ['an organization key, of organizations, nothing unless said', 'acme', ORGANIZATIONS, 'outside'],
    [
      'an application key without workspaces, of workspaces, an empty list',
      'globex-web',
      { ...WORKSPACES, resource: 'userGroup' },
      [],
    ],
  ])('%s', (_what, accessNamespace, route, visible) => {
    expect(reach(route, { accessNamespace })).toEqual(visible)
    expect(reach(route, { accessNamespace, method: 'HEAD' })).toEqual(visible)
  })

  test('a QUERY is a GET with a body: what it lists is cut down as well', () => {
    expect(reach(WORKSPACES, { accessNamespace: 'acme-web', method: 'QUERY' })).toEqual(['acme-web-eu', 'acme-web-us'])
  })
})

describe('one resource that the path names', () => {
  const ONE: Omit<RouteSpec, 'path'> = {
    resource: 'workspace',
    id: 'id',
    permission: 'workspace:write',
    reach: { workspace: 'lineage', application: 'within', organization: 'within' },
  }

  test.each<[string, string, string, 'all' | 'outside']>([
    ['its own', 'acme-web-eu', 'eu-1', 'all'],
    ['its own by name, which is not its id', 'acme-web-eu', 'acme-web-eu', 'outside'],
    ['its own in other letter case', 'acme-web-eu', 'EU-1', 'outside'],
    ['a sister', 'acme-web-eu', 'us-1', 'outside'],
    ['one inside the application', 'acme-web', 'eu-1', 'all'],
    ['one of another application', 'acme-web', 'acme-shop-eu', 'outside'],
    ['one inside the organization, two steps down', 'acme', 'acme-shop-eu', 'all'],
    ['one of another organization', 'acme', 'globex-web-eu', 'outside'],
    ['one that does not exist', 'acme', 'eu-2', 'outside'],
    ['an id of another type', 'acme', 'acme-web', 'outside'],
    ['an empty id', 'acme', '', 'outside'],
    ['an id like a member of every object', 'acme', '__proto__', 'outside'],
  ])('%s', (_what, accessNamespace, id, answer) => {
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'POST'] as const) {
      expect(reach(ONE, { accessNamespace, id, method })).toBe(answer)
    }
  })

  test('within is what lies inside: the namespace itself is not', () => {
    const app: Omit<RouteSpec, 'path'> = { resource: 'application', id: 'id', reach: { application: 'within' } }
    expect(reach(app, { accessNamespace: 'acme-web', id: 'acme-web' })).toBe('outside')
    expect(reach({ ...app, reach: { application: 'lineage' } }, { accessNamespace: 'acme-web', id: 'acme-web' })).toBe(
      'all',
    )
  })

  test('lineage is the way up: what lies inside is not on it', () => {
    const route: Omit<RouteSpec, 'path'> = { resource: 'workspace', id: 'id', reach: { application: 'lineage' } }
    expect(reach(route, { accessNamespace: 'acme-web', id: 'eu-1' })).toBe('outside')
  })

  test('within asks what the people behind the key hold there themselves', () => {
    const heldWithin = new Map([
      ['workspace:write', new Set(['acme-web-us'])],
      ['workspace:read', new Set(['acme-web-eu'])],
    ])
    expect(reach(ONE, { accessNamespace: 'acme-web', heldWithin, id: 'us-1' })).toBe('all')
    expect(reach(ONE, { accessNamespace: 'acme-web', heldWithin, id: 'eu-1' })).toBe('outside')
    expect(reach({ ...ONE, permission: 'other:write' }, { accessNamespace: 'acme-web', heldWithin, id: 'us-1' })).toBe(
      'outside',
    )
    expect(reach(ONE, { accessNamespace: 'acme-web-eu', heldWithin, id: 'eu-1' })).toBe('all')
  })

  test('within asks no further where they hold it everywhere, and not beyond the namespace of the key', () => {
    const heldWithin = new Map([['workspace:write', 'everywhere' as const]])
    expect(reach(ONE, { accessNamespace: 'acme-web', heldWithin, id: 'us-1' })).toBe('all')
    expect(reach(ONE, { accessNamespace: 'globex-web', heldWithin, id: 'us-1' })).toBe('outside')
    expect(reach({ ...ONE, permission: 'other:write' }, { accessNamespace: 'acme-web', heldWithin, id: 'us-1' })).toBe(
      'outside',
    )
  })
})

test('a list within shows what the people behind the key hold there themselves', () => {
  const route: Omit<RouteSpec, 'path'> = { ...WORKSPACES, permission: 'workspace:read' }
  const heldWithin = new Map([['workspace:read', new Set(['acme-web-us', 'globex-web-eu'])]])
  expect(reach(route, { accessNamespace: 'acme-web', heldWithin })).toEqual(['acme-web-us'])
  expect(reach(route, { accessNamespace: 'acme-web', heldWithin: new Map() })).toEqual([])
  const everywhere = new Map([['workspace:read', 'everywhere' as const]])
  expect(reach(route, { accessNamespace: 'acme-web', heldWithin: everywhere })).toEqual(
    reach(route, { accessNamespace: 'acme-web', heldWithin: undefined }),
  )
})

describe('creating, where a route names a resource and no id', () => {
  const CREATE: Omit<RouteSpec, 'path'> = {
    resource: 'workspace',
    reach: { workspace: 'lineage', application: 'within' },
  }

  test.each<[string, 'all' | 'outside']>([
    ['acme-web', 'all'],
    ['acme-web-eu', 'outside'],
    ['acme', 'outside'],
    ['acme-web-admins', 'outside'],
  ])('a key of %s: %s', (accessNamespace, answer) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
      expect(reach(CREATE, { accessNamespace, method })).toBe(answer)
    }
  })
})

describe('a route that names no resource', () => {
  test('is open to a key of every type', () => {
    for (const { name } of NAMESPACES) expect(reach({}, { accessNamespace: name })).toBe('all')
  })

  test('is closed to a key whose access namespace is gone', () => {
    expect(reach({}, { accessNamespace: 'gone' })).toBe('outside')
    expect(reach(WORKSPACES, { accessNamespace: 'gone' })).toBe('outside')
    expect(
      reached({
        match: undefined,
        method: 'GET',
        permission: undefined,
        record: aKeyRecord({ accessNamespace: 'gone' }),
        tree,
      }).kind,
    ).toBe('outside')
  })
})

test('a route with a resource and no reach opens nothing', () => {
  for (const { name } of NAMESPACES) expect(reach({ resource: 'workspace' }, { accessNamespace: name })).toBe('outside')
})
