import { describe, expect, test } from 'vitest'
import type { ApiKey } from '../../src/resources/api-key.ts'
import { grantedKeys, wordsOf } from '../../src/resources/granted-key.ts'

const SPEC = {
  accessNamespace: 'acme',
  environment: 'production',
  permissions: ['thing:read', 'thing:write'],
  customers: ['globex', 'initech'],
  allowedCIDRs: ['203.0.113.0/24'],
  rateLimit: { requests: 600, per: '1m' },
  quota: { requests: 1000, per: 'day' },
  expiresAt: '2027-03-01T00:00:00Z',
  state: 'Active',
  regenerate: 1,
  overlap: '24h',
}
const grantedKey = grantedKeys()
type Spec = Partial<Record<keyof typeof SPEC, unknown>>

const inForce = (granted: Spec, declared: Spec, deleting = false): ApiKey => {
  const words = (spec: Spec) => wordsOf({ ...SPEC, ...spec })
  const read = grantedKey(words(granted), { namespace: 'team', name: 'main', ...words(declared), deleting })
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.manifest
}

describe('a key whose grant is kept', () => {
  test.each([
    ['a permission', { permissions: ['thing:read'] }, { permissions: ['thing:read'] }],
    ['a customer', { customers: ['globex'] }, { customers: ['globex'] }],
    ['the state', { state: 'Suspended' }, { state: 'Suspended' }],
    ['the key for good', { state: 'Revoked' }, { state: 'Revoked' }],
    ['a secret', { regenerate: 2, overlap: '0s' }, { regenerate: 2, overlapMs: 0 }],
    ['the overlap', { overlap: '1h' }, { overlapMs: 3_600_000 }],
    ['time', { expiresAt: '2027-01-01T00:00:00Z' }, { expiresAt: Date.UTC(2027, 0, 1) }],
    [
      'a part of the rate',
      { rateLimit: { requests: 60, per: '1m' } },
      {
        limits: [
          { kind: 'rate', requests: 60, perUs: 60_000_000, burst: 60 },
          { kind: 'quota', requests: 1000, period: 'day' },
        ],
      },
    ],
  ])('loses %s as soon as the ApiKey takes it away', (_what, declared, expected) => {
    expect(inForce({}, declared).spec).toMatchObject(expected)
  })

  test('loses what lies outside a smaller block', () => {
    const { allowedCidrs } = inForce({}, { allowedCIDRs: ['203.0.113.128/25'] }).spec
    expect(allowedCidrs?.map(({ text }) => text)).toEqual(['203.0.113.128/25'])
  })

  test.each([
    ['a permission', { permissions: ['thing:read'] }, {}, { permissions: ['thing:read'] }],
    ['a customer', { customers: ['globex'] }, {}, { customers: ['globex'] }],
    ['every customer', {}, { customers: undefined }, { customers: ['globex', 'initech'] }],
    ['activity', { state: 'Suspended' }, {}, { state: 'Suspended' }],
    ['time', {}, { expiresAt: '2028-01-01T00:00:00Z' }, { expiresAt: Date.UTC(2027, 2, 1) }],
    ['endless time', {}, { expiresAt: undefined }, { expiresAt: Date.UTC(2027, 2, 1) }],
    ['another access namespace', {}, { accessNamespace: 'globex' }, { accessNamespace: 'acme' }],
    ['a longer overlap', {}, { overlap: '48h' }, { overlapMs: 86_400_000 }],
  ])('does not get %s before it is granted', (_what, granted, declared, expected) => {
    expect(inForce(granted, declared).spec).toMatchObject(expected)
  })

  test('with nothing left that both name is suspended', () => {
    expect(inForce({}, { permissions: ['other:read'] }).spec.state).toBe('Suspended')
  })

  test('that is being deleted is so at once, edited or not', () => {
    expect([inForce({}, {}, true).deleting, inForce({}, { state: 'Suspended' }, true).deleting]).toEqual([true, true])
  })

  test.each([
    ['what was granted', { permissions: [] }, SPEC],
    ['what is declared', SPEC, { ...SPEC, state: 'Frozen' }],
    ['nothing that is declared', SPEC, undefined],
  ])('opens nothing where %s can not be read', (_which, granted, spec) => {
    const declared = { namespace: 'team', name: 'main', ...wordsOf(spec), deleting: false }
    expect(grantedKey(wordsOf(granted), declared).ok).toBe(false)
  })
})
