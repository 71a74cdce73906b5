/** What of a key is not in force because of the people behind it: which permission, since when, and because of whom. */
import { describe, expect, test } from 'vitest'
import type { Lost } from '../../src/core/cap.ts'
import { statusAt } from '../../src/operator/plan.ts'
import type { People } from '../../src/operator/world.ts'
import type { ApiKeyStatus } from '../../src/resources/key-status.ts'
import { aSecret, aWorld, HOUR, holding, NOON, somePeople } from './make.ts'

const ASKED = ['license:manage', 'customer:read', 'customer:write']
const [AT_NOON, AT_ONE] = ['2026-11-22T12:00:00Z', '2026-11-22T13:00:00Z']

const lacks = (username: string, ...permissions: readonly string[]): Lost => ({ username, permissions, why: 'notHeld' })
const gone = (username: string): Lost => ({ username, permissions: ASKED, why: 'gone' })

function statusOf(people: Partial<People>, { now = NOON, reported }: { now?: number; reported?: unknown } = {}) {
  const world = aWorld({
    ...{ spec: { permissions: ASKED }, secret: aSecret(), reported },
    people: somePeople(people),
  })
  const status = statusAt(world, now, undefined)
  if (status === undefined) throw new Error('no status')
  return status
}

const within = ({ conditions }: ApiKeyStatus) => {
  const found = conditions.find(({ type }) => type === 'WithinCreatorAccess')
  return found && `${found.status} ${found.reason}: ${found.message}`
}

describe('a permission that somebody lost', () => {
  const lost = statusOf({ ...holding('license:manage', 'customer:read'), lost: [lacks('ana', 'customer:write')] })

  test('is withheld, with since when and because of whom', () => {
    expect(lost.withheld).toEqual([{ permission: 'customer:write', since: AT_NOON, because: ['ana'] }])
    expect(within(lost)).toBe(`False AccessLost: customer:write: not held by ana since ${AT_NOON}`)
    expect([lost.permissions, lost.permissionsSummary]).toEqual([
      ['license:manage', 'customer:read'],
      'license:manage, customer:read (2 of 3)',
    ])
  })

  test('stays withheld since then, whoever else loses it and whatever else is lost', () => {
    const later = statusOf(
      {
        ...holding('customer:read'),
        lost: [lacks('ana', 'customer:write'), lacks('ben', 'license:manage', 'customer:write')],
      },
      { now: NOON + HOUR, reported: lost },
    )
    expect(later.withheld).toEqual([
      { permission: 'license:manage', since: AT_ONE, because: ['ben'] },
      { permission: 'customer:write', since: AT_NOON, because: ['ana', 'ben'] },
    ])
    expect(within(later)).toBe(
      `False AccessLost: license:manage: not held by ben since ${AT_ONE}; customer:write: not held by ana, ben since ${AT_NOON}`,
    )
  })

  test('is withheld since the second time once it was regained', () => {
    const regained = statusOf(holding(...ASKED), { now: NOON + 1000, reported: lost })
    expect([regained.withheld, within(regained)]).toEqual([
      undefined,
      'True WithinAccess: who made and who received the key hold all it asks for',
    ])
    const again = statusOf(
      { ...holding('license:manage', 'customer:read'), lost: [lacks('ana', 'customer:write')] },
      { now: NOON + HOUR, reported: regained },
    )
    expect(again.withheld).toEqual([{ permission: 'customer:write', since: AT_ONE, because: ['ana'] }])
  })

  test('counts from now where the status before does not say since when', () => {
    const reported = { ...lost, withheld: 'nonsense' }
    const people = { ...holding('license:manage', 'customer:read'), lost: [lacks('ana', 'customer:write')] }
    expect(statusOf(people, { now: NOON + HOUR, reported }).withheld?.map(({ since }) => since)).toEqual([AT_ONE])
  })
})

describe('what is said of it', () => {
  test('names a ServiceAccount that is gone as gone', () => {
    const status = statusOf({ ...holding(), lost: [gone('system:serviceaccount:team:ci')] })
    expect(within(status)).toBe(
      `False AccessLost: license:manage, customer:read, customer:write: not held by system:serviceaccount:team:ci (that ServiceAccount is gone) since ${AT_NOON}`,
    )
    expect(status.permissionsSummary).toBe('none (0 of 3)')
  })

  test('names somebody of whom nothing is known any more as such', () => {
    const status = statusOf({ ...holding('license:manage', 'customer:read'), lost: [gone('ben')] })
    expect(within(status)).toBe(
      `False AccessLost: customer:write: not held by ben (nothing says any more who that is) since ${AT_NOON}`,
    )
  })

  test('names nobody where it is not known who', () => {
    const status = statusOf(holding('license:manage', 'customer:read'))
    expect(status.withheld).toEqual([{ permission: 'customer:write', since: AT_NOON, because: [] }])
    expect(within(status)).toBe(`False AccessLost: customer:write: not held since ${AT_NOON}`)
  })

  test('says that the places inside the namespace are too many', () => {
    const places = Array.from({ length: 5000 }, (_, i) => `place-${i}`)
    const status = statusOf({ cap: { held: ASKED, within: { 'customer:read': places } } })
    expect(within(status)).toBe(
      'True WithinAccess: who made and who received the key hold all it asks for; inside its access namespace it gets to no more than 5000 places, each permission counted',
    )
    const fewer = statusOf({ cap: { held: ASKED, within: { 'customer:read': places.slice(1), 'a:b': 'everywhere' } } })
    expect(within(fewer)).toBe('True WithinAccess: who made and who received the key hold all it asks for')
  })

  test('says of a key that nobody is known to have made why, and names no permission', () => {
    const status = statusOf({ ...holding(...ASKED), unattested: 'it was not stamped' })
    expect([status.withheld, status.permissions]).toEqual([undefined, []])
    expect(within(status)).toBe(
      'False NotAttested: nobody is known to have made the key, so nothing is in force of it: it was not stamped',
    )
  })

  test('fits into a status, however long names are', () => {
    const asked = Array.from({ length: 64 }, (_, i) => `${'p'.repeat(120)}:p${i}`)
    const names = Array.from({ length: 12 }, (_, i) => `${i}${'n'.repeat(2000)}`)
    const lost = names.flatMap((name, i) => [lacks(name, ...asked.slice(i * 5))])
    const world = aWorld({
      spec: { permissions: asked },
      secret: aSecret(),
      people: somePeople({ ...holding(), lost, createdBy: 'c'.repeat(3000) }),
    })
    const status = statusAt(world, NOON, undefined)
    const message = status?.conditions.find(({ type }) => type === 'WithinCreatorAccess')?.message ?? ''
    expect(message.length).toBeLessThanOrEqual(32_768)
    expect(status?.withheld?.every(({ because }) => because.length <= 8)).toBe(true)
    expect(status?.withheld?.flatMap(({ because }) => because).every(({ length }) => length <= 1024)).toBe(true)
    expect(status?.createdBy?.username.length).toBe(1024)
  })
})
