import { expect, test } from 'vitest'
import { compareRequests, compareResponses } from '../support/random-ext-authz.ts'

test('100,000 random messages are read as a protobuf library reads them', () => {
  expect(() => compareRequests(100_000, 1)).not.toThrow()
})

test('5,000 random answers say to a protobuf library what was meant', () => {
  expect(() => compareResponses(5000, 2)).not.toThrow()
})
