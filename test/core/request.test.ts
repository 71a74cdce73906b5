import { expect, test } from 'vitest'
import { usableRequestId } from '../../src/core/request.ts'
import { aCredential } from '../support/make.ts'

const KEY = aCredential().text

test.each(['r-1', 'a'.repeat(48), 'a'.repeat(50), 'f'.repeat(64), '0b6c4d2e-7f31-4a6b-9d8e-5c1f2a3b4c5d'])(
  'the request ID %s is used',
  (id) => {
    expect(usableRequestId(id)).toBe(id)
  },
)

test.each<[string, string | undefined]>([
  ['none', undefined],
  ['nothing', ''],
  ['a line break', 'a\nb'],
  ['too much', 'a'.repeat(129)],
  ['a whole key', KEY],
  ['a whole key among other things', `req-${KEY}.1`],
  ['the secret of a key', KEY.slice(-49)],
  ['the secret of a key among other things', `req-${KEY.slice(-49)}.1`],
])('a request ID of %s is not', (_what, id) => {
  expect(usableRequestId(id)).toBeUndefined()
})
