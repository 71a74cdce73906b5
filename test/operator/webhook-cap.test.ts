/** A key is never more than any of the people behind it, at any time of its life. */
import { describe, expect, test } from 'vitest'
import { type CapParts, capOf, placesHeld } from '../../src/webhook/cap.ts'
import type { Person } from '../../src/webhook/person.ts'
import { makeReviews } from '../../src/webhook/reviews.ts'

const aPerson = (username: string, uid = ''): Person => ({ username, uid, groups: [], extra: {} })
const [ANA, BEN] = [aPerson('ana'), aPerson('ben')]
const DEPLOYER = aPerson('system:serviceaccount:ci:deployer', 'u-1')

/** `who permission place`. */
function setUp(granted: readonly string[], accounts: Readonly<Record<string, string>> = {}) {
  let asked = 0
  const reviews = makeReviews({
    review: async ({ user, resourceAttributes: { verb, name } }) => {
      asked++
      return granted.includes(`${user} ${verb} ${name ?? '*'}`)
    },
    steadyMs: () => 0,
    pause: async () => undefined,
    counted: () => undefined,
  })
  const parts: CapParts & { asking: { lane: 'renewal'; maxAgeMs: number } } = {
    reviews,
    serviceAccountUid: async (namespace, name) => accounts[`${namespace}/${name}`],
    asking: { lane: 'renewal', maxAgeMs: 60_000 },
  }
  return { parts, asked: () => asked }
}

const WANTED = { accessNamespace: 'acme', permissions: ['a:read', 'b:read', 'c:read'] }

describe('what is in force of a key', () => {
  test('is what creator and claimant both hold, with who lacks what', async () => {
    const { parts } = setUp(['ana a:read *', 'ana b:read acme', 'ben b:read *', 'ben c:read acme', 'ben a:read globex'])
    expect(await capOf(WANTED, [ANA, BEN], parts)).toEqual({
      held: ['b:read'],
      lost: [
        { person: ANA, permissions: ['c:read'], gone: false },
        { person: BEN, permissions: ['a:read'], gone: false },
      ],
    })
  })

  test('is everything where its people hold everything, and one person is asked once', async () => {
    const { parts, asked } = setUp(['ana a:read *', 'ana b:read *', 'ana c:read *'])
    expect(await capOf(WANTED, [ANA, ANA], parts)).toEqual({ held: WANTED.permissions, lost: [] })
    expect(asked()).toBe(3)
  })

  test.each<[string, Readonly<Record<string, string>>, readonly string[], boolean]>([
    ['that is the same', { 'ci/deployer': 'u-1' }, ['a:read', 'b:read', 'c:read'], false],
    ['that was deleted', {}, [], true],
    ['that was made again', { 'ci/deployer': 'u-2' }, [], true],
  ])('of a ServiceAccount %s', async (_what, accounts, held, gone) => {
    const who = DEPLOYER.username
    const { parts } = setUp([`${who} a:read *`, `${who} b:read *`, `${who} c:read *`], accounts)
    const cap = await capOf(WANTED, [DEPLOYER], parts)
    expect([cap.held, cap.lost.some((one) => one.gone)]).toEqual([held, gone])
  })

  test('within an application is each workspace on which all of them hold the permission themselves', async () => {
    const { parts } = setUp(['ana w:write eu', 'ana w:write us', 'ben w:write eu', 'ben w:write app'])
    const places = ['eu', 'us', 'asia']
    expect(await placesHeld({ permission: 'w:write', places }, [ANA, BEN], parts)).toEqual(['eu'])
  })
})
