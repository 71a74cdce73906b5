/** One API, its routes and a few keys as an index in memory, for tests that need real decisions and nothing around them. */
import { composeCredential, composeKeyId, type Digest, digestOf, RANDOM_BYTES } from '../../src/core/credential.ts'
import type { Index } from '../../src/core/decide.ts'
import { compileHosts } from '../../src/core/host.ts'
import { buildTree } from '../../src/core/namespace.ts'
import type { Permission } from '../../src/core/permission.ts'
import type { Entry, KeyRecord } from '../../src/core/record.ts'
import { compileRoutes, type RouteSpec } from '../../src/core/route.ts'

export type TinyIndex = {
  readonly index: Index
  /** Adds a key, or replaces what is known of it; gives the credential. */
  readonly put: (name: string, record?: Partial<KeyRecord>) => string
}

const permission = (text: string) => text as Permission

export const ROUTES: readonly RouteSpec[] = [
  { methods: ['GET'], path: '/public/**', public: true },
  { path: '/open/**', permission: permission('things:use') },
  { path: '/admin/**', permission: permission('admin:all') },
  {
    methods: ['GET'],
    path: '/workspaces',
    permission: permission('things:use'),
    resource: 'workspace',
    reach: { application: 'within', workspace: 'lineage' },
    narrow: { filter: { items: '/items', id: '/id' } },
  },
  {
    methods: ['GET'],
    path: '/queried',
    permission: permission('things:use'),
    resource: 'workspace',
    reach: { application: 'within' },
    narrow: { query: 'id' },
  },
]

/** Served as api.test in production; a key is of the application `shop`, which has the workspaces `eu` and `us`. */
export function tinyIndex(routes: readonly RouteSpec[] = ROUTES): TinyIndex {
  const entries = new Map<Digest, Entry>()
  const credentials = new Map<string, { readonly text: string; readonly digest: Digest; readonly record: KeyRecord }>()
  const { tree } = buildTree([
    { name: 'acme', type: 'organization', parent: undefined, externalId: 'acme' },
    { name: 'shop', type: 'application', parent: 'acme', externalId: 'shop' },
    { name: 'eu', type: 'workspace', parent: 'shop', externalId: 'eu' },
    { name: 'us', type: 'workspace', parent: 'shop', externalId: 'us' },
  ])
  const { hosts } = compileHosts([
    {
      name: 'team/things',
      environments: [{ name: 'production', hosts: ['api.test'] }],
      unmatched: 'deny',
      preflight: 'deny',
      acceptsTokens: false,
      limitFailure: 'local',
      refusedWhenStaleMs: undefined,
      routes: compileRoutes(routes),
    },
  ])
  return {
    index: { findKey: (digest) => entries.get(digest), hosts, tree },
    put: (name, changes = {}) => {
      const known = credentials.get(name) ?? newKey(name)
      const record = { ...known.record, ...changes }
      credentials.set(name, { ...known, record })
      entries.set(known.digest, { record, validUntil: undefined })
      return known.text
    },
  }
}

function newKey(name: string) {
  const random = () => crypto.getRandomValues(new Uint8Array(RANDOM_BYTES))
  const keyId = composeKeyId('production', random())
  const credential = composeCredential(keyId, random())
  const permissions = [permission('things:use')]
  const record: KeyRecord = {
    keyId,
    name: `team/${name}`,
    accessNamespace: 'shop',
    environment: 'production',
    asked: permissions,
    held: permissions,
    heldWithin: undefined,
    customers: undefined,
    expiresAt: undefined,
    state: 'Active',
    allowedCidrs: undefined,
    limits: [],
  }
  return { text: credential.text, digest: digestOf(credential), record }
}
