/** What of an edited key must be granted; whatever only takes away is never among it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ApiKey } from '../../src/resources/api-key.ts'
import { parseManifest } from '../../src/resources/manifest.ts'
import { type KeyManifest, narrowedKey } from '../../src/resources/narrowed-key.ts'
import { asked } from '../../src/webhook/widening.ts'
import { aKey } from '../resources/cases.ts'

type Fields = Readonly<Record<string, unknown>>

function keyOf(spec: Fields): KeyManifest {
  const manifest = aKey(spec)
  const read = parseManifest(manifest)
  if (!read.ok || read.manifest.kind !== 'ApiKey') {
    throw new Error(read.ok ? 'another kind' : JSON.stringify(read.problems))
  }
  return { manifest, parsed: read.manifest }
}

const specOf = (spec: Fields): ApiKey['spec'] => keyOf(spec).parsed.spec

const widened = (before: Fields, after: Fields) => asked(specOf(before), specOf(after))?.widened

const KEY_ID = 'kw_prod_4fQ0Zp8sLm2T'
const imported = (digit: string) => ({ delivery: { digest: `sha256:${digit.repeat(64)}`, keyId: KEY_ID } })
const SECRET = { delivery: { secretName: 'main' } }

describe('a new key', () => {
  test.each(['Active', 'Suspended', 'Revoked'])('that is %s asks for all of its permissions', (state) => {
    expect(asked(undefined, specOf({ state }))).toEqual({
      accessNamespace: 'acme-web-eu',
      permissions: ['license:manage', 'customer:read'],
      widened: ['permissions'],
    })
  })
})

describe('an edit that widens', () => {
  test('asks for all permissions that the key then has', () => {
    const after = { permissions: ['customer:read', 'telemetry:write'] }
    expect(asked(specOf({}), specOf(after))).toEqual({
      accessNamespace: 'acme-web-eu',
      permissions: ['customer:read', 'telemetry:write'],
      widened: ['permissions'],
    })
  })

  test.each<[string, Fields, Fields, string[]]>([
    ['a customer that comes', { customers: ['a'] }, { customers: ['a', 'b'] }, ['customers']],
    ['another customer', { customers: ['a'] }, { customers: ['b'] }, ['customers']],
    ['no more customers', { customers: ['a'] }, {}, ['customers']],
    ['a larger block', { allowedCIDRs: ['10.1.0.0/16'] }, { allowedCIDRs: ['10.0.0.0/8'] }, ['allowedCIDRs']],
    [
      'a block beside',
      { allowedCIDRs: ['10.1.0.0/16'] },
      { allowedCIDRs: ['10.1.0.0/24', '10.2.0.0/24'] },
      ['allowedCIDRs'],
    ],
    [
      'a block of the other family',
      { allowedCIDRs: ['0.0.0.0/0'] },
      { allowedCIDRs: ['2001:db8::/32'] },
      ['allowedCIDRs'],
    ],
    ['no more blocks', { allowedCIDRs: ['10.1.0.0/16'] }, {}, ['allowedCIDRs']],
    [
      'a higher rate',
      { rateLimit: { requests: 60, per: '1m' } },
      { rateLimit: { requests: 61, per: '1m', burst: 1 } },
      ['rateLimit'],
    ],
    [
      'the same requests in less time',
      { rateLimit: { requests: 60, per: '1m' } },
      { rateLimit: { requests: 60, per: '59s' } },
      ['rateLimit'],
    ],
    [
      'a larger burst',
      { rateLimit: { requests: 60, per: '1m', burst: 5 } },
      { rateLimit: { requests: 60, per: '1m' } },
      ['rateLimit'],
    ],
    ['no more rate', { rateLimit: { requests: 60, per: '1m' } }, {}, ['rateLimit']],
    ['a higher quota', { quota: { requests: 1, per: 'day' } }, { quota: { requests: 2, per: 'day' } }, ['quota']],
    ['another period', { quota: { requests: 9, per: 'day' } }, { quota: { requests: 1, per: 'month' } }, ['quota']],
    ['no more quota', { quota: { requests: 9, per: 'day' } }, {}, ['quota']],
    ['resuming', { state: 'Suspended' }, { state: 'Active' }, ['state']],
    ['a new secret', {}, { regenerate: 1 }, ['regenerate']],
    ['a later end', { expiresAt: '2027-01-01T00:00:00Z' }, { expiresAt: '2028-01-01T00:00:00Z' }, ['expiresAt']],
    ['a longer overlap', { overlap: '1h' }, { overlap: '61m' }, ['overlap']],
    ['a Secret instead of a claim', {}, SECRET, ['delivery']],
    ['another Secret', SECRET, { delivery: { secretName: 'other' } }, ['delivery']],
    ['a claim instead of a Secret', SECRET, {}, ['delivery']],
    ['another digest', imported('a'), imported('b'), ['delivery']],
    ['a rotation that comes', SECRET, { ...SECRET, rotation: { every: '24h' } }, ['rotation']],
    ['a rotation that goes', { ...SECRET, rotation: { every: '24h' } }, SECRET, ['rotation']],
    [
      'what can never change',
      {},
      { accessNamespace: 'other', environment: 'staging' },
      ['accessNamespace', 'environment'],
    ],
    ['several at once', { customers: ['a'], state: 'Suspended' }, { state: 'Active' }, ['customers', 'state']],
    ['one that widens beside one that narrows', {}, { permissions: ['customer:read'], regenerate: 1 }, ['regenerate']],
  ])('%s', (_what, before, after, fields) => {
    expect(widened(before, after)).toEqual(fields)
  })
})

describe('an edit that takes away asks nobody', () => {
  test.each<[string, Fields, Fields]>([
    ['a permission that goes', {}, { permissions: ['customer:read'] }],
    ['permissions in another order', {}, { permissions: ['customer:read', 'license:manage'] }],
    ['customers that come', {}, { customers: ['a'] }],
    ['blocks that come', {}, { allowedCIDRs: ['0.0.0.0/0'] }],
    ['two blocks inside one', { allowedCIDRs: ['10.0.0.0/8'] }, { allowedCIDRs: ['10.0.0.0/9', '10.128.0.0/9'] }],
    ['a rate that comes', {}, { rateLimit: { requests: 60, per: '1m' } }],
    [
      'the same rate in another unit',
      { rateLimit: { requests: 60, per: '1m', burst: 5 } },
      { rateLimit: { requests: 1, per: '1s' } },
    ],
    ['a quota that comes', {}, { quota: { requests: 9, per: 'month' } }],
    ['suspending', {}, { state: 'Suspended' }],
    ['revoking', {}, { state: 'Revoked' }],
    ['revoking a suspended key', { state: 'Suspended' }, { state: 'Revoked' }],
    ['a shorter overlap', { overlap: '1h' }, { overlap: '59m' }],
    ['another name for people', {}, { displayName: 'Main' }],
    ['nothing', {}, {}],
  ])('%s', (_what, before, after) => {
    expect(widened(before, after)).toBeUndefined()
  })
})

const some = <T>(...values: readonly [T, ...T[]]) => fc.subarray([...values], { minLength: 1 })
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
// none inside another of its list: that would be a second way to write the same
const BLOCKS = [
  ['10.0.0.0/8'],
  ['10.1.0.0/16', '192.0.2.0/24'],
  ['10.1.2.0/24', '10.1.3.0/24'],
  ['192.0.2.0/24', '2001:db8::/32'],
  ['2001:db8:1::/48'],
]
const specs: fc.Arbitrary<Fields> = fc.record({
  permissions: some('a:read', 'a:write', 'b:read'),
  customers: maybe(some('a', 'b', 'c')),
  allowedCIDRs: maybe(fc.constantFrom(...BLOCKS)),
  rateLimit: maybe(
    fc.record({
      requests: fc.integer({ min: 1, max: 9 }),
      per: fc.constantFrom('1s', '2s', '1m'),
      burst: fc.integer({ min: 1, max: 3 }),
    }),
  ),
  quota: maybe(fc.record({ requests: fc.integer({ min: 1, max: 3 }), per: fc.constantFrom('day', 'month') })),
  state: fc.constantFrom('Active', 'Suspended', 'Revoked'),
  overlap: fc.constantFrom('0s', '1h', '2h'),
  expiresAt: maybe(fc.constantFrom('2027-01-01T00:00:00Z', '2028-01-01T00:00:00Z')),
})

const edited = fc.subarray(['permissions', 'customers', 'allowedCIDRs', 'rateLimit', 'quota', 'state', 'overlap'], {
  minLength: 1,
  maxLength: 2,
})

describe('beside what a folder without a store lets through', () => {
  test('whatever narrows is never a widening', () => {
    fc.assert(
      fc.property(specs, specs, (one, other) => {
        const before = keyOf(one)
        expect(asked(before.parsed.spec, narrowedKey(before, keyOf(other)).parsed.spec)).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  test('an edit that asks nobody comes into force whole', () => {
    const sorted = (spec: ApiKey['spec']) => ({
      ...spec,
      permissions: spec.permissions.toSorted(),
      customers: spec.customers?.toSorted(),
      allowedCidrs: spec.allowedCidrs?.map(({ text }) => text).sort(),
    })
    let edits = 0
    fc.assert(
      fc.property(specs, specs, edited, (one, other, fields) => {
        const edit = Object.fromEntries(fields.map((field) => [field, other[field]]))
        const [before, after] = [keyOf(one), keyOf({ ...one, ...edit })]
        if (asked(before.parsed.spec, after.parsed.spec) !== undefined) return
        edits++
        expect(sorted(narrowedKey(before, after).parsed.spec)).toEqual(sorted(after.parsed.spec))
      }),
      { numRuns: 1000 },
    )
    expect(edits).toBeGreaterThan(150)
  })
})
