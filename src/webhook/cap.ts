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

/** Of what is held; where it is too much, what comes first by the order of permissions and names. */
async function withinOf(
  held: readonly Permission[],
  inside: KeyWanted['inside'],
  parts: OfPeople,
): Promise<Cap['within']> {
  const within: Record<Permission, Places> = {}
  let left = MOST_PLACES
  for (const permission of held) {
    const there = inside.get(permission)
    if (there === undefined) continue
    const places = await placesOf(permission, there.slice(0, left), parts)
    if (places.length === 0) continue
    within[permission] = places
    if (places !== 'everywhere') left -= places.length
  }
  return within
}

/** Of the places those on which everybody holds it. */
async function placesOf(permission: Permission, places: readonly string[], of: OfPeople): Promise<Places> {
  const { people, reviews, asking } = of
  const on = (accessNamespace: string | undefined) => ({ kind: 'grant', permission, accessNamespace }) as const
  const all = await Promise.all(people.map((person) => reviews.may(person, on(undefined), asking(person))))
  const limited = people.filter((_, i) => all[i] !== true)
  if (limited.length === 0) return 'everywhere'
  const held = await Promise.all(
    places.map(async (place) => {
      const answers = await Promise.all(limited.map((person) => reviews.may(person, on(place), asking(person))))
      return answers.every((yes) => yes)
    }),
  )
  return places.filter((_, i) => held[i] === true)
}

async function lostBy(person: Person, wanted: Wanted, { reviews, asking, ...parts }: CapParts): Promise<Lost> {
  const { username } = person
  const account = serviceAccountOf(person)
  if (account !== undefined && parts.serviceAccountUid(account.namespace, account.name) !== person.uid) {
    return { username, permissions: wanted.permissions, why: 'gone' }
  }
  return { username, permissions: await reviews.missing(person, wanted, asking(person)), why: 'notHeld' }
}
