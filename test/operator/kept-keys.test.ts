/** The keys of stamps as a replica knows them: read out of turn where a stamp is by none of them, and within bounds. */
import { expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { keepKeys } from '../../src/webhook/kept-keys.ts'

const keyOf = (byte: number) => Buffer.alloc(32, byte)
const dataOf = (key: number, previous: number) => ({
  key: keyOf(key).toString('base64'),
  previous: keyOf(previous).toString('base64'),
})

async function aReplica() {
  const state = { nowMs: 0, reads: 0, changes: 0, data: dataOf(1, 0), fails: false }
  const kept = keepKeys({
    secret: {
      read: async () => {
        state.reads++
        if (state.fails) throw new Trouble('kube_unavailable', 'retry')
        return { data: state.data, revision: '1' }
      },
      write: async () => true,
    },
    random: () => keyOf(9),
    keepsKeys: async () => true,
    mayWrite: () => true,
    steadyMs: () => state.nowMs,
    onKeys: () => {
      state.changes++
    },
  })
  expect(kept.keys).toThrow('stamp_key_not_known')
  await kept.begin()
  state.reads = 0
  return { kept, state }
}

test('a key that another replica has read is read at once, and whoever asks meanwhile waits for it', async () => {
  const { kept, state } = await aReplica()
  state.data = dataOf(2, 1)
  await Promise.all(Array.from({ length: 20 }, () => kept.lookForNewer()))
  expect(kept.keys()).toEqual([keyOf(2), keyOf(1)])
  expect([state.reads, state.changes]).toEqual([1, 1])
})

test('the API server is asked not more often than once a second, whatever callers send', async () => {
  const { kept, state } = await aReplica()
  for (let i = 0; i < 50; i++) {
    state.nowMs += 100
    await kept.lookForNewer()
  }
  expect([state.reads, state.changes]).toEqual([5, 0])
})

test('a look that fails changes nothing, and another one follows a second later', async () => {
  const { kept, state } = await aReplica()
  state.data = dataOf(2, 1)
  state.fails = true
  await expect(kept.lookForNewer()).rejects.toThrow('kube_unavailable')
  expect(kept.keys()).toEqual([keyOf(1), keyOf(0)])
  state.fails = false
  state.nowMs += 1000
  await kept.lookForNewer()
  expect(kept.keys()).toEqual([keyOf(2), keyOf(1)])
})
