/** Scripts that Redis forgets while they are sent. */
import { expect, test } from 'vitest'
import { withKnownScript } from '../../src/redis/known-script.ts'

/** Refuses so often, with these words. */
function refusing(times: number, words: string) {
  let sent = 0
  return {
    sent: () => sent,
    send: async () => {
      sent += 1
      if (sent <= times) throw new Error(words)
      return 'counted'
    },
  }
}

const FORGOTTEN = 'NOSCRIPT No matching script.'

test('a script that was flushed again and again is sent again, and not for ever', async () => {
  const twice = refusing(2, FORGOTTEN)
  await expect(withKnownScript(twice.send)).resolves.toBe('counted')
  expect(twice.sent()).toBe(3)
  const always = refusing(100, FORGOTTEN)
  await expect(withKnownScript(always.send)).rejects.toThrow('NOSCRIPT')
  expect(always.sent()).toBe(4)
})

test('whatever else Redis has against it is told at once, since it may have counted', async () => {
  const refused = refusing(1, 'OOM command not allowed when used memory > maxmemory')
  await expect(withKnownScript(refused.send)).rejects.toThrow('OOM')
  expect(refused.sent()).toBe(1)
})
