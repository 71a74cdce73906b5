/** What repeats in the answers about one key is written once, and never instead of what it has become. */
import { expect, test } from 'vitest'
import { okResponse } from '../../src/authz/check-response-wire.ts'

const fields = (name: string, id: string) => [
  'x-keyward-key-name',
  name,
  'x-keyward-visible',
  '',
  'x-keyward-request-id',
  id,
]
const answer = (headers: readonly string[], owner?: object, count = 4) =>
  okResponse({
    headers,
    steady: owner && { owner, count },
    remove: ['authorization'],
    responseHeaders: ['x-request-id', 'r'],
  })

test('an answer is the same bytes whether or not it repeats', () => {
  const owner = {}
  const first = answer(fields('team/one', 'a'), owner)
  const second = answer(fields('team/one', 'b'), owner)
  expect(first).toEqual(answer(fields('team/one', 'a')))
  expect(second).toEqual(answer(fields('team/one', 'b')))
})

test('what changed for the same key is written as it is now', () => {
  const owner = {}
  answer(fields('team/one', 'a'), owner)
  expect(answer(fields('team/two', 'a'), owner)).toEqual(answer(fields('team/two', 'a')))
})

test('two keys never get each other’s', () => {
  const [one, two] = [{}, {}]
  answer(fields('team/one', 'a'), one)
  expect(answer(fields('team/two', 'a'), two)).toEqual(answer(fields('team/two', 'a')))
  expect(answer(fields('team/one', 'b'), one)).toEqual(answer(fields('team/one', 'b')))
})

test('a key is written the same after as many others as are kept', () => {
  const owner = {}
  answer(fields('team/one', 'a'), owner)
  for (let i = 0; i < 20_000; i++) answer(fields(`team/other-${i}`, 'a'), {})
  expect(answer(fields('team/one', 'c'), owner)).toEqual(answer(fields('team/one', 'c')))
})

test('fewer or more fields that repeat are not those that were written before', () => {
  const owner = {}
  for (const count of [4, 2, 4])
    expect(answer(fields('team/one', 'a'), owner, count)).toEqual(answer(fields('team/one', 'a')))
})
