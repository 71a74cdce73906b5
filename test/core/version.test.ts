/** Which version is due, and until when the one before it works. */
import { expect, test } from 'vitest'
import { isHandedOver, overlapEnd, versionDue } from '../../src/core/version.ts'

test.each([
  [0, 0, 1],
  [2, 0, 3],
  [0, 4, 5],
  [2, 4, 7],
])('after %i regenerations and %i rotations version %i is due', (regenerate, rotations, version) => {
  expect(versionDue(regenerate, rotations)).toBe(version)
})

test.each([
  ['from the hand-over of the new version', { handedOverAt: 1000, overlapMs: 500, expiresAt: undefined }, 1500],
  ['not at all where there is none', { handedOverAt: 1000, overlapMs: 0, expiresAt: undefined }, 1000],
  ['never past the end of the key', { handedOverAt: 1000, overlapMs: 500, expiresAt: 1200 }, 1200],
  ['in full where the key lives longer', { handedOverAt: 1000, overlapMs: 500, expiresAt: 9000 }, 1500],
])('an overlap counts %s', (_what, overlap, end) => {
  expect(overlapEnd(overlap)).toBe(end)
})

test('a version has arrived when its time of arrival is known', () => {
  expect([isHandedOver({ claimedAt: 0 }), isHandedOver({ claimedAt: undefined }), isHandedOver(undefined)]).toEqual([
    true,
    false,
    false,
  ])
})
