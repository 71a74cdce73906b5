/** The people behind keys, as the port on a cluster needs to know them: who made what, and how far all of them together go. */
import type { Cap, Lost } from '../core/cap.ts'
import type { KeyRef } from '../core/key-ref.ts'
import type { Parsed } from '../core/parsed.ts'
import type { Attested } from '../core/person.ts'
import type { ApiKey } from '../resources/api-key.ts'
import type { KubeObject } from './objects.ts'

export type AskedCap = {
  readonly ref: KeyRef
  readonly apiKey: ApiKey
  /** Whoever made it and whoever received its versions that are in force; the same one twice counts once. */
  readonly people: readonly Attested[]
  /** What was granted last; undefined: nothing. Whoever begins to lead need not ask at once what is the same by all signs. */
  readonly last: Cap | undefined
}

export type PeopleCap = { readonly cap: Cap; readonly lost: readonly Lost[] }

/** A problem: nobody is proven to have made it. */
export type Proof = Parsed<Attested> & { readonly undecided?: Undecided }

/** It may be proven yet, and is looked at again first. */
export type Undecided = {
  /** Of a Trouble. */
  readonly code: string
  /** Milliseconds since 1970. */
  readonly until: number
}

export type PeoplePort = {
  /** Who made the ApiKey. */
  readonly creatorOf: (apiKey: KubeObject) => Proof
  readonly claimantOf: (claim: KubeObject) => Proof
  /**
   * What all of them hold of what the key asks for: asks the API server where that is not known. From then on the key is
   * woken as soon as that is something else.
   */
  readonly capOf: (asked: AskedCap) => Promise<PeopleCap>
  /** The same for one more, who may receive it: nobody is woken for that. */
  readonly capWith: (asked: AskedCap, claimant: Attested) => Promise<Cap>
  /** The key is gone. */
  readonly forget: (ref: KeyRef) => void
}
