/** PURE: which permissions of a key are not in force, since when, and because of whom. */
import { type Cap, type Lost, MOST_PLACES } from '../core/cap.ts'
import { type Finding, formatTime } from '../core/condition.ts'
import type { Permission } from '../core/permission.ts'
import { serviceAccountOf } from '../core/person.ts'
import type { Reported, Withheld } from '../resources/key-status.ts'
import type { People } from './world.ts'

export type WithheldParts = {
  readonly asked: readonly Permission[]
  readonly people: People
  readonly before: Reported
  readonly now: number
}

/** As many as a status holds; more than creator and two claimants there never are. */
const MOST_PEOPLE = 8
const MOST_CHARACTERS = { name: 1024, message: 32_000 }

/** In the order asked for; what is withheld already is so since it was first seen to be. */
export function withheldOf({ asked, people, before, now }: WithheldParts): readonly Withheld[] {
  const { cap, lost, unattested } = people
  if (cap === undefined || unattested !== undefined) return []
  const since = new Map(before.withheld.map((one) => [one.permission, one.since]))
  return asked
    .filter((permission) => !cap.held.includes(permission))
    .map((permission) => ({
      permission,
      since: since.get(permission) ?? formatTime(now),
      because: namesOf(lost.filter(({ permissions }) => permissions.includes(permission))),
    }))
}

const namesOf = (lost: readonly Lost[]): readonly string[] =>
  [...new Set(lost.map(({ username }) => username.slice(0, MOST_CHARACTERS.name)))].slice(0, MOST_PEOPLE)

const TYPE = 'WithinCreatorAccess'

export function withinAccess(people: People, withheld: readonly Withheld[]): Finding {
  const { cap, lost, unattested } = people
  if (unattested !== undefined) {
    const message = `nobody is known to have made the key, so nothing is in force of it: ${unattested}`
    return { type: TYPE, status: 'False', reason: 'NotAttested', message }
  }
  if (cap === undefined) {
    const message = 'no users are known here: the key may do what it asks for'
    return { type: TYPE, status: 'True', reason: 'NotCapped', message }
  }
  const full = isFull(cap) ? [TOO_MANY_PLACES] : []
  if (withheld.length === 0) {
    const message = ['who made and who received the key hold all it asks for', ...full].join('; ')
    return { type: TYPE, status: 'True', reason: 'WithinAccess', message }
  }
  const message = [...full, ...sentences(withheld, lost)].join('; ').slice(0, MOST_CHARACTERS.message)
  return { type: TYPE, status: 'False', reason: 'AccessLost', message }
}

const TOO_MANY_PLACES = `inside its access namespace it gets to no more than ${MOST_PLACES} places, each permission counted`

const isFull = ({ within }: Cap): boolean =>
  Object.values(within).reduce((sum, places) => sum + (places === 'everywhere' ? 0 : places.length), 0) >= MOST_PLACES

/** The status beside it has the rest. */
const MOST_SENTENCES = 6

const goneWords = (username: string): string =>
  serviceAccountOf({ username }) === undefined ? 'nothing says any more who that is' : 'that ServiceAccount is gone'

/** Permissions that the same people lost at the same moment are named together. */
function sentences(withheld: readonly Withheld[], lost: readonly Lost[]): readonly string[] {
  const isGone = (name: string): boolean => lost.some(({ username, why }) => username === name && why === 'gone')
  const named = (name: string): string => (isGone(name) ? `${name} (${goneWords(name)})` : name)
  const byReason = new Map<string, Permission[]>()
  for (const { permission, since, because } of withheld) {
    const why = `not held${because.length === 0 ? '' : ` by ${because.map(named).join(', ')}`} since ${since}`
    byReason.set(why, [...(byReason.get(why) ?? []), permission])
  }
  const all = [...byReason].map(([why, permissions]) => `${permissions.join(', ')}: ${why}`)
  const more = all.length - MOST_SENTENCES
  return more > 0 ? [...all.slice(0, MOST_SENTENCES), `${more} more in status.withheld`] : all
}
