/** What the people behind a key still hold of what it asks for, and who no longer holds what: asked again for the key's whole life. */
import type { Permission } from '../core/permission.ts'
import { type Person, personKey, serviceAccountOf } from './person.ts'
import type { Asking, Reviews, Wanted } from './reviews.ts'

export type CapParts = {
  readonly reviews: Pick<Reviews, 'missing' | 'may'>
  /**
   * The uid that a ServiceAccount has now; undefined: there is none. A review looks at names only, and somebody else may
   * have made another one of the same name since.
   */
  readonly serviceAccountUid: (namespace: string, name: string) => Promise<string | undefined>
}

export type Lost = {
  readonly person: Person
  /** In the order asked for. */
  readonly permissions: readonly Permission[]
  /** The ServiceAccount is gone, or is another one by now. */
  readonly gone: boolean
}

export type Cap = {
  /** What all of them hold, in the order asked for. */
  readonly held: readonly Permission[]
  /** Who lacks what; one entry a person, and none for who holds everything. */
  readonly lost: readonly Lost[]
}

/** @param people creator and claimant; the same person twice is asked once */
export async function capOf(
  wanted: Wanted,
  people: readonly Person[],
  cap: CapParts & { readonly asking: Asking },
): Promise<Cap> {
  const distinct = [...new Map(people.map((person) => [personKey(person), person])).values()]
  const lacking = await Promise.all(distinct.map((person) => lostBy(person, wanted, cap)))
  const lost = lacking.filter(({ permissions }) => permissions.length > 0)
  const missing = new Set(lost.flatMap(({ permissions }) => permissions))
  return { held: wanted.permissions.filter((permission) => !missing.has(permission)), lost }
}

/** For routes that reach `within` a namespace: those of the places on which all of them hold the permission. */
export async function placesHeld(
  { permission, places }: { readonly permission: Permission; readonly places: readonly string[] },
  people: readonly Person[],
  cap: CapParts & { readonly asking: Asking },
): Promise<readonly string[]> {
  const caps = await Promise.all(
    places.map((accessNamespace) => capOf({ accessNamespace, permissions: [permission] }, people, cap)),
  )
  return places.filter((_, i) => caps[i]?.held.length === 1)
}

async function lostBy(
  person: Person,
  wanted: Wanted,
  { reviews, serviceAccountUid, asking }: CapParts & { readonly asking: Asking },
): Promise<Lost> {
  const account = serviceAccountOf(person)
  if (account !== undefined && (await serviceAccountUid(account.namespace, account.name)) !== person.uid) {
    return { person, permissions: wanted.permissions, gone: true }
  }
  return { person, permissions: await reviews.missing(person, wanted, asking), gone: false }
}
