import { setImmediate as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { digestOf } from '../../src/core/credential.ts'
import { makeKeyIndex } from '../../src/enforce/key-index.ts'
import { type InForce, makeKeyView } from '../../src/enforce/key-view.ts'
import { aCredential, aKeyRecord } from '../support/make.ts'

function aView() {
  const keys = makeKeyIndex()
  const sources = new Map<string, InForce>()
  const view = makeKeyView({ keys, inForce: (name) => sources.get(name), pause })
  const put = (name: string, seed = name): InForce => {
    const credential = aCredential({ seed })
    const record = aKeyRecord({ name, keyId: credential.keyId })
    const now = { record, current: digestOf(credential), previous: undefined }
    sources.set(name, now)
    return now
  }
  return { keys, sources, view, put }
}

test('a key or two are in force as soon as they are told of', () => {
  const { keys, view, put } = aView()
  const { current, record } = put('team/a')
  void view.update(['team/a'])
  expect(current && keys.find(current)?.record).toBe(record)
})

test('a key that goes, or has another digest, takes the one before along', () => {
  const { keys, sources, view, put } = aView()
  const first = put('team/a')
  void view.update(['team/a'])
  const second = put('team/a', 'again')
  void view.update(['team/a'])
  expect([first.current && keys.find(first.current), keys.size()]).toEqual([undefined, 1])
  expect(second.current && keys.find(second.current)?.record).toBe(second.record)
  sources.delete('team/a')
  void view.update(['team/a'])
  expect(keys.size()).toBe(0)
})

test('a digest goes to the key that waits for it as soon as the one before lets go, however late that is', async () => {
  const { keys, sources, view, put } = aView()
  const holder = put('team/a', 'shared')
  await view.update(['team/a'])
  const heir = put('team/b', 'shared')
  await view.update(['team/b'])
  const owner = () => holder.current && keys.find(holder.current)?.record.name
  expect(owner()).toBe('team/a')
  await pause()
  sources.delete('team/a')
  await view.update(['team/a'])
  expect([owner(), heir.current]).toEqual(['team/b', holder.current])
})

test('very many at once leave turns to others in between', async () => {
  const { keys, view, put } = aView()
  const names = Array.from({ length: 2000 }, (_, i) => `team/k-${i}`)
  for (const name of names) put(name)
  for (const name of names) void view.update([name])
  const seen: number[] = []
  for (let turn = 0; turn < 4; turn++) {
    seen.push(keys.size())
    await pause()
  }
  expect(seen[0]).toBeLessThan(600)
  expect(seen.every((size, i) => size > (seen[i - 1] ?? 0))).toBe(true)
  await view.update([])
  expect(keys.size()).toBe(2000)
})
