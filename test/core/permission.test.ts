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

test.each<[string, string[] | undefined, string[]]>([
  ['nobody caps it, since standalone has no users', undefined, asked],
  ['its people hold some', ['b:read', 'a:read'], ['a:read', 'b:read']],
  ['its people hold nothing', [], []],
  ['its people hold more than is asked', [...asked, 'c:read'], asked],
])('what is in force where %s', (_what, held, inForce) => {
  expect(effective(asked, held)).toEqual(inForce)
})

test('what is in force is never more than asked, and never more than its people hold', () => {
  const permissions = fc.subarray(['a:r', 'a:w', 'b:r', 'b:w', 'c:r'])
  fc.assert(
    fc.property(permissions, permissions, (wanted, held) => {
      const inForce = effective(wanted, held)
      expect(inForce.every((permission) => wanted.includes(permission) && held.includes(permission))).toBe(true)
      expect(wanted.every((permission) => inForce.includes(permission) || !held.includes(permission))).toBe(true)
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
