/** Looks at a folder never overlap, and those who ask meanwhile share the next one. */
import { expect, test } from 'vitest'
import { makeNews } from '../../src/folder/news.ts'
import { makeTurns, type Removals } from '../../src/folder/turns.ts'
import { sameJson } from '../../src/resources/same-json.ts'

/** Runs that end when the test says so. */
function stepped() {
  const begun: Removals[] = []
  const ends: ((fails?: Error) => void)[] = []
  const { next: ask } = makeTurns(
    (removals) =>
      new Promise<number>((resolve, reject) => {
        const turn = begun.push(removals)
        ends.push((error) => (error === undefined ? resolve(turn) : reject(error)))
      }),
  )
  const end = async (error?: Error) => {
    ends.shift()?.(error)
    await new Promise(setImmediate)
  }
  return { ask, end, begun }
}

test('who asks while one run is on shares the next one, which removes if one of them asked for it', async () => {
  const { ask, end, begun } = stepped()
  const first = ask('later')
  await new Promise(setImmediate)
  const others = [ask('later'), ask('now'), ask('later')]
  await end()
  await end()
  expect(begun).toEqual(['later', 'now'])
  expect([await first, ...(await Promise.all(others))]).toEqual([1, 2, 2, 2])
})

test('a run that fails fails those who asked for it, and the next one follows', async () => {
  const { ask, end } = stepped()
  const first = ask('later')
  first.catch(() => {})
  await new Promise(setImmediate)
  const second = ask('later')
  await end(new Error('disk full'))
  await end()
  await expect(first).rejects.toThrow('disk full')
  expect(await second).toBe(2)
})

test('two equal problems of one file are told as one', () => {
  const problem = { file: 'a.yaml', line: 1, field: '', message: 'wrong', object: '', severity: 'error' } as const
  expect(makeNews()([problem, { ...problem, line: 2 }]).reported.length).toBe(1)
})

test.each([
  ['fields in another order', { a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }, true],
  ['items in another order', [1, 2], [2, 1], false],
  ['a field more', { a: 1 }, { a: 1, b: 2 }, false],
  ['undefined and absent', { a: 1 }, { a: 1, b: undefined }, true],
  ['an inherited field', { toString: 1 }, {}, false],
  ['a list and a mapping', [], {}, false],
  ['null and nothing', null, undefined, false],
  ['text and number', '1', 1, false],
])('%s', (_what, a, b, same) => {
  expect([sameJson(a, b), sameJson(b, a)]).toEqual([same, same])
})
