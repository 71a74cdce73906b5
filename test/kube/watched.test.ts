/** What is said of a resource that is followed: once when trouble begins, and once when it is over. */
import { expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { API_KEYS } from '../../src/kube/objects.ts'
import { makeWatched } from '../../src/kube/watched.ts'

function followed() {
  const lines: string[] = []
  const codes: string[] = []
  const state = { now: 1000, synced: false, staleMs: Number.POSITIVE_INFINITY }
  const say = (fields: { problem?: string }, message: string) => void lines.push(`${message}: ${fields.problem ?? ''}`)
  const watched = makeWatched({
    resource: API_KEYS,
    log: { warn: say as never, info: say as never },
    countTrouble: (code) => void codes.push(code),
    steadyMs: () => state.now,
  })
  return { watched, state, lines, codes }
}

const AWAY = new Trouble('kube_unreachable', 'retry')
const WARNED = "the API server can not be followed: apikeys.keyward.dev can't be read: kube unreachable"

test('trouble is counted each time and told once, and that it is over only after news that is younger than it', () => {
  const { watched, state, lines, codes } = followed()
  watched.follow({ synced: () => state.synced, staleMs: () => state.staleMs })
  watched.onTrouble(AWAY)
  watched.onTrouble(AWAY)
  expect([codes, lines]).toEqual([['kube_unreachable', 'kube_unreachable'], [WARNED]])
  state.now = 3000
  for (const staleMs of [5000, 2000]) {
    state.staleMs = staleMs
    watched.look()
  }
  expect(lines).toHaveLength(1)
  state.staleMs = 1999
  watched.look()
  watched.look()
  expect(lines.slice(1)).toEqual(['the API server is followed again: '])
})

test('what is missing is in words until it was read once, and never again', () => {
  const { watched, state } = followed()
  expect([watched.missing(), watched.staleMs()]).toEqual([
    'apikeys.keyward.dev are being read',
    Number.POSITIVE_INFINITY,
  ])
  watched.follow({ synced: () => state.synced, staleMs: () => state.staleMs })
  watched.onTrouble(AWAY)
  expect(watched.missing()).toBe("apikeys.keyward.dev can't be read: kube unreachable")
  state.synced = true
  expect(watched.missing()).toBeUndefined()
})
