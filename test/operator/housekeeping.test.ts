/** When the operator collects what its work left behind. */
import { expect, test } from 'vitest'
import { makeHousekeeping } from '../../src/operator/housekeeping.ts'

/** A wave of so many keys, one at a time; what was collected, and after which key. */
function collectedIn(waves: readonly number[]): readonly string[] {
  const collected: string[] = []
  let depth = 0
  let done = 0
  const tidy = makeHousekeeping({
    collect: (thorough) => collected.push(`${thorough ? 'thorough' : 'plain'} after ${done}`),
    depth: () => depth,
  })
  for (const keys of waves) {
    for (depth = keys; depth > 0; depth--) {
      done += 1
      tidy()
    }
  }
  return collected
}

test('in the middle of a wave every thousand keys, and thoroughly at its end', () => {
  expect(collectedIn([2500])).toEqual(['plain after 1000', 'plain after 2000', 'thorough after 2500'])
})

test('a wave that ends at a thousand is collected once, thoroughly', () => {
  expect(collectedIn([1000])).toEqual(['thorough after 1000'])
})

test('keys that come one by one, or a few at a time, cost nothing', () => {
  expect(collectedIn(Array.from({ length: 3000 }, () => 1))).toEqual([])
  expect(collectedIn([499, 499, 499])).toEqual([])
})
