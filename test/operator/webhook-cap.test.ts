/** A key is never more than any of the people behind it, at any time of its life. */
import { describe, expect, test } from 'vitest'
import type { Person } from '../../src/core/person.ts'
import { type CapParts, capOf } from '../../src/webhook/cap.ts'
import { makeReviews } from '../../src/webhook/reviews.ts'

const aPerson = (username: string, uid = ''): Person => ({ username, uid, groups: [], extra: {} })
const [ANA, BEN] = [aPerson('ana'), aPerson('ben')]
const DEPLOYER = aPerson('system:serviceaccount:ci:deployer', 'u-1')

/** `who permission place`. */
function setUp(granted: readonly string[], accounts: Readonly<Record<string, string>> = {}) {
  const asked: string[] = []
  const reviews = makeReviews({
    review: async ({ user, resourceAttributes: { verb, name } }) => {
      const what = `${user} ${verb} ${name ?? '*'}`
      asked.push(what)
      return granted.includes(what)
    },
    steadyMs: () => 0,
    pause: async () => undefined,
    counted: () => undefined,
  })
  const parts: CapParts = {
    reviews,
    serviceAccountUid: (namespace, name) => accounts[`${namespace}/${name}`],
    asking: () => ({ lane: 'change', maxAgeMs: 60_000 }),
  }
  return { parts, asked }
}

const WANTED = { accessNamespace: 'acme', permissions: ['a:read', 'b:read', 'c:read'], inside: new Map() }
const inside = (places: Readonly<Record<string, readonly string[]>>) => ({
  accessNamespace: 'acme',
  permissions: Object.keys(places),
  inside: new Map(Object.entries(places)),
})

describe('what is in force of a key', () => {
  test('is what creator and claimant both hold, with who lacks what', async () => {
    const { parts } = setUp(['ana a:read *', 'ana b:read acme', 'ben b:read *', 'ben c:read acme', 'ben a:read globex'])
    expect(await capOf(WANTED, [ANA, BEN], parts)).toEqual({
      cap: { held: ['b:read'], within: {} },
      lost: [
        { username: 'ana', permissions: ['c:read'], why: 'notHeld' },
        { username: 'ben', permissions: ['a:read'], why: 'notHeld' },
      ],
    })
  })

  test('is everything where its people hold everything, and one person is asked once', async () => {
    const { parts, asked } = setUp(['ana a:read *', 'ana b:read *', 'ana c:read *'])
    const { cap, lost } = await capOf(WANTED, [ANA, ANA], parts)
    expect([cap.held, lost, asked.length]).toEqual([WANTED.permissions, [], 3])
  })

  test.each<[string, Readonly<Record<string, string>>, readonly string[], readonly string[]]>([
    ['that is the same', { 'ci/deployer': 'u-1' }, ['a:read', 'b:read', 'c:read'], []],
    ['that was deleted', {}, [], ['gone']],
    ['that was made again', { 'ci/deployer': 'u-2' }, [], ['gone']],
  ])('of a ServiceAccount %s', async (_what, accounts, held, why) => {
    const who = DEPLOYER.username
    const { parts } = setUp([`${who} a:read *`, `${who} b:read *`, `${who} c:read *`], accounts)
    const { cap, lost } = await capOf(WANTED, [DEPLOYER], parts)
    expect([cap.held, lost.map((one) => one.why)]).toEqual([held, why])
  })
})

describe('within the access namespace of a key a permission is in force', () => {
  const PLACES = ['asia', 'eu', 'us']

  test('on each place where all of them hold it themselves', async () => {
    const { parts } = setUp(
      ['ana', 'ben'].map((who) => `${who} w:write acme`).concat('ana w:write eu', 'ana w:write us', 'ben w:write eu'),
    )
    const { cap } = await capOf(inside({ 'w:write': PLACES }), [ANA, BEN], parts)
    expect(cap).toEqual({ held: ['w:write'], within: { 'w:write': ['eu'] } })
  })

  test('everywhere where all of them hold it without a name, and then no place is asked about', async () => {
    const { parts, asked } = setUp(['ana w:write *', 'ben w:write *'])
    const { cap } = await capOf(inside({ 'w:write': PLACES }), [ANA, BEN], parts)
    expect([cap.within, asked]).toEqual([{ 'w:write': 'everywhere' }, ['ana w:write *', 'ben w:write *']])
  })

  test('where the one holds it who does not hold it everywhere', async () => {
    const { parts, asked } = setUp(['ana w:write *', 'ben w:write acme', 'ben w:write us'])
    const { cap } = await capOf(inside({ 'w:write': PLACES }), [ANA, BEN], parts)
    expect(cap.within).toEqual({ 'w:write': ['us'] })
    expect(asked.filter((one) => one.startsWith('ana'))).toEqual(['ana w:write *'])
  })

  test('nowhere if it is not held on the namespace itself, and no place is asked about', async () => {
    const { parts, asked } = setUp(['ana w:write eu'])
    const { cap } = await capOf(inside({ 'w:write': PLACES }), [ANA], parts)
    expect([cap, asked]).toEqual([{ held: [], within: {} }, ['ana w:write *', 'ana w:write acme']])
  })

  const placesOf = (count: number) => Array.from({ length: count }, (_, i) => `w-${String(i).padStart(4, '0')}`)

  /** How often each permission was asked about by name. */
  const counting = (isHeld: (permission: string, place: string) => boolean) => {
    const asked: Record<string, number> = {}
    const reviews: CapParts['reviews'] = {
      may: async (_person, question) => {
        if (question.kind !== 'grant' || question.accessNamespace === undefined) return false
        const { permission, accessNamespace } = question
        asked[permission] = (asked[permission] ?? 0) + 1
        return isHeld(permission, accessNamespace)
      },
      missing: async () => [],
    }
    return { asked, parts: { ...setUp([]).parts, reviews } }
  }

  test('on 5,000 places in all at most, of which every permission has its share', async () => {
    const { asked, parts } = counting(() => true)
    const wanted = inside({ 'w:few': placesOf(10), 'w:read': placesOf(4000), 'w:write': placesOf(3000) })
    const { cap } = await capOf(wanted, [ANA], parts)
    expect(asked).toEqual({ 'w:few': 10, 'w:read': 2495, 'w:write': 2495 })
    expect(cap.within).toEqual({
      'w:few': placesOf(10),
      'w:read': placesOf(2495),
      'w:write': placesOf(2495),
    })
  })

  test('by no more than 5,000 questions about a person, however little is held', async () => {
    const { asked, parts } = counting((permission, place) => permission === 'w:z' && place === 'w-0001')
    const many = Array.from({ length: 63 }, (_, i) => [`w:p${i}`, placesOf(5000)] as const)
    const { cap } = await capOf(inside({ ...Object.fromEntries(many), 'w:z': placesOf(2) }), [ANA], parts)
    expect(cap.within, 'what others declare for other permissions leaves it its own').toEqual({ 'w:z': ['w-0001'] })
    expect(Object.values(asked).reduce((sum, one) => sum + one, 0)).toBe(5000)
  })

  test('a few at a time', async () => {
    let [now, most] = [0, 0]
    const { parts } = setUp([])
    const reviews: CapParts['reviews'] = {
      may: async (_person, question) => {
        most = Math.max(most, ++now)
        await new Promise(setImmediate)
        now -= 1
        return question.kind === 'grant' && question.accessNamespace !== undefined
      },
      missing: async () => [],
    }
    await capOf(inside({ 'w:read': placesOf(50), 'w:write': placesOf(50) }), [ANA], { ...parts, reviews })
    expect(most).toBe(8)
  })
})
