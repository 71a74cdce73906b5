/** The bypass corpus is complete: each of its cases is run or listed, none is both, and the oracle does object. */
import { describe, expect, test } from 'vitest'
import { BEHIND_PROXIES, NGINX_SCENARIOS } from '../corpus/behind-proxies.ts'
import { CASES, COUNT, RAW_CASES } from '../corpus/cases.ts'
import { CLI_CASES } from '../corpus/cli-cases.ts'
import { CLUSTER_CASES } from '../corpus/cluster-cases.ts'
import { expectationOf, STANDS_OTHERWISE } from '../corpus/expectations.ts'
import { CORPUS_GRPC, GRPC_SCENARIOS } from '../corpus/grpc-cases.ts'
import { MORE_GRPC } from '../corpus/grpc-more.ts'
import { CORPUS_FLOODS } from '../corpus/h2-floods.ts'
import { CORPUS_CALLS, CORPUS_DROPPED } from '../corpus/h2-malformed.ts'
import { SOAK } from '../corpus/keep-alive-race.ts'
import { NOT_YET_RUN } from '../corpus/not-yet-run.ts'
import { wrongs } from '../corpus/oracle.ts'
import { REDIS_CASES } from '../corpus/redis-cases.ts'
import { SCENARIOS } from '../corpus/scenarios.ts'
import { TIMING_SCENARIOS } from '../corpus/scenarios-timing.ts'
import type { Seen } from '../corpus/upstream.ts'

test('every case of the corpus is run or listed as not yet run, and none is both', () => {
  const accounted = [
    ...RAW_CASES.map(({ id }) => id),
    ...Object.keys(SCENARIOS),
    ...Object.keys(TIMING_SCENARIOS),
    ...NGINX_SCENARIOS,
    ...CORPUS_GRPC.map(({ id }) => id),
    ...GRPC_SCENARIOS,
    ...REDIS_CASES,
    ...CLI_CASES,
    ...[CORPUS_CALLS, CORPUS_DROPPED, CORPUS_FLOODS].flatMap(Object.keys),
    SOAK,
    ...Object.keys(CLUSTER_CASES),
    ...Object.values(NOT_YET_RUN).flat(),
  ]
  expect(accounted.toSorted()).toEqual(CASES.map(({ id }) => id).toSorted())
  expect(CASES).toHaveLength(COUNT)
  expect(RAW_CASES).toHaveLength(147)
})

test('every raw case whose surface names a proxy is run through proxies', () => {
  const named = RAW_CASES.filter(({ surface }) => /nginx|envoy|traefik/.test(surface))
  expect(named.filter((one) => !BEHIND_PROXIES.includes(one)).map(({ id }) => id)).toEqual([])
})

test('every message of the corpus says what it comes to, and no case has the name of another', () => {
  const wanted = /^(allow|4\d\d [a-z_]+)/
  expect([...CORPUS_GRPC, ...MORE_GRPC].filter(({ comes }) => !wanted.test(comes)).map(({ id }) => id)).toEqual([])
  const ids = [...CORPUS_GRPC, ...MORE_GRPC].map(({ id }) => id)
  expect(ids).toHaveLength(new Set(ids).size)
})

test('every raw case says what the upstream may see of it', () => {
  expect(RAW_CASES.filter((one) => expectationOf(one) === undefined).map(({ id }) => id)).toEqual([])
})

test('a case whose status is settled otherwise is a case that there is', () => {
  const ids = new Set(RAW_CASES.map(({ id }) => id))
  expect(Object.keys(STANDS_OTHERWISE).filter((id) => !ids.has(id))).toEqual([])
})

describe('the oracle', () => {
  const KEY = `kw_prod_ABCDEFGHIJKL_${'s'.repeat(49)}`
  const SENT = `GET /api/x HTTP/1.1\r\nX-API-Key: ${KEY}\r\n\r\n`
  const IDENTITY: Readonly<Record<string, string>> = {
    'x-keyward-key-id': 'kw_prod_ABCDEFGHIJKL',
    'x-keyward-key-name': 'team-a/ro',
    'x-keyward-environment': 'production',
    'x-keyward-namespace': 'shop-eu',
    'x-keyward-namespace-type': 'workspace',
    'x-keyward-organization': 'acme',
    'x-keyward-application': 'shop',
    'x-keyward-workspace': 'shop-eu',
    'x-keyward-user-group': '',
    'x-keyward-permissions': 'api:read',
    'x-keyward-customers': '*',
    'x-keyward-visible': '',
    'x-keyward-principal': 'key',
    'x-keyward-subject': '',
    'x-keyward-request-id': 'r-1',
  }
  const seen = (changed: Partial<Seen>, more: Readonly<Record<string, string>> = {}): Seen => ({
    method: 'GET',
    target: '/api/x',
    headers: Object.entries({ host: 'api.test', ...IDENTITY, ...more }),
    body: '',
    trailers: '',
    head: '',
    connection: 0,
    ...changed,
  })
  const objections = (one: Seen, sent = SENT) => wrongs(one, sent, { KEY_RO: KEY }).length

  test('has nothing against what is allowed', () => {
    expect(wrongs(seen({}), SENT, { KEY_RO: KEY })).toEqual([])
    expect(wrongs(seen({ target: '/api/caf%C3%A9?a=%2e%2e/admin' }), SENT, { KEY_RO: KEY })).toEqual([])
  })

  test.each([
    '/admin/users',
    '/ADMIN/users',
    '/api/../admin/users',
    '/api/%2e%2e/admin/users',
    '/api/%252e%252e/admin/users',
    '/api/..;/admin/users',
    '/api\\..\\admin\\users',
    '/api/%c0%ae%c0%ae/admin/users',
    '/api/%ef%bc%8e%ef%bc%8e/admin',
    '/%61dmin/users',
    '/api/%2e%2e%2fadmin',
    '/api/workspaces/billing-eu',
    '/api/x/../workspaces/billing%2Deu',
    '/api/x%250d%250aSet-Cookie:a',
    '/api/x%00',
    '/nowhere',
  ])('objects to %s by a key that only reads /api', (target) => {
    expect(objections(seen({ target }))).toBeGreaterThan(0)
  })

  test.each<[string, Partial<Seen>, Readonly<Record<string, string>>]>([
    ['another method', { method: 'POST' }, {}],
    ['a second identity in another spelling', {}, { X_Keyward_Key_Id: 'kw_prod_AAAAAAAAAAAA' }],
    ['an identity header too few', { headers: Object.entries({ host: 'api.test', ...IDENTITY }).slice(0, -1) }, {}],
    ['more permissions than the key has', {}, { 'x-keyward-permissions': 'api:read,admin:all' }],
    ['a credential that arrives', {}, { Authorization: `Bearer ${KEY}` }],
    ['another host', {}, { host: 'evil.test' }],
    ['a header that overrides the method', {}, { X_HTTP_Method_Override: 'DELETE' }],
    ['a hop-by-hop header', {}, { TE: 'trailers' }],
    ['two framings', {}, { 'content-length': '1', 'transfer-encoding': 'chunked' }],
    ['trailers', { trailers: 'X-Keyward-Key-Id: x' }, {}],
  ])('objects to %s', (_what, changed, more) => {
    expect(objections(seen(changed, more))).toBeGreaterThan(0)
  })

  test('objects to a key that was let in beside a second one', () => {
    expect(objections(seen({}), SENT.replace('\r\n\r\n', '\r\nAuthorization: Bearer x\r\n\r\n'))).toBeGreaterThan(0)
  })

  test('objects to a key that was let in without its credential in the bytes', () => {
    expect(objections(seen({}), SENT.replace(KEY, `${KEY.slice(0, -1)}t`))).toBeGreaterThan(0)
  })
})
