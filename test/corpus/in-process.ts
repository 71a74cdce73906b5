/** The corpus policy as an index in this process, and raw bytes read as leniently as can be: for the decision alone. */
import { createHash, randomBytes } from 'node:crypto'
import { composeCredential, composeKeyId, type Digest, RANDOM_BYTES } from '../../src/core/credential.ts'
import type { Allow, Index } from '../../src/core/decide.ts'
import { compileHosts } from '../../src/core/host.ts'
import { buildTree } from '../../src/core/namespace.ts'
import type { Entry, KeyRecord } from '../../src/core/record.ts'
import type { CheckRequest } from '../../src/core/request.ts'
import { compileRoutes } from '../../src/core/route.ts'
import type { Credentials } from './oracle.ts'
import { HOLDERS } from './policy.ts'
import type { Seen } from './upstream.ts'

const TREE = buildTree([
  { name: 'acme', type: 'organization', parent: undefined, externalId: 'acme' },
  { name: 'shop', type: 'application', parent: 'acme', externalId: 'shop' },
  { name: 'shop-eu', type: 'workspace', parent: 'shop', externalId: 'shop-eu' },
  { name: 'globex', type: 'organization', parent: undefined, externalId: 'globex' },
  { name: 'billing', type: 'application', parent: 'globex', externalId: 'billing' },
  { name: 'billing-eu', type: 'workspace', parent: 'billing', externalId: 'billing-eu' },
]).tree

const ROUTES = compileRoutes([
  { methods: ['GET'], path: '/public/**', public: true },
  { methods: ['GET'], path: '/api/**', permission: 'api:read' },
  { methods: ['POST'], path: '/api/orders', permission: 'orders:create' },
  { methods: ['DELETE'], path: '/api/orders/{order}', permission: 'orders:delete' },
  {
    methods: ['GET'],
    path: '/api/workspaces/{workspace}',
    permission: 'api:read',
    resource: 'workspace',
    id: 'workspace',
    reach: { workspace: 'lineage' },
  },
  { path: '/admin/**', permission: 'admin:all' },
])

const HOSTS = compileHosts([
  {
    name: 'team-a/orders',
    environments: [
      { name: 'production', hosts: ['api.test'] },
      { name: 'staging', hosts: ['staging.test'] },
    ],
    unmatched: 'deny',
    preflight: 'deny',
    acceptsTokens: false,
    limitFailure: 'local',
    refusedWhenStaleMs: undefined,
    routes: ROUTES,
  },
]).hosts

/** Keys that are good for nothing in production, each for another reason. */
const USELESS: Readonly<Record<string, Partial<KeyRecord>>> = {
  KEY_STAGING: { environment: 'staging' },
  KEY_REVOKED: { state: 'Revoked' },
  KEY_INACTIVE: { state: 'Suspended' },
  KEY_EXPIRED: { expiresAt: 1 },
  KEY_CUSTOMER: { customers: ['initech'] },
}

/** Of every holder of the policy and every useless key one, with new random credentials. */
export function inProcess(): { readonly index: Index; readonly credentials: Credentials } {
  const entries = new Map<Digest, Entry>()
  const credentials: Record<string, string> = {}
  for (const fixture of [...Object.keys(HOLDERS), ...Object.keys(USELESS)]) {
    const { text, record } = aKey(fixture)
    credentials[fixture] = text
    entries.set(createHash('sha256').update(text).digest('hex') as Digest, { record, validUntil: undefined })
  }
  credentials.KEY_NOTBEFORE_FUTURE = aKey('KEY_OK').text
  credentials.JWT_OK = 'eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJrZXl3YXJkIn0.c2lnbmF0dXJl'
  return { index: { findKey: (digest) => entries.get(digest), hosts: HOSTS, tree: TREE }, credentials }
}

function aKey(fixture: string): { readonly text: string; readonly record: KeyRecord } {
  const holder = HOLDERS[fixture]
  const useless = USELESS[fixture] ?? {}
  const environment = useless.environment ?? 'production'
  const keyId = composeKeyId(environment, randomBytes(RANDOM_BYTES))
  const permissions = holder?.permissions ?? ['api:read', 'orders:create']
  return {
    text: composeCredential(keyId, randomBytes(RANDOM_BYTES)).text,
    record: {
      keyId,
      name: holder?.name ?? `team-a/${fixture}`,
      accessNamespace: holder?.namespace ?? 'shop-eu',
      environment,
      asked: permissions,
      held: permissions,
      heldWithin: undefined,
      customers: undefined,
      expiresAt: undefined,
      state: 'Active',
      allowedCidrs: undefined,
      limits: [],
      ...useless,
    },
  }
}

/** The first request in the bytes, taken for one however damaged it is: what a listener would refuse, decide sees as well. */
export function asCheckRequest(bytes: string): CheckRequest {
  const [start = '', ...lines] = (bytes.split(/\r?\n\r?\n/)[0] ?? '').split(/\r?\n/)
  const [, method = '', target = ''] = /^(\S*) ?(.*?)(?: HTTP\/\S*)?$/s.exec(start) ?? []
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon === -1 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]
  })
  const hosts = headers.filter((_value, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase() === 'host')
  return {
    method,
    target,
    hosts,
    headers,
    address: '127.0.0.1',
    requestId: 'r-1',
    pin: undefined,
    ability: { removal: true, query: true, filter: true },
  }
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Whether any listener's parser could have given this: it refuses other names, and line breaks and NUL in values. */
export const couldArrive = ({ headers }: CheckRequest): boolean =>
  headers.every((text, i) => (i % 2 === 0 ? TOKEN.test(text) : !/[\r\n\0]/.test(text)))

/** What an upstream would see of an allowed request, if the proxy passed on nothing but what the decision says. */
export function asSeen({ method, target, hosts }: CheckRequest, { upstream }: Allow): Seen {
  const headers: [string, string][] = hosts.map((host) => ['host', host])
  for (let i = 0; i + 1 < upstream.length; i += 2) headers.push([upstream[i] ?? '', upstream[i + 1] ?? ''])
  return { method, target, headers, body: '', trailers: '', head: '', connection: 0 }
}
