import { expect, test } from 'vitest'
import { compareRequests, compareResponses } from '../support/random-ext-authz.ts'

test('1,000,000 random messages are read as a protobuf library reads them', () => {
  expect(() => compareRequests(1_000_000, 3)).not.toThrow()
})

test('50,000 random answers say to a protobuf library what was meant', () => {
  expect(() => compareResponses(50_000, 4)).not.toThrow()
})
