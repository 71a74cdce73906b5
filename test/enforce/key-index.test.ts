import { describe, expect, test } from 'vitest'
import type { Digest, KeyId } from '../../src/core/credential.ts'
import type { KeyRecord } from '../../src/core/record.ts'
import { makeKeyIndex } from '../../src/enforce/key-index.ts'

const digest = (letter: string) => letter.repeat(64) as Digest
const record = (name: string): KeyRecord => ({
  keyId: `kw_prod_${name.padEnd(12, '0')}` as KeyId,
  name: `default/${name}`,
  accessNamespace: 'acme',
  environment: 'production',
  asked: ['a:b'],
  held: ['a:b'],
  heldWithin: undefined,
  customers: undefined,
  expiresAt: undefined,
  state: 'Active',
  allowedCidrs: undefined,
  limits: [],
})

describe('the key index', () => {
  test('finds a key by its digest, and only as long as it is there', () => {
    const index = makeKeyIndex()
    const main = record('main')
    index.put('1', main, { current: digest('a'), previous: undefined })
    expect(index.find(digest('a'))).toMatchObject({ record: main, validUntil: undefined })
    expect(index.find(digest('b'))).toBeUndefined()
    index.remove('1')
    expect(index.find(digest('a'))).toBeUndefined()
    expect(index.size()).toBe(0)
  })

  test('a replaced digest is gone at once, and one within its overlap says until when it works', () => {
    const index = makeKeyIndex()
    const main = record('main')
    index.put('1', main, { current: digest('a'), previous: undefined })
    index.put('1', main, { current: digest('b'), previous: { digest: digest('a'), validUntil: 5 } })
    expect(index.find(digest('a'))?.validUntil).toBe(5)
    index.put('1', main, { current: digest('c'), previous: undefined })
    expect(index.find(digest('a'))).toBeUndefined()
    expect(index.find(digest('b'))).toBeUndefined()
    expect(index.find(digest('c'))?.record).toBe(main)
  })

  test('a digest that two keys claim stays with the first, also when the second goes away', () => {
    const index = makeKeyIndex()
    const [first, second] = [record('first'), record('second')]
    index.put('1', first, { current: digest('a'), previous: undefined })
    index.put('2', second, { current: digest('a'), previous: undefined })
    expect(index.find(digest('a'))?.record).toBe(first)
    index.remove('2')
    expect(index.find(digest('a'))?.record).toBe(first)
  })

  test('a key that waits to be claimed counts and has no digest', () => {
    const index = makeKeyIndex()
    const waiting = record('waiting')
    index.put('1', waiting, { current: undefined, previous: undefined })
    expect(index.size()).toBe(1)
  })
})
