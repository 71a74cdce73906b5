/** Builders of valid things: a test names only what matters to it. */
import { hash, randomBytes } from 'node:crypto'
import { type Cidr, parseCidr } from '../../src/core/address.ts'
import type { Cap } from '../../src/core/cap.ts'
import { type Credential, composeCredential, composeKeyId, digestOf, RANDOM_BYTES } from '../../src/core/credential.ts'
import type { Index } from '../../src/core/decide.ts'
import type { Environment } from '../../src/core/environment.ts'
import { compileHosts } from '../../src/core/host.ts'
import type { Quota, RateLimit } from '../../src/core/limit.ts'
import { type AccessNamespace, buildTree } from '../../src/core/namespace.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import type { CheckRequest } from '../../src/core/request.ts'
import { type Api, compileRoutes, type RouteSpec } from '../../src/core/route.ts'

/** The moment at which tests decide unless they say otherwise: 2026-11-22T12:00:00Z. */
export const NOON = Date.UTC(2026, 10, 22, 12)

export const SECOND_US = 1_000_000
export const MINUTE_US = 60_000_000
export const HOUR_US = 3_600_000_000
export const DAY_US = 86_400_000_000

/** RANDOM_BYTES bytes that look random and are the same for the same seed. */
export function seededBytes(seed: string): Uint8Array {
  const blocks = Array.from({ length: RANDOM_BYTES / 32 }, (_, i) => hash('sha256', `${seed}/${i}`, 'buffer'))
  return Buffer.concat(blocks)
}

/** A credential, drawn, or always the same one for the same seed. */
export function aCredential(wanted: { environment?: Environment; seed?: string } = {}): Credential {
  const { environment = 'production', seed } = wanted
  const bytes = (what: string) => (seed === undefined ? randomBytes(RANDOM_BYTES) : seededBytes(`${what} ${seed}`))
  return composeCredential(composeKeyId(environment, bytes('id')), bytes('secret'))
}

/** That of people who hold all of it, everywhere. */
export const aWholeCap = (permissions: readonly string[]): Cap => ({
  held: permissions,
  within: Object.fromEntries(permissions.map((permission) => [permission, 'everywhere'])),
})

/** An active key of the workspace acme-web-eu that may read workspaces, from anywhere, without limits. */
export function aKeyRecord(wanted: Partial<KeyRecord> = {}): KeyRecord {
  const environment = wanted.environment ?? 'production'
  const asked = wanted.asked ?? ['workspace:read']
  return {
    keyId: composeKeyId(environment, randomBytes(RANDOM_BYTES)),
    name: 'team-web/main-website',
    accessNamespace: 'acme-web-eu',
    environment,
    asked,
    held: asked,
    heldWithin: undefined,
    customers: undefined,
    expiresAt: undefined,
    state: 'Active',
    allowedCidrs: undefined,
    limits: [],
    ...wanted,
  }
}

export type Key = {
  readonly credential: Credential
  readonly record: KeyRecord
  /** Of this secret, where it is a replaced one. */
  readonly validUntil: number | undefined
}

/** A key with its credential; give it to `anIndex({ keys })` and to `aRequest({ key })`. */
export function aKey(wanted: Partial<KeyRecord> & { validUntil?: number } = {}): Key {
  const { validUntil, ...record } = wanted
  const credential = aCredential({ environment: record.environment ?? 'production' })
  return { credential, record: aKeyRecord({ keyId: credential.keyId, ...record }), validUntil }
}

/** Two organizations; acme has an application with two workspaces and a user group, and a user group of its own. */
export const NAMESPACES: readonly AccessNamespace[] = [
  anAccessNamespace({ name: 'acme', type: 'organization' }),
  anAccessNamespace({ name: 'acme-web', type: 'application', parent: 'acme' }),
  anAccessNamespace({ name: 'acme-shop', type: 'application', parent: 'acme' }),
  anAccessNamespace({ name: 'acme-web-eu', type: 'workspace', parent: 'acme-web', externalId: 'eu-1' }),
  anAccessNamespace({ name: 'acme-web-us', type: 'workspace', parent: 'acme-web', externalId: 'us-1' }),
  anAccessNamespace({ name: 'acme-shop-eu', type: 'workspace', parent: 'acme-shop' }),
  anAccessNamespace({ name: 'acme-web-admins', type: 'userGroup', parent: 'acme-web' }),
  anAccessNamespace({ name: 'acme-staff', type: 'userGroup', parent: 'acme' }),
  anAccessNamespace({ name: 'globex', type: 'organization' }),
  anAccessNamespace({ name: 'globex-web', type: 'application', parent: 'globex' }),
  anAccessNamespace({ name: 'globex-web-eu', type: 'workspace', parent: 'globex-web' }),
]

/** The external id is the name unless it is given. */
export function anAccessNamespace(
  wanted: Pick<AccessNamespace, 'name' | 'type'> & Partial<AccessNamespace>,
): AccessNamespace {
  return { parent: undefined, externalId: wanted.name, ...wanted }
}

export type ApiWish = Partial<Omit<Api, 'routes'>> & { readonly routes?: readonly RouteSpec[] }

/** An API on three hosts whose one route is `GET /v1/things`, for `workspace:read`. */
export function anApi({ routes, ...wanted }: ApiWish = {}): Api {
  return {
    name: 'team-api/main',
    environments: [
      { name: 'production', hosts: ['api.example.com'] },
      { name: 'staging', hosts: ['staging.example.com'] },
      { name: 'development', hosts: ['*.dev.example.com'] },
    ],
    unmatched: 'deny',
    preflight: 'deny',
    acceptsTokens: false,
    limitFailure: 'local',
    refusedWhenStaleMs: undefined,
    ...wanted,
    routes: compileRoutes(routes ?? [{ methods: ['GET'], path: '/v1/things', permission: 'workspace:read' }]),
  }
}

export type IndexWish = {
  readonly apis?: readonly Api[]
  readonly namespaces?: readonly AccessNamespace[]
  readonly keys?: readonly Key[]
}

/** One API, the namespaces above, and the keys given. */
export function anIndex({ apis = [anApi()], namespaces = NAMESPACES, keys = [] }: IndexWish = {}): Index {
  const entries = new Map(
    keys.map(({ credential, record, validUntil }) => [digestOf(credential), { record, validUntil }]),
  )
  return {
    findKey: (digest) => entries.get(digest),
    hosts: compileHosts(apis).hosts,
    tree: buildTree(namespaces).tree,
  }
}

export type RequestWish = Partial<Omit<CheckRequest, 'hosts'>> & {
  readonly host?: string
  readonly hosts?: readonly string[]
  /** Presented as a Bearer. */
  readonly key?: Key | undefined
}

/** `GET /v1/things` at the production host, through a listener that can do everything. */
export function aRequest({ host, hosts, key, headers = [], ...wanted }: RequestWish = {}): CheckRequest {
  return {
    method: 'GET',
    target: '/v1/things',
    address: '203.0.113.7',
    requestId: 'request-1',
    pin: undefined,
    ability: { removal: true, query: true, filter: true },
    ...wanted,
    hosts: hosts ?? [host ?? 'api.example.com'],
    headers: key === undefined ? headers : [...headers, 'authorization', `Bearer ${key.credential.text}`],
  }
}

/** 600 a minute, all of them at once if need be. */
export function aRate({ requests = 600, perUs = MINUTE_US, burst = requests }: Partial<RateLimit> = {}): RateLimit {
  return { kind: 'rate', requests, perUs, burst }
}

/** 1,000 a day. */
export function aQuota({ requests = 1000, period = 'day' }: Partial<Quota> = {}): Quota {
  return { kind: 'quota', requests, period }
}

/** CIDR blocks as a key carries them. */
export function cidrs(...texts: readonly string[]): readonly Cidr[] {
  return texts.map((text) => {
    const parsed = parseCidr(text)
    if (!parsed.ok) throw new Error(`${text}: ${parsed.problem}`)
    return parsed.value
  })
}
