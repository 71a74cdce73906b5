import { describe, expect, test } from 'vitest'
import type { KeyRecord } from '../../src/core/record.ts'
import { addressRefused, type Circumstance, elsewhere, expired, inactive } from '../../src/core/standing.ts'
import { aKeyRecord, cidrs, NOON } from '../support/make.ts'

const circumstance = (record: Partial<KeyRecord>, more: Partial<Circumstance> = {}): Circumstance => ({
  record: aKeyRecord(record),
  environment: 'production',
  address: '203.0.113.7',
  now: NOON,
  ...more,
})

test.each([
  ['Active', undefined],
  ['Suspended', 'key_inactive'],
  ['Revoked', 'key_inactive'],
  ['Deleted', 'key_inactive'],
] as const)('a key whose state is %s: %s', (state, code) => {
  expect(inactive(circumstance({ state }))?.code).toBe(code)
})

test.each([
  ['never', undefined, undefined],
  ['a millisecond from now', NOON + 1, undefined],
  ['at this very moment', NOON, 'key_expired'],
  ['a millisecond ago', NOON - 1, 'key_expired'],
  ['in 1970', 0, 'key_expired'],
])('a key that expires %s: %j', (_when, expiresAt, code) => {
  expect(expired(circumstance({ expiresAt }))?.code).toBe(code)
})

test.each([
  ['production', 'production', undefined],
  ['staging', 'staging', undefined],
  ['staging', 'production', 'wrong_environment'],
  ['production', 'staging', 'wrong_environment'],
  ['development', 'production', 'wrong_environment'],
] as const)('a key for %s at an endpoint of %s: %s', (own, environment, code) => {
  expect(elsewhere(circumstance({ environment: own }, { environment }))?.code).toBe(code)
})

describe('where a key may be used from', () => {
  test.each<[string, string[] | undefined, string | undefined, string | undefined]>([
    ['anywhere', undefined, '198.51.100.1', undefined],
    ['anywhere, by a caller that is not known', undefined, undefined, undefined],
    ['its block', ['203.0.113.0/24'], '203.0.113.7', undefined],
    ['its block, the address mapped into IPv6', ['203.0.113.0/24'], '::ffff:203.0.113.7', undefined],
    ['its second block', ['10.0.0.0/8', '2001:db8::/32'], '2001:db8::7', undefined],
    ['outside its block', ['203.0.113.0/24'], '203.0.114.7', 'address_not_allowed'],
    ['an address that is not known', ['0.0.0.0/0'], undefined, 'address_not_allowed'],
    ['an address that is none', ['0.0.0.0/0'], '203.0.113.7:80', 'address_not_allowed'],
    ['two addresses', ['203.0.113.0/24'], '203.0.113.7, 203.0.113.8', 'address_not_allowed'],
    ['nowhere, with an empty list', [], '203.0.113.7', 'address_not_allowed'],
  ])('%s', (_what, blocks, address, code) => {
    const allowedCidrs = blocks === undefined ? undefined : cidrs(...blocks)
    expect(addressRefused(circumstance({ allowedCidrs }, { address }))?.code).toBe(code)
  })
})
