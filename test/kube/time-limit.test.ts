/** Ends of requests: whoever wants one no longer is told at once, and nothing is left that nobody waits for. */
import { expect, test } from 'vitest'
import { unlessAborted } from '../../src/kube/time-limit.ts'

test('what fails after it was given up, before or while it was waited for, ends nobody', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const failing = () => Promise.reject(new Error('it failed'))
  const late = () => new Promise<never>((_resolve, reject) => setTimeout(reject, 5, new Error('it failed')))
  for (const work of [failing, late]) {
    await expect(unlessAborted(work(), AbortSignal.abort('given up'))).rejects.toBe('given up')
  }
  const controller = new AbortController()
  const waiting = unlessAborted(late(), controller.signal)
  controller.abort('given up')
  await expect(waiting).rejects.toBe('given up')
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})
