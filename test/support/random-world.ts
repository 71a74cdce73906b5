/** Whole clusters by a seed: access namespaces, APIs and keys as objects of an API server, and requests to them. */
import type { Cap, Places } from '../../src/core/cap.ts'
import { digestOf } from '../../src/core/credential.ts'
import { writeDigestSecret } from '../../src/kube/digest-secret.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import type { Draw } from '../corpus/seeded.ts'
import { aCredential, aWholeCap, NAMESPACES, NOON } from './make.ts'

type Spec = Readonly<Record<string, unknown>>

export type RandomKey = {
  /** With its status, as the operator left it; the spec may have been edited since, by what takes away. */
  readonly apiKey: KubeObject
  /** The spec as the operator granted it, before that edit. */
  readonly granted: Spec
  readonly digestSecret: KubeObject
  /** The same, of people who hold everywhere inside the access namespace what they hold on it, or nowhere. */
  readonly held: { readonly everywhere: KubeObject; readonly nowhere: KubeObject }
  /** The whole key. */
  readonly credential: string
}

export type RandomWorld = {
  readonly namespaces: readonly KubeObject[]
  readonly apis: readonly KubeObject[]
  readonly keys: readonly RandomKey[]
}

export type RandomRequest = {
  readonly method: string
  readonly host: string
  readonly target: string
  readonly headers: readonly string[]
  readonly address: string | undefined
}

const PERMISSIONS = ['thing:read', 'thing:write', 'workspace:read', 'customer:read']
const ENVIRONMENTS = ['production', 'staging', 'development']
/** Of each API, by environment; the third claims a host of the second, and a name below its wildcard. */
const HOSTS = [
  ['api.test', 'staging.test', 'dev.test'],
  ['b.test', '*.wild.test', 'other.test'],
  ['c.test', 'deep.wild.test', 'b.test'],
]
const CUSTOMERS = ['c-1', 'c-2', 'c-3']

const object = (name: string, namespace: string | undefined, more: object): KubeObject =>
  ({
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      uid: `uid of ${namespace}/${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-20T12:00:00Z',
    },
    ...more,
  }) as unknown as KubeObject

const some = <T>(draw: Draw, from: readonly T[]): readonly T[] => {
  const drawn = from.filter(() => draw.chance(0.6))
  return drawn.length > 0 ? drawn : [draw.pick(from)]
}

/** @param uidOf of the ApiKeys, by their names */
export function randomWorld(draw: Draw, seed: string, uidOf?: (name: string) => string): RandomWorld {
  const there = NAMESPACES.filter(() => draw.chance(0.95))
  return {
    namespaces: there.map(({ name, type, parent, externalId }) =>
      object(name, undefined, { spec: { type, externalId, ...(parent !== undefined && { parent }) } }),
    ),
    apis: Array.from({ length: 1 + draw.below(3) }, (_, i) => randomApi(draw, i)),
    keys: Array.from({ length: 6 }, (_, i) => randomKey(draw, `${seed}-${i}`, uidOf)),
  }
}

function randomApi(draw: Draw, number: number): KubeObject {
  const hosts = HOSTS[number] ?? []
  const environments = ENVIRONMENTS.map((name, i) => ({ name, hosts: [hosts[i]] })).filter(
    ({ name }) => name === 'production' || draw.chance(0.7),
  )
  const spec = {
    environments,
    unmatched: draw.pick(['deny', 'deny', 'authenticated']),
    preflight: draw.pick(['deny', 'allow']),
    routes: ROUTES.filter(() => draw.chance(0.85)).map((route) => route(draw)),
  }
  // what can't be read is set aside, and serves nothing
  return object(`api-${number}`, 'team', { spec: draw.chance(0.05) ? { ...spec, routes: 'none' } : spec })
}

const FAR = { organization: 'within', application: 'within', workspace: 'lineage' }

const reach = (draw: Draw): Spec => Object.fromEntries(some(draw, Object.entries(FAR)))

const ROUTES: readonly ((draw: Draw) => Spec)[] = [
  () => ({ methods: ['GET'], path: '/healthz', public: true }),
  () => ({ path: '/me', authenticated: true, customersAtUpstream: true }),
  (draw) => ({ methods: ['GET'], path: '/things', permission: draw.pick(PERMISSIONS), customersAtUpstream: true }),
  (draw) => ({ methods: ['POST'], path: '/things', permission: draw.pick(PERMISSIONS) }),
  () => ({ path: '/rest/**', permissionByMethod: { GET: 'thing:read', '*': 'thing:write' } }),
  (draw) => ({
    methods: ['GET'],
    path: '/customers/{customer}',
    permission: draw.pick(PERMISSIONS),
    customer: 'customer',
  }),
  (draw) => ({
    methods: ['GET', 'DELETE'],
    path: '/workspaces/{id}',
    permission: draw.pick(PERMISSIONS),
    resource: 'workspace',
    id: 'id',
    reach: reach(draw),
    customersAtUpstream: true,
  }),
  (draw) => ({
    methods: ['GET'],
    path: '/workspaces',
    permission: draw.pick(PERMISSIONS),
    resource: 'workspace',
    reach: reach(draw),
    narrow: draw.pick([{ query: 'id' }, { filter: { items: '/items', id: '/id' } }, { upstream: true }]),
    customersAtUpstream: true,
  }),
]

const WITHIN = { type: 'WithinCreatorAccess', status: 'True', reason: 'WithinAccess', message: '' }
const VERSION = { issuedAt: NOON - 1000, claimedBy: 'ana', claimedAt: NOON - 500 }

function randomKey(draw: Draw, seed: string, uidOf?: (name: string) => string): RandomKey {
  const name = `key-${seed}`
  const asked = some(draw, PERMISSIONS)
  const held = asked.filter(() => draw.chance(0.85))
  const spec: Spec = {
    accessNamespace: draw.pick([...NAMESPACES.map(({ name }) => name), 'acme', 'acme', 'acme-web', 'acme-web']),
    environment: draw.pick([...ENVIRONMENTS, ...Array.from({ length: 16 }, () => 'production')]),
    permissions: asked,
    ...(draw.chance(0.3) && { customers: some(draw, CUSTOMERS) }),
    ...(draw.chance(0.2) && { expiresAt: draw.pick(['2026-11-21T00:00:00Z', '2026-12-24T00:00:00Z']) }),
    ...(draw.chance(0.15) && { allowedCIDRs: ['203.0.113.0/24'] }),
    ...(draw.chance(0.3) && { rateLimit: { requests: 600, per: '1m' } }),
    state: draw.chance(0.9) ? 'Active' : draw.pick(['Suspended', 'Revoked']),
    regenerate: 0,
    overlap: '0s',
  }
  const edit = draw.chance(0.25) && spec.state !== 'Revoked' ? edited(draw, asked) : undefined
  const apiKey = object(name, 'team', {
    spec: { ...spec, ...edit },
    status: {
      phase: 'Active',
      permissions: held,
      observedGeneration: 1,
      credential: { version: 1 },
      conditions: [{ ...WITHIN, lastTransitionTime: '2026-11-20T12:00:00Z' }],
    },
  })
  const { environment } = spec as { readonly environment: 'production' }
  const credential = aCredential({ seed, environment })
  const secret: KeySecret = {
    keyId: credential.keyId,
    uid: uidOf?.(name) ?? apiKey.metadata.uid,
    name: `team/${name}`,
    origin: 'minted',
    rotations: 0,
    current: { version: 1, digest: digestOf(credential), ...VERSION },
    previous: undefined,
  }
  const drawn = held.map((permission): [string, Places] => [permission, randomPlaces(draw)])
  const withPlaces = (within: Cap['within']) =>
    stored({
      secret,
      granted: { generation: 1, spec, cap: { held, within } },
      claimants: new Map(),
      handingTo: undefined,
    })
  return {
    apiKey: edit === undefined ? apiKey : { ...apiKey, metadata: { ...apiKey.metadata, generation: 2 } },
    granted: spec,
    digestSecret: withPlaces(Object.fromEntries(drawn)),
    held: { everywhere: withPlaces(aWholeCap(held).within), nowhere: withPlaces({}) },
    credential: credential.text,
  }
}

/** Anywhere: what is not inside the key's own access namespace opens nothing to it. */
const randomPlaces = (draw: Draw): Places =>
  draw.chance(0.3) ? 'everywhere' : NAMESPACES.flatMap(({ name }) => (draw.chance(0.4) ? [name] : [])).toSorted()

function stored(kept: Parameters<typeof writeDigestSecret>[0]): KubeObject {
  const secret = writeDigestSecret(kept, { namespace: 'keyward-system', over: undefined }) as unknown as KubeObject
  const creationTimestamp = '2026-11-20T12:00:00Z'
  return { ...secret, metadata: { ...secret.metadata, uid: 's', resourceVersion: '1', creationTimestamp } }
}

/** What takes away is in force before the operator has looked at it. */
const edited = (draw: Draw, asked: readonly string[]): Spec =>
  draw.pick<Spec>([
    { state: 'Suspended' },
    { permissions: asked.slice(0, 1) },
    { customers: ['c-1'] },
    { regenerate: 1 },
    { allowedCIDRs: ['203.0.113.7/32'] },
    { displayName: 'Shop' },
  ])

const PATHS = [
  ...['/healthz', '/me', '/things', '/things', '/rest/a/b', '/rest', '/customers/c-1', '/customers/c-3', '/nowhere'],
  ...['/workspaces', '/workspaces?id=eu-1', '/workspaces/eu-1', '/workspaces/us-1', '/workspaces/globex-web-eu'],
  ...['/things/../me', '/things//', '/%74hings', '/things?a=b', '/things?_method=DELETE', '/workspaces/none', '/'],
]
/** Of the namespaces that most keys are bound to. */
const INSIDE = [
  '/workspaces',
  '/workspaces?id=eu-1',
  '/workspaces/eu-1',
  '/workspaces/us-1',
  '/workspaces/acme-shop-eu',
]
const FIELDS = [
  ['accept', '*/*'],
  ['x-http-method-override', 'DELETE'],
  ['access-control-request-method', 'GET'],
  ['x-keyward-key-id', 'kw_prod_AAAAAAAAAAAA'],
  ['x-keyward-else', 'y'],
]

export const randomRequest = (draw: Draw): RandomRequest => ({
  method: draw.pick([...Array.from({ length: 14 }, () => 'GET'), 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'get']),
  host: draw.chance(0.8)
    ? 'api.test'
    : draw.pick(['b.test', 'c.test', 'staging.test', 'one.wild.test', 'deep.wild.test', 'API.test:443', 'no.test', '']),
  target: draw.pick(draw.chance(0.35) ? INSIDE : PATHS),
  headers: FIELDS.filter(() => draw.chance(0.03)).flat(),
  address: draw.chance(0.2) ? undefined : draw.pick(['203.0.113.7', '203.0.113.9', '198.51.100.1']),
})
