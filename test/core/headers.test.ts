import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Fields, limitFields, retryAfter, UPSTREAM_HEADERS, upstreamFields } from '../../src/core/headers.ts'
import type { Left } from '../../src/core/limit.ts'
import { buildTree } from '../../src/core/namespace.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import {
  aKeyRecord,
  anAccessNamespace,
  aQuota,
  aRate,
  DAY_US,
  HOUR_US,
  MINUTE_US,
  NAMESPACES,
  NOON,
  SECOND_US,
} from '../support/make.ts'

const { tree } = buildTree(NAMESPACES)
const NOON_US = NOON * 1000

const pairs = (fields: Fields): [string, string][] =>
  fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '(no value)']] : []))

const asObject = (fields: Fields): Record<string, string> => Object.fromEntries(pairs(fields))

const told = (record: KeyRecord | undefined, visible = '') =>
  asObject(upstreamFields({ record, tree, visible, requestId: 'request-1' }))

describe('what the upstream learns', () => {
  test('of a key that is limited to customers', () => {
    const record = aKeyRecord({
      asked: ['a:read', 'a:write', 'b:read'],
      held: ['a:read', 'b:read'],
      customers: ['globex', 'initech'],
    })
    expect(told(record)).toEqual({
      'x-keyward-key-id': record.keyId,
      'x-keyward-key-name': 'team-web/main-website',
      'x-keyward-environment': 'production',
      'x-keyward-namespace': 'eu-1',
      'x-keyward-namespace-type': 'workspace',
      'x-keyward-organization': 'acme',
      'x-keyward-application': 'acme-web',
      'x-keyward-workspace': 'eu-1',
      'x-keyward-user-group': '',
      'x-keyward-permissions': 'a:read,b:read',
      'x-keyward-customers': 'globex,initech',
      'x-keyward-visible': '',
      'x-keyward-principal': 'key',
      'x-keyward-subject': '',
      'x-keyward-request-id': 'request-1',
    })
  })

  test('of nobody: every header, empty but for the two that apply', () => {
    const fields = told(undefined)
    expect(Object.entries(fields).filter(([, value]) => value !== '')).toEqual([
      ['x-keyward-principal', 'anonymous'],
      ['x-keyward-request-id', 'request-1'],
    ])
    expect(Object.keys(fields)).toEqual([...UPSTREAM_HEADERS])
  })

  test.each<[string, string, Record<string, string>]>([
    [
      'an organization',
      'acme',
      {
        namespace: 'acme',
        'namespace-type': 'organization',
        organization: 'acme',
        application: '',
        workspace: '',
        'user-group': '',
      },
    ],
    [
      'an application',
      'acme-web',
      {
        namespace: 'acme-web',
        'namespace-type': 'application',
        organization: 'acme',
        application: 'acme-web',
        workspace: '',
        'user-group': '',
      },
    ],
    [
      "an organization's user group",
      'acme-staff',
      {
        namespace: 'acme-staff',
        'namespace-type': 'userGroup',
        organization: 'acme',
        application: '',
        workspace: '',
        'user-group': 'acme-staff',
      },
    ],
    [
      "an application's user group",
      'acme-web-admins',
      {
        namespace: 'acme-web-admins',
        'namespace-type': 'userGroup',
        organization: 'acme',
        application: 'acme-web',
        workspace: '',
        'user-group': 'acme-web-admins',
      },
    ],
  ])('of a key of %s', (_what, accessNamespace, wanted) => {
    const fields = told(aKeyRecord({ accessNamespace }))
    for (const [name, value] of Object.entries(wanted)) expect(fields[`x-keyward-${name}`]).toBe(value)
  })

  test('a key that is not limited to customers says so, and the visible set is handed on', () => {
    expect(told(aKeyRecord(), 'eu-1,us-1')).toMatchObject({
      'x-keyward-customers': '*',
      'x-keyward-visible': 'eu-1,us-1',
    })
  })

  test("is all of it and each once, whatever the key: a header left out would let a caller's own through", () => {
    const names = fc.constantFrom(...NAMESPACES.map(({ name }) => name), 'gone')
    const strings = fc.subarray(['a:read', 'b:read'])
    fc.assert(
      fc.property(names, strings, fc.option(strings, { nil: undefined }), (accessNamespace, held, customers) => {
        const fields = upstreamFields({
          record: aKeyRecord({ accessNamespace, held, customers }),
          tree,
          visible: '',
          requestId: 'r',
        })
        expect(pairs(fields).map(([name]) => name)).toEqual([...UPSTREAM_HEADERS])
      }),
      { numRuns: 50 },
    )
  })

  test('external ids are told, never names', () => {
    const renamed = NAMESPACES.map((one) => anAccessNamespace({ ...one, externalId: `id-of-${one.name}` }))
    const fields = upstreamFields({ record: aKeyRecord(), tree: buildTree(renamed).tree, visible: '', requestId: 'r' })
    expect(asObject(fields)).toMatchObject({
      'x-keyward-namespace': 'id-of-acme-web-eu',
      'x-keyward-organization': 'id-of-acme',
      'x-keyward-application': 'id-of-acme-web',
      'x-keyward-workspace': 'id-of-acme-web-eu',
    })
  })
})

describe('what the caller learns of its limits', () => {
  const rate = aRate({ requests: 600, perUs: MINUTE_US, burst: 60 })

  test.each<[string, Left[], Record<string, string>]>([
    ['nothing without limits', [], {}],
    [
      'a rate',
      [{ limit: rate, remaining: 59, resetUs: 100_000 }],
      { 'ratelimit-policy': '"rate";q=600;w=60', ratelimit: '"rate";r=59;t=1' },
    ],
    [
      'a daily quota',
      [{ limit: aQuota({ requests: 1000, period: 'day' }), remaining: 0, resetUs: 12 * HOUR_US }],
      { 'ratelimit-policy': '"quota";q=1000;w=86400', ratelimit: '"quota";r=0;t=43200' },
    ],
    [
      'a rate and a monthly quota, of the thirty days of November',
      [
        { limit: rate, remaining: 60, resetUs: 0 },
        { limit: aQuota({ requests: 1_000_000, period: 'month' }), remaining: 999_999, resetUs: 8 * DAY_US + 1 },
      ],
      {
        'ratelimit-policy': '"rate";q=600;w=60, "quota";q=1000000;w=2592000',
        ratelimit: '"rate";r=60;t=0, "quota";r=999999;t=691201',
      },
    ],
  ])('%s', (_what, left, fields) => {
    expect(asObject(limitFields(left, NOON_US))).toEqual(fields)
  })

  test('is always a structured field list of strings with integers (RFC 9651)', () => {
    const list = /^"(rate|quota)"(;[a-z]=\d{1,15})+(, "(rate|quota)"(;[a-z]=\d{1,15})+)*$/
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    fc.assert(
      fc.property(number, number, fc.constantFrom('day' as const, 'month' as const), (requests, remaining, period) => {
        const left: Left[] = [
          { limit: aRate({ requests: 60_000_000, perUs: DAY_US }), remaining: 60_000_000, resetUs: 0.5 },
          { limit: aQuota({ requests, period }), remaining, resetUs: 31 * DAY_US },
        ]
        for (const [, value] of pairs(limitFields(left, NOON_US))) expect(value).toMatch(list)
      }),
      { numRuns: 100 },
    )
  })

  test.each([
    [0, '1'],
    [1, '1'],
    [SECOND_US, '1'],
    [SECOND_US + 1, '2'],
    [59.5 * SECOND_US, '60'],
    [31 * DAY_US, '2678400'],
  ])('a wait of %i µs is told in whole seconds, rounded up and at least one: %s', (waitUs, text) => {
    expect(retryAfter(waitUs)).toBe(text)
  })
})
