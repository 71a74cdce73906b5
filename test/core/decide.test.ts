import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ORDER } from '../../src/core/access.ts'
import { parseCredential, secretOf } from '../../src/core/credential.ts'
import { type Allow, decide, type Metered, type Refusal, type Ruling, settle } from '../../src/core/decide.ts'
import type { Code } from '../../src/core/denial.ts'
import { type Fields, UPSTREAM_HEADERS } from '../../src/core/headers.ts'
import type { RouteSpec } from '../../src/core/route.ts'
import { leastCpuMs } from '../support/cpu-time.ts'
import {
  type ApiWish,
  aCredential,
  aKey,
  anApi,
  anIndex,
  aQuota,
  aRate,
  aRequest,
  cidrs,
  type Key,
  NOON,
  type RequestWish,
} from '../support/make.ts'

const EVERYTHING = { removal: true, query: true, filter: true }
const NOTHING = { removal: false, query: false, filter: false }

const LIST: RouteSpec = {
  methods: ['GET'],
  path: '/v1/workspaces',
  permission: 'workspace:read',
  resource: 'workspace',
  reach: { workspace: 'lineage', application: 'within' },
  narrow: { filter: { items: '/items', id: '/id' } },
}
const ONE: RouteSpec = {
  methods: ['GET', 'PUT', 'DELETE'],
  path: '/v1/workspaces/{id}',
  permissionByMethod: { GET: 'workspace:read', '*': 'workspace:write' },
  resource: 'workspace',
  id: 'id',
  reach: { workspace: 'lineage', application: 'within' },
}
const CUSTOMER: RouteSpec = {
  methods: ['GET'],
  path: '/v1/customers/{customer}/**',
  permission: 'workspace:read',
  customer: 'customer',
}
const ROUTES: readonly RouteSpec[] = [
  { methods: ['GET'], path: '/healthz', public: true },
  { methods: ['GET'], path: '/v1/things', permission: 'workspace:read' },
  { methods: ['GET'], path: '/v1/me', authenticated: true },
  { methods: ['GET'], path: '/v1/reports', permission: 'workspace:read', customersAtUpstream: true },
  LIST,
  ONE,
  CUSTOMER,
]

/** Asks with one key, which the index knows. */
function ruling(key: Key, request: RequestWish = {}, api: ApiWish = {}): Ruling {
  return decide(
    aRequest({ key, ...request }),
    anIndex({ apis: [anApi({ routes: ROUTES, ...api })], keys: [key] }),
    NOON,
  )
}

const answerOf = (found: Ruling): string => (found.kind === 'deny' ? found.code : found.kind)

function allowed(found: Ruling): Allow {
  if (found.kind !== 'allow') throw new Error(`not allowed: ${JSON.stringify(found)}`)
  return found
}

const field = (fields: Fields, name: string): string | undefined => fields[fields.indexOf(name) + 1]

describe('a request that everything is right about', () => {
  test('passes, and the upstream learns whose it is', () => {
    const key = aKey()
    const { record, upstream, narrowing, caller, match } = allowed(ruling(key))
    expect(record).toBe(key.record)
    expect(match?.route.path).toBe('/v1/things')
    expect(field(upstream, 'x-keyward-key-id')).toBe(key.credential.keyId)
    expect(field(upstream, 'x-keyward-principal')).toBe('key')
    expect(field(upstream, 'x-keyward-request-id')).toBe('request-1')
    expect(narrowing).toBeUndefined()
    expect(caller).toEqual([])
  })

  test.each<[string, (key: Key) => readonly string[]]>([
    ['a Bearer', ({ credential }) => ['Authorization', `Bearer ${credential.text}`]],
    ['X-API-Key', ({ credential }) => ['X-API-Key', credential.text]],
    ['Basic', ({ credential }) => ['Authorization', `Basic ${btoa(`${credential.keyId}:${secretOf(credential)}`)}`]],
  ])('passes with the key as %s', (_what, headers) => {
    const key = aKey()
    const index = anIndex({ keys: [key] })
    expect(decide(aRequest({ headers: headers(key) }), index, NOON).kind).toBe('allow')
  })

  test.each<[string, string]>([
    ['production', 'api.example.com'],
    ['production', 'API.example.com.:443'],
    ['staging', 'staging.example.com'],
    ['development', 'anything.dev.example.com'],
  ])('passes in %s at %s', (environment, host) => {
    const key = aKey({ environment: environment as 'production' })
    expect(answerOf(ruling(key, { host }))).toBe('allow')
  })
})

describe('every cell of the published table', () => {
  const other = aCredential()
  type Row = [Code, string, Parameters<typeof aKey>[0], RequestWish, ApiWish?]

  test.each<Row>([
    ['ambiguous_path', 'a path that is not canonical', {}, { target: '/v1/../v1/things' }],
    ['ambiguous_path', 'a target that is no path', {}, { target: '*' }],
    ['ambiguous_request', 'an alias of a header of ours', {}, { headers: ['X_Keyward_Key_Id', 'forged'] }],
    ['ambiguous_request', 'a second method in a header', {}, { headers: ['X-HTTP-Method-Override', 'DELETE'] }],
    ['ambiguous_request', 'a second method in the query', {}, { target: '/v1/things?_method=DELETE' }],
    ['ambiguous_request', 'a method that is not answered', {}, { method: 'TRACE' }],
    ['ambiguous_request', 'a method in lower case', {}, { method: 'get' }],
    ['ambiguous_request', 'no host', {}, { hosts: [] }],
    ['ambiguous_request', 'an empty host', {}, { host: '' }],
    ['ambiguous_request', 'two hosts', {}, { hosts: ['api.example.com', 'staging.example.com'] }],
    ['ambiguous_request', 'a host with user information', {}, { host: 'api.example.com@evil.example' }],
    [
      'ambiguous_request',
      'an unknown header of ours where it can not be removed',
      {},
      {
        headers: ['X-Keyward-Admin', 'true'],
        ability: { ...EVERYTHING, removal: false },
      },
    ],
    ['unknown_host', 'a host that no API has', {}, { host: 'other.example.com' }],
    ['unknown_host', 'two labels under a wildcard', { environment: 'development' }, { host: 'a.b.dev.example.com' }],
    ['missing_credential', 'no credential', {}, { key: undefined }],
    ['missing_credential', 'another scheme', {}, { key: undefined, headers: ['Authorization', 'Digest a="b"'] }],
    ['missing_credential', 'a key in the query alone', {}, { key: undefined, target: `/v1/things?key=${other.text}` }],
    ['ambiguous_credential', 'two headers', {}, { headers: ['X-API-Key', other.text] }],
    ['ambiguous_credential', 'a header and the query', {}, { target: `/v1/things?key=${other.text}` }],
    ['invalid_key', 'a key in no known form', {}, { key: undefined, headers: ['X-API-Key', 'secret'] }],
    [
      'invalid_key',
      'a wrong checksum',
      {},
      { key: undefined, headers: ['X-API-Key', `${other.text.slice(0, -6)}000000`] },
    ],
    ['invalid_key', 'an unknown key', {}, { key: undefined, headers: ['X-API-Key', other.text] }],
    [
      'invalid_key',
      'a token where none are accepted',
      {},
      { key: undefined, headers: ['Authorization', 'Bearer a.b.c'] },
    ],
    ['invalid_key', 'a replaced secret, at the end of its overlap', { validUntil: NOON }, {}],
    [
      'invalid_token',
      'a token that can not be verified',
      {},
      { key: undefined, headers: ['Authorization', 'Bearer a.b.c'] },
      { acceptsTokens: true },
    ],
    ['key_inactive', 'a suspended key', { state: 'Suspended' }, {}],
    ['key_inactive', 'a revoked key', { state: 'Revoked' }, {}],
    ['key_inactive', 'a key that is being deleted', { state: 'Deleted' }, {}],
    ['key_expired', 'a key at its expiry', { expiresAt: NOON }, {}],
    ['wrong_environment', 'a staging key in production', { environment: 'staging' }, {}],
    ['wrong_environment', 'a production key in staging', {}, { host: 'staging.example.com' }],
    ['address_not_allowed', 'another address', { allowedCidrs: cidrs('10.0.0.0/8') }, {}],
    [
      'address_not_allowed',
      'an address that is not known',
      { allowedCidrs: cidrs('0.0.0.0/0') },
      { address: undefined },
    ],
    ['no_route', 'another path', {}, { target: '/v1/nothing' }],
    ['no_route', 'another method', {}, { method: 'POST' }],
    ['no_route', 'a trailing slash', {}, { target: '/v1/things/' }],
    ['no_route', 'OPTIONS where it is not named', {}, { method: 'OPTIONS' }],
    ['missing_permission', 'another permission', { asked: ['workspace:write'] }, {}],
    ['missing_permission', 'no permission', { asked: [] }, {}],
    ['creator_access_lost', 'a permission that its people lost', { asked: ['workspace:read'], held: [] }, {}],
    ['outside_namespace', 'a sister of its workspace', {}, { target: '/v1/workspaces/us-1' }],
    [
      'outside_namespace',
      'a type that the route does not name',
      { accessNamespace: 'acme' },
      { target: '/v1/workspaces' },
    ],
    ['outside_namespace', 'a key whose namespace is gone', { accessNamespace: 'gone' }, {}],
    ['outside_customer', 'another customer', { customers: ['globex'] }, { target: '/v1/customers/initech/x' }],
    ['outside_customer', 'a route without a customer', { customers: ['globex'] }, {}],
    [
      'narrowing_unavailable',
      'a filter that the listener can not do',
      {},
      { target: '/v1/workspaces', ability: { ...EVERYTHING, filter: false } },
    ],
  ])('%s: %s', (code, _what, record, request, api) => {
    const key = aKey(record)
    const wish = 'key' in request ? { ...request, key: undefined } : { ...request, key }
    expect(answerOf(ruling(key, wish, api))).toBe(code)
  })

  test('a wrong secret of a known key, a secret under another ID and an unknown key are answered alike', () => {
    const [key, stranger] = [aKey(), aKey()]
    const index = anIndex({ keys: [key, { ...stranger, record: { ...stranger.record, keyId: key.record.keyId } }] })
    const ask = (text: string): Ruling => decide(aRequest({ headers: ['X-API-Key', text] }), index, NOON)
    const answers = [aCredential().text, stranger.credential.text].map(ask)
    expect(answers.map(answerOf)).toEqual(['invalid_key', 'invalid_key'])
    for (const answer of answers) expect(answer).not.toHaveProperty('record')
  })

  test('the checks of a known key stand in the published order', () => {
    expect(ORDER.map(({ name }) => name)).toEqual([
      'the key is active',
      'the key has not expired',
      'the key is made for this environment',
      "the caller's address is allowed",
      'a route matches',
      'the permission is held',
      'the namespace is within reach',
      'the customer is in scope',
      'the list can be narrowed',
    ])
  })

  test('a missing permission is named', () => {
    expect(ruling(aKey({ asked: [] }))).toMatchObject({ code: 'missing_permission', permission: 'workspace:read' })
    expect(ruling(aKey({ held: [] }))).toMatchObject({ code: 'creator_access_lost', permission: 'workspace:read' })
  })

  test('a key whose people hold nothing any more opens no route that asks for no permission either', () => {
    const open = { target: '/v1/me' }
    const nothingInside: ReadonlyMap<string, 'everywhere'> = new Map()
    expect(ruling(aKey(), open).kind).toBe('allow')
    expect(ruling(aKey({ held: [], heldWithin: nothingInside }), open)).toMatchObject({ code: 'creator_access_lost' })
    expect(ruling(aKey({ asked: [], held: [], heldWithin: nothingInside }), open).kind).toBe('allow')
  })

  test('a refusal of a known key names it for the log; one before that names none', () => {
    const key = aKey({ state: 'Revoked' })
    expect((ruling(key) as Refusal).record).toBe(key.record)
    expect(ruling(key, { target: '/x/../y' })).not.toHaveProperty('record')
  })

  test('no refusal repeats what was presented', () => {
    const key = aKey({ asked: [] })
    const secret = secretOf(key.credential)
    const changed = `${key.credential.text.slice(0, -6)}000000`
    const requests: RequestWish[] = [
      {},
      { target: `/v1/${key.credential.text}/../x` },
      { target: `/v1/things?key=${key.credential.text}` },
      { headers: ['X-API-Key', key.credential.text] },
      { key: undefined, headers: ['X-API-Key', changed] },
      { host: `${secret}.example.com` },
    ]
    for (const request of requests) {
      const { record: _record, ...answer } = ruling(key, request) as Refusal
      expect(JSON.stringify(answer)).not.toContain(secret.slice(0, 20))
    }
  })
})

// What can be wrong with one request, in the published order; a later one never hides an earlier one.
const WRONGS = [
  'ambiguous_path',
  'ambiguous_request',
  'unknown_host',
  'missing_credential',
  'ambiguous_credential',
  'invalid_key',
  'key_inactive',
  'key_expired',
  'wrong_environment',
  'address_not_allowed',
  'no_route',
  'missing_permission',
  'creator_access_lost',
  'outside_namespace',
  'outside_customer',
  'narrowing_unavailable',
] as const satisfies readonly Code[]

function wrongRequest(wrong: ReadonlySet<Code>): Ruling {
  const is = (code: Code) => wrong.has(code)
  const key = aKey({
    state: is('key_inactive') ? 'Suspended' : 'Active',
    environment: is('wrong_environment') ? 'staging' : 'production',
    asked: is('missing_permission') ? ['other:read'] : ['workspace:read'],
    held: is('missing_permission') || is('creator_access_lost') ? [] : ['workspace:read'],
    accessNamespace: is('outside_namespace') ? 'acme' : 'acme-web',
    expiresAt: is('key_expired') ? NOON - 1 : NOON + 1,
    allowedCidrs: is('address_not_allowed') ? cidrs('10.0.0.0/8') : cidrs('203.0.113.0/24'),
    customers: is('outside_customer') ? ['globex'] : undefined,
    limits: [aRate(), aQuota()],
  })
  const text = is('invalid_key') ? aCredential().text : key.credential.text
  const carried = is('missing_credential') ? [] : ['authorization', `Bearer ${text}`]
  const second = is('ambiguous_credential') && !is('missing_credential') ? ['x-api-key', text] : []
  const path = is('no_route') ? '/v1/nothing' : '/v1/workspaces'
  return ruling(key, {
    key: undefined,
    target: is('ambiguous_path') ? `/.${path}` : path,
    host: is('unknown_host') ? 'other.example.com' : 'api.example.com',
    headers: [...(is('ambiguous_request') ? ['x_keyward_namespace', 'acme'] : []), ...carried, ...second],
    ability: is('narrowing_unavailable') ? NOTHING : EVERYTHING,
  })
}

describe('whatever else is wrong, the earliest row answers', () => {
  test.each(WRONGS)('%s alone', (code) => {
    expect(answerOf(wrongRequest(new Set([code])))).toBe(code)
  })

  test('nothing wrong at all', () => {
    expect(answerOf(wrongRequest(new Set()))).toBe('metered')
  })

  test('any two', () => {
    for (const [i, first] of WRONGS.entries()) {
      for (const second of WRONGS.slice(i + 1)) {
        expect(`${second}: ${answerOf(wrongRequest(new Set([first, second])))}`).toBe(`${second}: ${first}`)
      }
    }
  })

  test('any number, and a refusal is never metered: what is denied costs nothing', () => {
    fc.assert(
      fc.property(fc.subarray([...WRONGS], { minLength: 1 }), (wrong) => {
        const found = wrongRequest(new Set(wrong))
        expect(answerOf(found)).toBe(WRONGS.find((code) => wrong.includes(code)))
        expect(found.kind).toBe('deny')
      }),
      { numRuns: 250 },
    )
  })
})

describe('a public route', () => {
  const unusable = aKey({
    state: 'Revoked',
    expiresAt: 0,
    allowedCidrs: [],
    customers: [],
    held: [],
    environment: 'staging',
  })

  test.each<[string, RequestWish]>([
    ['no credential', { key: undefined }],
    ['a key that is good for nothing', {}],
    ['a credential that is none', { key: undefined, headers: ['Authorization', 'Bearer nonsense'] }],
    ['an unknown key', { key: undefined, headers: ['X-API-Key', aCredential().text] }],
    ['two credentials', { headers: ['X-API-Key', 'x', 'X-API-Key', 'y'] }],
    ['a key in the query beside it', { target: `/healthz?key=${aCredential().text}` }],
    ['HEAD', { method: 'HEAD' }],
  ])('lets %s through, as nobody', (_what, request) => {
    const { record, upstream } = allowed(ruling(unusable, { target: '/healthz', key: unusable, ...request }))
    expect(record).toBeUndefined()
    expect(upstream.filter((_, i) => i % 2 === 0)).toEqual([...UPSTREAM_HEADERS])
    expect(field(upstream, 'x-keyward-principal')).toBe('anonymous')
    expect(field(upstream, 'x-keyward-key-id')).toBe('')
  })

  test('is never metered, whoever asks', () => {
    expect(answerOf(ruling(aKey({ limits: [aRate({ requests: 1 })] }), { target: '/healthz' }))).toBe('allow')
  })

  test.each<[Code, RequestWish]>([
    ['ambiguous_path', { target: '/healthz/..' }],
    ['ambiguous_request', { target: '/healthz', headers: ['X_Keyward_Namespace', 'acme'] }],
    ['ambiguous_request', { target: '/healthz', method: 'TRACE' }],
    ['unknown_host', { target: '/healthz', host: 'other.example.com' }],
    ['missing_credential', { target: '/healthz', method: 'POST', key: undefined }],
    ['missing_credential', { target: '/healthz/', key: undefined }],
  ])('is no way around %s', (code, request) => {
    expect(answerOf(ruling(unusable, { key: undefined, ...request }))).toBe(code)
  })
})

describe('a path that no route names', () => {
  test('is refused by default, but only to a good key: others learn nothing of the routes', () => {
    expect(answerOf(ruling(aKey(), { target: '/v2' }))).toBe('no_route')
    expect(answerOf(ruling(aKey(), { target: '/v2', key: undefined }))).toBe('missing_credential')
  })

  test('is open to any good key where unmatched says authenticated', () => {
    const api: ApiWish = { unmatched: 'authenticated' }
    expect(answerOf(ruling(aKey({ asked: [] }), { target: '/v2', method: 'DELETE' }, api))).toBe('allow')
    expect(answerOf(ruling(aKey(), { target: '/v2', key: undefined }, api))).toBe('missing_credential')
    expect(answerOf(ruling(aKey({ state: 'Suspended' }), { target: '/v2' }, api))).toBe('key_inactive')
    expect(answerOf(ruling(aKey({ customers: ['globex'] }), { target: '/v2' }, api))).toBe('outside_customer')
    expect(answerOf(ruling(aKey({ accessNamespace: 'gone' }), { target: '/v2' }, api))).toBe('outside_namespace')
    expect(answerOf(ruling(aKey({ limits: [aRate()] }), { target: '/v2' }, api))).toBe('metered')
  })
})

describe('what a route asks for', () => {
  test('authenticated: any good key, without a permission', () => {
    expect(answerOf(ruling(aKey({ asked: [] }), { target: '/v1/me' }))).toBe('allow')
    expect(answerOf(ruling(aKey(), { target: '/v1/me', key: undefined }))).toBe('missing_credential')
  })

  test.each([
    ['GET', 'workspace:read', 'allow'],
    ['HEAD', 'workspace:read', 'allow'],
    ['PUT', 'workspace:read', 'missing_permission'],
    ['PUT', 'workspace:write', 'allow'],
    ['DELETE', 'workspace:write', 'allow'],
    ['GET', 'workspace:write', 'missing_permission'],
  ])('by method: %s with %s: %s', (method, permission, answer) => {
    const key = aKey({ asked: [permission] })
    expect(answerOf(ruling(key, { method, target: '/v1/workspaces/eu-1' }))).toBe(answer)
  })

  test('a method for which it names no permission is refused: nothing asked is not everything granted', () => {
    const routes: RouteSpec[] = [{ path: '/v1/things', permissionByMethod: { GET: 'workspace:read' } }]
    const key = aKey({ asked: ['workspace:read', 'workspace:write'] })
    expect(answerOf(ruling(key, {}, { routes }))).toBe('allow')
    expect(answerOf(ruling(key, { method: 'DELETE' }, { routes }))).toBe('missing_permission')
    expect(answerOf(ruling(key, {}, { routes: [{ path: '/v1/things' }] }))).toBe('missing_permission')
  })
})

describe('customers', () => {
  const limited = aKey({ customers: ['globex', 'initech'] })

  test.each([
    ['its customer', '/v1/customers/globex/x', 'allow'],
    ['its other customer', '/v1/customers/initech/', 'allow'],
    ['another customer', '/v1/customers/hooli/x', 'outside_customer'],
    ['its customer in other letter case', '/v1/customers/Globex/x', 'outside_customer'],
    ['two customers in one', '/v1/customers/globex,initech/x', 'outside_customer'],
    ['no customer', '/v1/customers/', 'no_route'],
    ['a route without customers', '/v1/things', 'outside_customer'],
    ['a route whose upstream looks after them', '/v1/reports', 'allow'],
    ['a list', '/v1/workspaces', 'outside_customer'],
    ['a public route', '/healthz', 'allow'],
  ])('a key limited to some, at %s: %s', (_what, target, answer) => {
    expect(answerOf(ruling(limited, { target }))).toBe(answer)
  })

  test('a key that is not limited gets to all of them', () => {
    expect(answerOf(ruling(aKey(), { target: '/v1/customers/hooli/x' }))).toBe('allow')
  })

  test('a route that names a customer and trusts its upstream still looks', () => {
    const routes: RouteSpec[] = [{ ...CUSTOMER, customersAtUpstream: true }]
    expect(answerOf(ruling(limited, { target: '/v1/customers/hooli/x' }, { routes }))).toBe('outside_customer')
    expect(answerOf(ruling(limited, { target: '/v1/customers/globex/x' }, { routes }))).toBe('allow')
  })

  test('a customer is compared decoded', () => {
    const key = aKey({ customers: ['Zoë & Co'] })
    expect(answerOf(ruling(key, { target: '/v1/customers/Zo%C3%AB%20&%20Co/x' }))).toBe('allow')
  })
})

describe('a list', () => {
  const app = aKey({ accessNamespace: 'acme-web' })
  const lists = (narrow: RouteSpec['narrow']): ApiWish => ({ routes: [{ ...LIST, narrow }] })

  test('is narrowed to what lies inside, in the order of names', () => {
    const { narrowing, upstream } = allowed(ruling(app, { target: '/v1/workspaces' }))
    expect(narrowing).toEqual({
      header: 'eu-1,us-1',
      target: undefined,
      filter: { items: '/items', id: '/id', visible: new Set(['eu-1', 'us-1']) },
    })
    expect(field(upstream, 'x-keyward-visible')).toBe('eu-1,us-1')
  })

  test('of a workspace key shows the one', () => {
    const { narrowing } = allowed(ruling(aKey(), { target: '/v1/workspaces?a=1' }, lists({ query: 'id' })))
    expect(narrowing).toMatchObject({ header: 'eu-1', target: '/v1/workspaces?a=1&id=eu-1' })
  })

  test('asked for more than its set is ambiguous, and only then', () => {
    const ask = (query: string) => answerOf(ruling(app, { target: `/v1/workspaces?${query}` }, lists({ query: 'id' })))
    expect(ask('id=eu-1')).toBe('allow')
    expect(ask('id=acme-shop-eu')).toBe('ambiguous_request')
    expect(ask('id=eu-1&ID=us-1')).toBe('ambiguous_request')
  })

  test.each<[string, RouteSpec['narrow'], string]>([
    ['by the query: refused, for a query can not say nothing', { query: 'id' }, 'outside_namespace'],
    ['by query and filter: refused', { query: 'id', filter: { items: '', id: '/id' } }, 'outside_namespace'],
    ['by a filter: allowed, and all is cut', { filter: { items: '', id: '/id' } }, 'allow'],
    ['by the upstream: allowed, and it is told', { upstream: true }, 'allow'],
  ])('of nothing, narrowed %s', (_what, narrow, answer) => {
    const nobody = aKey({ accessNamespace: 'acme-web', heldWithin: new Map() })
    const found = ruling(nobody, { target: '/v1/workspaces' }, lists(narrow))
    expect(answerOf(found)).toBe(answer)
    if (found.kind === 'allow') expect(field(found.upstream, 'x-keyward-visible')).toBe('')
  })

  test('that is too long is named, if it is all there is inside', () => {
    const namespaces = [
      { name: 'o', type: 'organization' as const, parent: undefined, externalId: 'o' },
      { name: 'a', type: 'application' as const, parent: 'o', externalId: 'the-app' },
      ...Array.from({ length: 500 }, (_, i) => ({
        name: `w${i}`,
        type: 'workspace' as const,
        parent: 'a',
        externalId: `workspace-number-${i}`,
      })),
    ]
    const ask = (record: Parameters<typeof aKey>[0]) => {
      const key = aKey({ accessNamespace: 'a', ...record })
      const index = anIndex({ apis: [anApi(lists({ upstream: true }))], namespaces, keys: [key] })
      return decide(aRequest({ key, target: '/v1/workspaces' }), index, NOON)
    }
    expect(field(allowed(ask({})).upstream, 'x-keyward-visible')).toBe('@within/application/the-app')
    // the people behind it hold the permission on all but one: the name would say too much
    const heldWithin = new Map([['workspace:read', new Set(namespaces.slice(2, -1).map(({ name }) => name))]])
    expect(answerOf(ask({ heldWithin }))).toBe('narrowing_unavailable')
  })
})

describe('a list of 20,000', () => {
  const namespaces = [
    { name: 'o', type: 'organization' as const, parent: undefined, externalId: 'o' },
    { name: 'a', type: 'application' as const, parent: 'o', externalId: 'a' },
    ...Array.from({ length: 20_000 }, (_, i) => ({
      name: `w${i}`,
      type: 'workspace' as const,
      parent: 'a',
      externalId: `w${i}`,
    })),
  ]
  const held = new Set(namespaces.slice(2, -1).map(({ name }) => name))
  const apis = [anApi({ routes: [{ ...LIST, narrow: { filter: { items: '', id: '/id' }, upstream: true } }] })]
  const bare = anIndex({ namespaces: [] })

  /** The same tree, and how often it was asked for what is inside. */
  function watched(keys: readonly Key[]) {
    const index = anIndex({ apis, namespaces, keys })
    const seen = { within: 0 }
    const tree: typeof bare.tree = {
      ...index.tree,
      within: (name, type) => {
        seen.within++
        return index.tree.within(name, type)
      },
    }
    return { index: { ...index, tree }, seen }
  }

  const refused: [Code, Parameters<typeof aKey>[0]][] = [
    ['key_inactive', { state: 'Revoked' }],
    ['key_expired', { expiresAt: NOON }],
    ['wrong_environment', { environment: 'staging' }],
    ['address_not_allowed', { allowedCidrs: cidrs('10.0.0.0/8') }],
    ['missing_permission', { asked: [] }],
    ['creator_access_lost', { held: [] }],
  ]
  const keys = refused.map(([, record]) => aKey({ accessNamespace: 'a', ...record }))

  test('is not looked at for a key that an earlier row refuses', () => {
    const { index, seen } = watched(keys)
    const answers = keys.map((key) => answerOf(decide(aRequest({ key, target: '/v1/workspaces' }), index, NOON)))
    expect(answers).toEqual(refused.map(([code]) => code))
    expect(seen.within).toBe(0)
  })

  test.each<[string, Parameters<typeof aKey>[0]]>([
    ['nobody caps', {}],
    ['its people cap', { heldWithin: new Map([['workspace:read', held]]), limits: [aRate()] }],
  ])('is put together once for a key that %s, not for every request', (_what, record) => {
    const key = aKey({ accessNamespace: 'a', ...record })
    const { index } = watched([key])
    const ask = () => {
      const found = decide(aRequest({ key, target: '/v1/workspaces' }), index, NOON)
      if (found.kind === 'deny') return found
      return (found.kind === 'metered' ? found.granted : found).narrowing?.filter?.visible
    }
    const first = ask()
    // a set that is not whole has no name
    if (record !== undefined && 'heldWithin' in record) expect(first).toMatchObject({ code: 'narrowing_unavailable' })
    else expect(ask()).toBe(first)
    expect(leastCpuMs(ask, 50)).toBeLessThan(0.5)
  })
})

describe('a CORS preflight', () => {
  const preflight: RequestWish = {
    method: 'OPTIONS',
    key: undefined,
    headers: ['Origin', 'https://app.example', 'Access-Control-Request-Method', 'GET'],
  }

  test('needs a credential by default', () => {
    expect(answerOf(ruling(aKey(), preflight))).toBe('missing_credential')
  })

  test('passes without one where the API says so, as nobody, and anywhere', () => {
    const api: ApiWish = { preflight: 'allow' }
    expect(allowed(ruling(aKey(), preflight, api)).record).toBeUndefined()
    expect(answerOf(ruling(aKey(), { ...preflight, target: '/v1/nothing' }, api))).toBe('allow')
  })

  test.each<[string, RequestWish, string]>([
    ['OPTIONS that names no method', { headers: ['Origin', 'https://app.example'] }, 'missing_credential'],
    ['a GET that names a method', { method: 'GET' }, 'missing_credential'],
    ['an ambiguous path', { target: '/a//b' }, 'ambiguous_path'],
    ['an unknown host', { host: 'other.example.com' }, 'unknown_host'],
  ])('%s is no preflight that passes', (_what, request, answer) => {
    expect(answerOf(ruling(aKey(), { ...preflight, ...request }, { preflight: 'allow' }))).toBe(answer)
  })
})

describe('a replaced secret', () => {
  test.each([
    ['within its overlap', NOON + 1, 'allow'],
    ['at its end', NOON, 'invalid_key'],
    ['after it', NOON - 1, 'invalid_key'],
  ])('%s', (_what, validUntil, answer) => {
    expect(answerOf(ruling(aKey({ validUntil })))).toBe(answer)
  })

  test('works beside the new one, for the same key', () => {
    const [fresh, spare] = [aKey(), aKey()]
    const parsed = parseCredential(spare.credential.text)
    expect(parsed.ok).toBe(true)
    const old: Key = {
      credential: spare.credential,
      record: { ...fresh.record, keyId: spare.credential.keyId },
      validUntil: NOON + 1,
    }
    const index = anIndex({ apis: [anApi({ routes: ROUTES })], keys: [fresh, old] })
    expect(decide(aRequest({ key: fresh }), index, NOON).kind).toBe('allow')
    expect(decide(aRequest({ key: old }), index, NOON).kind).toBe('allow')
    expect(answerOf(decide(aRequest({ key: old }), index, NOON + 1))).toBe('invalid_key')
  })
})

describe('limits', () => {
  const limits = [aRate({ requests: 600, burst: 60 }), aQuota({ requests: 1000 })]

  test('a key with limits is metered, and what holds if they can be spent is inside', () => {
    const key = aKey({ limits })
    const found = ruling(key) as Metered
    expect(found).toMatchObject({ kind: 'metered', limits, record: { keyId: key.record.keyId } })
    expect(found.granted).toMatchObject({ kind: 'allow', caller: [] })
    expect(field(found.granted.upstream, 'x-keyward-key-id')).toBe(key.record.keyId)
  })

  test('what was granted tells the caller what is left', () => {
    const left = [{ limit: limits[0] ?? aRate(), remaining: 59, resetUs: 100_000 }]
    const verdict = settle(ruling(aKey({ limits })), { ok: true, left }, NOON * 1000)
    expect(verdict).toMatchObject({
      kind: 'allow',
      caller: ['ratelimit-policy', '"rate";q=600;w=60', 'ratelimit', '"rate";r=59;t=1'],
    })
  })

  test.each([
    ['rate_limited', 1_500_000, '2'],
    ['quota_exhausted', 43_200_000_000, '43200'],
  ] as const)('what was refused as %s tells the caller when to come back', (code, retryUs, seconds) => {
    const key = aKey({ limits })
    const verdict = settle(ruling(key), { ok: false, code, retryUs, left: [] }, NOON * 1000)
    expect(verdict).toEqual({
      kind: 'deny',
      code,
      why: expect.any(String),
      record: key.record,
      caller: ['retry-after', seconds],
    })
  })

  test('a ruling that is no question of limits stays as it is', () => {
    const spent = { ok: false, code: 'rate_limited', retryUs: 1, left: [] } as const
    for (const found of [ruling(aKey()), ruling(aKey({ state: 'Revoked' }))]) {
      expect(settle(found, spent, NOON * 1000)).toBe(found)
    }
  })
})

describe("a proxy's configuration that pins API and environment", () => {
  const key = aKey({ environment: 'staging' })
  const index = anIndex({ apis: [anApi()], keys: [key] })
  const asked = (pin: { api?: string; environment?: string }, host: string) => {
    const whole = { api: pin.api, environment: pin.environment }
    const ruling = decide(aRequest({ key, host, pin: whole }), index, NOON)
    return ruling.kind === 'deny' ? ruling.code : ruling.kind
  }

  test.each([
    ['both, whatever the Host', { api: 'team-api/main', environment: 'staging' }, 'anything.test', 'allow'],
    ['both, against the Host', { api: 'team-api/main', environment: 'staging' }, 'api.example.com', 'allow'],
    ['the API alone: the environment is that of the Host', { api: 'team-api/main' }, 'staging.example.com', 'allow'],
    ['the API alone, at a Host that says nothing', { api: 'team-api/main' }, 'anything.test', 'unknown_host'],
    ['the environment alone: the API is that of the Host', { environment: 'staging' }, 'api.example.com', 'allow'],
    ['another environment', { environment: 'production' }, 'staging.example.com', 'wrong_environment'],
    ['an API that is not there', { api: 'team-api/other' }, 'staging.example.com', 'unknown_host'],
    ['an environment that is none', { environment: 'prod' }, 'staging.example.com', 'unknown_host'],
    ['both, at a Host in two spellings', { api: 'team-api/main', environment: 'staging' }, 'a b', 'ambiguous_request'],
  ])('%s', (_, pin, host, expected) => {
    expect(asked(pin, host)).toBe(expected)
  })

  test('an API of one environment needs no other hint', () => {
    const one = anApi({ environments: [{ name: 'staging', hosts: ['staging.example.com'] }] })
    const request = aRequest({ key, host: 'anything.test', pin: { api: 'team-api/main', environment: undefined } })
    expect(decide(request, anIndex({ apis: [one], keys: [key] }), NOON).kind).toBe('allow')
  })
})
