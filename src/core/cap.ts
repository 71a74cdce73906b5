/** What the people behind a key leave of what it asks for: the key never gets further than all of them together. */
import type { Permission } from './permission.ts'

/** Access namespaces inside that of a key, by name, each once and sorted. */
export type Places = 'everywhere' | readonly string[]

/** As it is worked out and stored. */
export type Cap = {
  /** What everybody holds on the key's own access namespace: of what is asked for, in that order. */
  readonly held: readonly Permission[]
  /** Where inside it everybody holds a permission that some route reaches `within` with; one that is absent is held nowhere. */
  readonly within: Readonly<Record<Permission, Places>>
}

export const NOTHING_HELD: Cap = { held: [], within: {} }

/** Names in a cap, of all its permissions together: what is beyond is not held. */
export const MOST_PLACES = 5000

/** What somebody behind a key does not hold of what it asks for. */
export type Lost = {
  readonly username: string
  readonly permissions: readonly Permission[]
  /** gone: the ServiceAccount is gone, or another one by now. */
  readonly why: 'notHeld' | 'gone'
}

/** Names of access namespaces. The sets never change: what is worked out of them is kept. */
export type HeldAt = 'everywhere' | ReadonlySet<string>

/** As decisions read it. */
export type CapInForce = {
  readonly held: readonly Permission[]
  readonly heldWithin: ReadonlyMap<Permission, HeldAt>
}

export const capInForce = ({ held, within }: Cap): CapInForce => ({
  held,
  heldWithin: new Map(
    Object.entries(within).map(([permission, places]) => [
      permission,
      places === 'everywhere' ? places : new Set(places),
    ]),
  ),
})
