/** Key IDs that are spent: where they stand, and that no number of them is too much. A fake API server. */
import { expect, test } from 'vitest'
import type { KeyId } from '../../src/core/credential.ts'
import { addTombstone, keepTombstones, MOST_IN_ONE, readTombstones } from '../../src/kube/tombstones.ts'
import { aKeyId, NOON } from '../operator/make.ts'
import { fakeApiServer } from '../support/fake-api-server.ts'

const OWN = 'keyward-system'
const FIRST = 'keyward-tombstones-a3'

/** Key IDs of the bucket a3, as somebody may look for them. */
function colliding(count: number): readonly KeyId[] {
  const kept = keepTombstones()
  const found: KeyId[] = []
  for (let i = 0; found.length < count; i++) {
    const keyId = `kw_prod_${String(i).padStart(12, '0')}` as KeyId
    if (kept.nameFor(keyId) === FIRST) found.push(keyId)
  }
  return found
}

const full = (count = MOST_IN_ONE) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k-${i}`, 'uid']))

test('a key ID is spent as soon as it stands in a ConfigMap of its bucket, and no longer than that', async () => {
  const { client } = fakeApiServer(() => NOON)
  const kept = keepTombstones()
  const keyId = aKeyId('a')
  expect(kept.isRetired(keyId)).toBe(false)
  const name = kept.nameFor(keyId)
  const object = await addTombstone(client, OWN, { name, keyId, uid: 'uid-1' })
  expect(readTombstones(object)).toEqual({ [keyId]: 'uid-1' })
  kept.changed(name, readTombstones(object))
  expect([kept.isRetired(keyId), kept.isRetired(aKeyId('b'))]).toEqual([true, false])
  kept.changed(name, undefined)
  expect(kept.isRetired(keyId)).toBe(false)
})

test('a bucket that somebody fills goes on in a next ConfigMap, and every one of them is read', async () => {
  const server = fakeApiServer(() => NOON)
  const kept = keepTombstones()
  const spend = async (keyId: KeyId): Promise<string> => {
    const name = kept.nameFor(keyId)
    kept.changed(name, readTombstones(await addTombstone(server.client, OWN, { name, keyId, uid: 'uid' })))
    return name
  }
  const [one, two, three, four] = colliding(4) as [KeyId, KeyId, KeyId, KeyId]
  // as one may be that was written when there was no next one
  kept.changed(FIRST, { ...full(16_000), [one]: 'uid' })
  expect(await spend(two)).toBe(`${FIRST}-1`)
  kept.changed(`${FIRST}-1`, { ...full(), [two]: 'uid' })
  expect(await spend(three)).toBe(`${FIRST}-2`)
  expect([one, two, three, four].map(kept.isRetired)).toEqual([true, true, true, false])
  expect(kept.nameFor(one), 'written once more it stays where it stands').toBe(FIRST)

  kept.changed(`${FIRST}-1`, undefined)
  expect([one, two, three].map(kept.isRetired), 'the others of the bucket are read all the same').toEqual([
    true,
    false,
    true,
  ])
  expect(await spend(four), 'there is room again').toBe(`${FIRST}-1`)
})

test('a ConfigMap of another name says nothing about key IDs', () => {
  const kept = keepTombstones()
  const keyId = aKeyId('a')
  for (const name of ['other', `${kept.nameFor(keyId)}-0`, `${kept.nameFor(keyId)}-x`])
    kept.changed(name, { [keyId]: 'uid' })
  expect(kept.isRetired(keyId)).toBe(false)
})
