/** Who received the versions of a key, and how far the people behind it go, as a digest Secret says it. */
import { describe, expect, test } from 'vitest'
import type { Attested } from '../../src/core/person.ts'
import { claimantsOf, encodeClaimants, parseCap, parseClaimants } from '../../src/kube/kept-people.ts'
import { aDigest, aSecret, aVersion, NOON } from '../operator/make.ts'

const attested = (username: string): Attested => ({
  person: { username, uid: 'u', groups: ['devs', 'ops'], extra: { scopes: ['a', 'b'] } },
  at: NOON,
})
const [ANA, BEN] = [attested('ana'), attested('ben')]
const previous = (version: number, digit: string) => ({ version, digest: aDigest(digit), validUntil: undefined })

describe('who received a version', () => {
  const first = aSecret({ current: aVersion(1, '1') })
  const before = { secret: first, claimants: new Map([[1, ANA]]) }
  const second = aSecret({ current: aVersion(2, '2'), previous: previous(1, '1') })

  test('is written down with the digest of a new version', () => {
    expect(claimantsOf(first, undefined, ANA)).toEqual(new Map([[1, ANA]]))
  })

  test('stays while the version is kept, whatever else is written', () => {
    expect(claimantsOf(first, before, undefined)).toEqual(new Map([[1, ANA]]))
    expect(claimantsOf(second, before, BEN)).toEqual(
      new Map([
        [1, ANA],
        [2, BEN],
      ]),
    )
  })

  test('is forgotten with the version', () => {
    const both = {
      secret: second,
      claimants: new Map([
        [1, ANA],
        [2, BEN],
      ]),
    }
    expect(claimantsOf({ ...second, previous: undefined }, both, undefined)).toEqual(new Map([[2, BEN]]))
    expect(claimantsOf({ ...second, current: undefined, previous: undefined }, both, undefined)).toEqual(new Map())
  })

  test('is another one where the version is minted again, and nobody where it goes to a workload then', () => {
    const again = aSecret({ current: aVersion(1, '3') })
    expect(claimantsOf(again, before, BEN)).toEqual(new Map([[1, BEN]]))
    expect(claimantsOf(again, before, undefined)).toEqual(new Map())
  })

  test('is not changed by whoever comes with a writing that stores no new version', () => {
    expect(claimantsOf(first, before, BEN)).toEqual(new Map([[1, ANA]]))
  })

  test('goes on to cap the version that it replaced as its claimant and no other does', () => {
    const workload = { secret: first, claimants: new Map<number, Attested>() }
    expect(claimantsOf(second, workload, BEN)).toEqual(new Map([[2, BEN]]))
  })

  test('is read back as it was written', () => {
    const claimants = new Map([
      [1, ANA],
      [12, BEN],
    ])
    expect(parseClaimants(JSON.parse(encodeClaimants(claimants) ?? ''))).toEqual(claimants)
    expect(encodeClaimants(new Map())).toBeUndefined()
  })

  const person = { username: 'ana', uid: '', groups: [], extra: {} }
  test.each<[string, unknown]>([
    ['a list', []],
    ['a text', 'ana'],
    ['nothing', undefined],
    ['of version 0', { 0: { person, at: 1 } }],
    ['of no version', { current: { person, at: 1 } }],
    ['of nobody', { 1: { at: 1 } }],
    ['of no time', { 1: { person } }],
    ['without a uid', { 1: { person: { ...person, uid: undefined }, at: 1 } }],
    ['with a group that is none', { 1: { person: { ...person, groups: [7] }, at: 1 } }],
    ['with an extra that is none', { 1: { person: { ...person, extra: { a: 'b' } }, at: 1 } }],
  ])('is not read out of what is %s', (_what, value) => {
    expect(parseClaimants(value)).toBeUndefined()
  })
})

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['a list', []],
  ['no held', { within: {} }],
  ['no within', { held: [] }],
  ['a held that is a text', { held: 'a:b', within: {} }],
  ['places that are a list', { held: [], within: [['a:b']] }],
  ['a place that is none', { held: [], within: { 'a:b': [7] } }],
])('a cap with %s is none', (_what, value) => {
  expect(parseCap(value)).toBeUndefined()
})
