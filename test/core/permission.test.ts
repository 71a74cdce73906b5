import fc from 'fast-check'
import { expect, test } from 'vitest'
import { effective, holds, PERMISSION, summary } from '../../src/core/permission.ts'

test.each(['license:manage', 'customer:read', 'a:b', 'a-b:c-d', 'a1:b2', 'a:b:c'])('%s is a permission', (text) => {
  expect(PERMISSION.test(text)).toBe(true)
})

test.each([
  '',
  'license',
  'license:',
  ':manage',
  'License:manage',
  'license:Manage',
  '1a:b',
  '-a:b',
  'a b:c',
  'a:*',
  'a:b\n',
  'a::b',
])('%j is no permission', (text) => {
  expect(PERMISSION.test(text)).toBe(false)
})

test.each([
  ['the same', ['a:read'], 'a:read', true],
  ['one of several', ['b:read', 'a:read'], 'a:read', true],
  ['none at all', [], 'a:read', false],
  ['a longer one', ['a:read:all'], 'a:read', false],
  ['a shorter one', ['a:read'], 'a:read:all', false],
  ['a wildcard, which is no permission', ['a:*'], 'a:read', false],
])('holding is equality: %s', (_what, held, permission, answer) => {
  expect(holds(held, permission)).toBe(answer)
})

const asked = ['a:read', 'a:write', 'b:read']

test.each<[string, (ReadonlySet<string> | undefined)[], string[]]>([
  ['nobody caps it', [], asked],
  ['standalone has no users', [undefined, undefined], asked],
  ['the creator holds some', [new Set(['b:read', 'a:read'])], ['a:read', 'b:read']],
  [
    'creator and claimant hold different ones',
    [new Set(['a:read', 'a:write']), new Set(['a:write', 'b:read'])],
    ['a:write'],
  ],
  ['one of them is not known', [undefined, new Set(['a:write'])], ['a:write']],
  ['one of them holds nothing', [new Set(asked), new Set()], []],
  ['they hold more than is asked', [new Set([...asked, 'c:read'])], asked],
])('what is in force where %s', (_what, holders, inForce) => {
  expect(effective(asked, holders)).toEqual(inForce)
})

test('what is in force is never more than asked, and never more than any holder has', () => {
  const permissions = fc.subarray(['a:r', 'a:w', 'b:r', 'b:w', 'c:r'])
  fc.assert(
    fc.property(permissions, fc.array(permissions, { maxLength: 3 }), (wanted, holders) => {
      const sets = holders.map((holder) => new Set(holder))
      const inForce = effective(wanted, sets)
      expect(inForce).toEqual(wanted.filter((permission) => sets.every((set) => set.has(permission))))
    }),
  )
})

test.each([
  [['customer:read'], ['customer:read'], 'customer:read'],
  [['a:read', 'a:write'], ['a:read', 'a:write'], 'a:read, a:write'],
  [['customer:read', 'a:read', 'b:read'], ['customer:read'], 'customer:read (1 of 3)'],
  [['a:read'], [], 'none (0 of 1)'],
])('the summary of %j with %j in force is %j', (wanted, held, text) => {
  expect(summary(wanted, held)).toBe(text)
})
