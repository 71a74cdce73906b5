/** A population of keys for measurements: an organization with applications and workspaces, keys of every kind. */
import { composeCredential, composeKeyId, digestOf, RANDOM_BYTES } from '../src/core/credential.ts'
import type { Index } from '../src/core/decide.ts'
import { compileHosts } from '../src/core/host.ts'
import { type AccessNamespace, buildTree } from '../src/core/namespace.ts'
import type { KeyRecord } from '../src/core/record.ts'
import { compileRoutes, type RouteSpec } from '../src/core/route.ts'
import { type KeyIndex, makeKeyIndex } from '../src/enforce/key-index.ts'

const ROUTES: readonly RouteSpec[] = [
  { path: '/healthz', public: true },
  { methods: ['GET'], path: '/v1/licenses', permission: 'license:read' },
  {
    methods: ['GET', 'PUT'],
    path: '/v1/licenses/{id}',
    permissionByMethod: { GET: 'license:read', '*': 'license:manage' },
  },
  {
    methods: ['GET', 'PATCH'],
    path: '/v1/workspaces/{id}',
    permission: 'workspace:read',
    resource: 'workspace',
    id: 'id',
    reach: { workspace: 'lineage', application: 'within' },
  },
  { methods: ['POST'], path: '/v1/customers/{customer}/**', permission: 'customer:write', customer: 'customer' },
]

const PERMISSIONS = ['license:read', 'license:manage', 'workspace:read'] as const

export type Population = { readonly index: Index; readonly keys: KeyIndex; readonly samples: readonly string[] }

/** A repeatable stream of bytes: measurements need no good randomness, only the same keys each time. */
export function bytes(seed: number): Uint8Array {
  const out = new Uint8Array(RANDOM_BYTES)
  let state = seed + 0x9e3779b9
  for (let i = 0; i < out.length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5
    out[i] = (state >>> 13) & 0xff
  }
  return out
}

function namespaces(): readonly AccessNamespace[] {
  const all: AccessNamespace[] = [{ name: 'acme', type: 'organization', parent: undefined, externalId: 'acme' }]
  for (let app = 0; app < 10; app++) {
    all.push({ name: `app-${app}`, type: 'application', parent: 'acme', externalId: `app-${app}` })
    for (let ws = 0; ws < 10; ws++) {
      const name = `ws-${app}-${ws}`
      all.push({ name, type: 'workspace', parent: `app-${app}`, externalId: name })
    }
  }
  return all
}

/** @param count how many keys; `samples` are 1,000 of their credentials, spread evenly */
export function populate(count: number): Population {
  const { tree } = buildTree(namespaces())
  const { hosts } = compileHosts([
    {
      name: 'default/bench',
      environments: [{ name: 'production', hosts: ['api.example.com'] }],
      unmatched: 'deny',
      preflight: 'deny',
      acceptsTokens: false,
      limitFailure: 'local',
      refusedWhenStaleMs: undefined,
      routes: compileRoutes(ROUTES),
    },
  ])
  const keys = makeKeyIndex()
  const samples: string[] = []
  const every = Math.max(1, Math.floor(count / 1000))
  for (let i = 0; i < count; i++) {
    const credential = composeCredential(composeKeyId('production', bytes(i)), bytes(i + 0x40000000))
    if (i % every === 0) samples.push(credential.text)
    keys.put(flat(`00000000-0000-4000-8000-${String(i).padStart(12, '0')}`), recordOf(i, flat(credential.keyId)), {
      current: digestOf(credential),
      previous: undefined,
    })
  }
  return { index: { findKey: keys.find, hosts, tree }, keys, samples }
}

/** As it comes out of a store: one piece of memory, not a rope of the pieces that it was put together from. */
const flat = <T extends string>(text: T): T => Buffer.from(text, 'latin1').toString('latin1') as T

function recordOf(i: number, keyId: KeyRecord['keyId']): KeyRecord {
  return {
    keyId,
    name: flat(`team-${i % 100}/key-${i}`),
    accessNamespace: i % 2 === 0 ? `app-${i % 10}` : `ws-${i % 10}-${i % 7}`,
    environment: 'production',
    asked: PERMISSIONS,
    held: PERMISSIONS,
    heldWithin: undefined,
    customers: undefined,
    expiresAt: i % 3 === 0 ? 4_102_444_800_000 : undefined,
    state: 'Active',
    allowedCidrs: undefined,
    limits: [],
  }
}
