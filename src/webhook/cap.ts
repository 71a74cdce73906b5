/** What the people behind a key still hold of what it asks for, and who no longer holds what: asked again for the key's whole life. */
import { type Cap, type Lost, MOST_PLACES, type Places } from '../core/cap.ts'
import type { Permission } from '../core/permission.ts'
import { type Person, personKey, serviceAccountOf } from '../core/person.ts'
import type { Asking, Reviews, Wanted } from './reviews.ts'

export type CapParts = {
  readonly reviews: Pick<Reviews, 'missing' | 'may'>
  /**
   * The uid that a ServiceAccount has now; undefined: there is none. A review looks at names only, and somebody else may
   * have made another one of the same name since.
   */
  readonly serviceAccountUid: (namespace: string, name: string) => string | undefined
  readonly asking: (person: Person) => Asking
}

/** What a key asks for. */
export type KeyWanted = Wanted & {
  /** Where inside its access namespace some route reaches `within` with a permission, sorted by name. */
  readonly inside: ReadonlyMap<Permission, readonly string[]>
}

/** One entry a person in `lost`, and none for who holds everything. */
export type Capped = { readonly cap: Cap; readonly lost: readonly Lost[] }

/** @param people creator and claimants; the same person twice is asked once */
export async function capOf(wanted: KeyWanted, people: readonly Person[], parts: CapParts): Promise<Capped> {
  const distinct = [...new Map(people.map((person) => [personKey(person), person])).values()]
  const lacking = await Promise.all(distinct.map((person) => lostBy(person, wanted, parts)))
  const lost = lacking.filter(({ permissions }) => permissions.length > 0)
  const missing = new Set(lost.flatMap(({ permissions }) => permissions))
  // most keys hold all that they ask for: the same list is not kept twice then
  const held = missing.size === 0 ? wanted.permissions : wanted.permissions.filter((one) => !missing.has(one))
  return { cap: { held, within: await withinOf(held, wanted.inside, { ...parts, people: distinct }) }, lost }
}

type OfPeople = CapParts & { readonly people: readonly Person[] }

/**
 * Of what is held. Where it is too much, every permission has its share of what may be asked, and of that what comes first by name:
 * routes that others declare for one permission leave the others theirs, and the answers change nothing of who is asked what.
 */
async function withinOf(
  held: readonly Permission[],
  inside: KeyWanted['inside'],
  parts: OfPeople,
): Promise<Cap['within']> {
  const within: Record<Permission, Places> = {}
  const byName: Limited[] = []
  for (const permission of held) {
    const places = inside.get(permission) ?? []
    if (places.length === 0) continue
    const people = await limited(permission, parts)
    if (people.length === 0) within[permission] = 'everywhere'
    else byName.push({ permission, places, people })
  }
  const shares = sharesOf(byName.map(({ places }) => places.length))
  for (const [i, { permission, places, people }] of byName.entries()) {
    const there = await heldOn(permission, places.slice(0, shares[i]), { ...parts, people })
    if (there.length > 0) within[permission] = there
  }
  return within
}

type Limited = {
  readonly permission: Permission
  readonly places: readonly string[]
  /** Those who don't hold it everywhere. */
  readonly people: readonly Person[]
}

/** The same for each; what one does not need the others have. */
function sharesOf(wanted: readonly number[]): readonly number[] {
  const shares = wanted.map(() => 0)
  let left = MOST_PLACES
  const fewestFirst = [...wanted.entries()].sort(([i, a], [j, b]) => a - b || i - j)
  for (const [turn, [i, number]] of fewestFirst.entries()) {
    const share = Math.min(number, Math.floor(left / (wanted.length - turn)))
    shares[i] = share
    left -= share
  }
  return shares
}

/** On every place where none is named. */
type About = { readonly permission: Permission; readonly accessNamespace: string | undefined }

const ask = ({ reviews, asking }: CapParts, person: Person, about: About): Promise<boolean> =>
  reviews.may(person, { kind: 'grant', ...about }, asking(person))

async function limited(permission: Permission, { people, ...parts }: OfPeople): Promise<readonly Person[]> {
  const about = { permission, accessNamespace: undefined }
  const everywhere = await Promise.all(people.map((person) => ask(parts, person, about)))
  return people.filter((_, i) => everywhere[i] !== true)
}

/** So that a key with many places leaves the others their turns. */
const ASKED_AT_ONCE = 8

/** Of the places those on which everybody holds it. */
async function heldOn(
  permission: Permission,
  places: readonly string[],
  { people, ...parts }: OfPeople,
): Promise<readonly string[]> {
  const isHeld = async (accessNamespace: string): Promise<boolean> => {
    const about = { permission, accessNamespace }
    const answers = await Promise.all(people.map((person) => ask(parts, person, about)))
    return answers.every((yes) => yes)
  }
  const held: string[] = []
  for (let i = 0; i < places.length; i += ASKED_AT_ONCE) {
    const some = places.slice(i, i + ASKED_AT_ONCE)
    const answers = await Promise.all(some.map(isHeld))
    held.push(...some.filter((_, j) => answers[j] === true))
  }
  return held
}

async function lostBy(person: Person, wanted: Wanted, { reviews, asking, ...parts }: CapParts): Promise<Lost> {
  const { username } = person
  const account = serviceAccountOf(person)
  if (account !== undefined && parts.serviceAccountUid(account.namespace, account.name) !== person.uid) {
    return { username, permissions: wanted.permissions, why: 'gone' }
  }
  return { username, permissions: await reviews.missing(person, wanted, asking(person)), why: 'notHeld' }
}
