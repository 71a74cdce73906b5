/** The keys that are capped, found by the people behind them, and what is known of those people. */
import type { Cap, Lost } from '../core/cap.ts'
import { type KeyRef, nameOf } from '../core/key-ref.ts'
import type { Permission } from '../core/permission.ts'
import type { Attested, Person } from '../core/person.ts'
import { type Rights, sameRights } from '../resources/rights.ts'
import { sameJson } from '../resources/same-json.ts'

export type CappedKey = {
  readonly ref: KeyRef
  readonly accessNamespace: string
  /** Asked for. */
  readonly permissions: readonly Permission[]
  readonly people: readonly Attested[]
  /** Where it was to be asked place by place. */
  readonly inside: ReadonlyMap<Permission, readonly string[]>
  /** undefined: it is being worked out for the first time. */
  readonly capped: { readonly cap: Cap; readonly lost: readonly Lost[] } | undefined
}

export type SeenPerson = {
  readonly rights: Rights
  /** Of the ServiceAccount that has this name now. */
  readonly accountUid: string | undefined
}

export type KnownPerson = {
  readonly person: Person
  /** By the steady clock: what was asked before counts for nothing, since nobody looked whether it changes. */
  readonly since: number
  /** `namespace/name` of the keys that they cap. */
  readonly keys: Set<string>
  rights: SeenPerson['rights']
  accountUid: SeenPerson['accountUid']
  /** How often an answer was asked for again since their rights changed, because it was not what the roles say. */
  doubts: number
}

export type CappedKeys = {
  readonly get: (ref: KeyRef) => CappedKey | undefined
  readonly named: (name: string) => CappedKey | undefined
  readonly names: () => readonly string[]
  /** @param people by `personKey`; `meet` makes those that are not known yet */
  readonly put: (
    key: CappedKey,
    people: ReadonlyMap<string, Person>,
    meet: (person: Person) => Omit<KnownPerson, 'keys'>,
  ) => void
  /** It is to be asked place by place there from now on. */
  readonly move: (name: string, inside: CappedKey['inside']) => void
  readonly drop: (ref: KeyRef) => void
  /** By `personKey`. */
  readonly people: ReadonlyMap<string, KnownPerson>
  /** What is seen of everybody now. @returns names of keys whose people are others by that, and whose rights are */
  readonly lookAgain: (seenOf: (person: Person) => SeenPerson) => {
    readonly concerned: ReadonlySet<string>
    readonly changed: ReadonlyMap<string, readonly [before: Rights, after: Rights]>
  }
}

export function keepCapped(): CappedKeys {
  const keys = new Map<string, { readonly key: CappedKey; readonly whos: ReadonlySet<string> }>()
  const people = new Map<string, KnownPerson>()

  const leave = (name: string, who: string): void => {
    const known = people.get(who)
    known?.keys.delete(name)
    if (known?.keys.size === 0) people.delete(who)
  }

  return {
    people,
    get: (ref) => keys.get(nameOf(ref))?.key,
    named: (name) => keys.get(name)?.key,
    names: () => [...keys.keys()],
    put: (key, persons, meet) => {
      const name = nameOf(key.ref)
      const before = keys.get(name)?.whos ?? new Set<string>()
      keys.set(name, { key, whos: new Set(persons.keys()) })
      for (const [who, person] of persons) {
        const known = people.get(who) ?? { ...meet(person), keys: new Set<string>() }
        known.keys.add(name)
        people.set(who, known)
      }
      for (const who of before) if (!persons.has(who)) leave(name, who)
    },
    move: (name, inside) => {
      const known = keys.get(name)
      if (known !== undefined) keys.set(name, { ...known, key: { ...known.key, inside } })
    },
    lookAgain: (seenOf) => {
      const concerned = new Set<string>()
      const changed = new Map<string, readonly [before: Rights, after: Rights]>()
      for (const [who, known] of people) {
        const { rights: before, accountUid } = known
        Object.assign(known, seenOf(known.person))
        const isSame = sameRights(before, known.rights)
        if (isSame && accountUid === known.accountUid) continue
        for (const name of known.keys) concerned.add(name)
        if (isSame) continue
        known.doubts = 0
        changed.set(who, [before, known.rights])
      }
      return { concerned, changed }
    },
    drop: (ref) => {
      const name = nameOf(ref)
      for (const who of keys.get(name)?.whos ?? []) leave(name, who)
      keys.delete(name)
    },
  }
}

export const placesIn = (inside: CappedKey['inside'] | undefined): number =>
  inside?.values().reduce((sum, places) => sum + places.length, 0) ?? 0

export const samePlaces = (a: CappedKey['inside'], b: CappedKey['inside']): boolean =>
  a.size === b.size && (a.size === 0 || sameJson([...a], [...b]))
