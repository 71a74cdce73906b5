import { expect, test } from 'vitest'
import { killRounds } from '../support/kill-rounds.ts'

test('a process that is killed 300 times while it mints and regenerates loses no key and leaves no two', async () => {
  const { lines } = await killRounds(300, 7)
  expect(lines).toBeGreaterThan(300)
})
