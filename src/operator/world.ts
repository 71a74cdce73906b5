/** What a reconcile observes of one key: everything that a plan may look at besides the time. */
import type { Cap, Lost } from '../core/cap.ts'
import type { KeyId } from '../core/credential.ts'
import type { ApiKey } from '../resources/api-key.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import type { Reported } from '../resources/key-status.ts'

/** An ApiKey as it is in force. */
export type Declared = { readonly uid: string; readonly generation: number; readonly apiKey: ApiKey }

/** Says which writing was read, so that a write over it fails if there was another since. */
export type Revision = string

export type Held =
  | {
      readonly kind: 'read'
      readonly secret: KeySecret
      readonly revision: Revision
      /** Its key ID can't be imported any more. */
      readonly tombstoned: boolean
    }
  /** Something is stored for this key, but not by us, or not whole. */
  | { readonly kind: 'unreadable'; readonly problem: string }

/** Where a version goes as soon as it is due. */
export type AutomaticRecipient =
  | { readonly kind: 'workloadSecret'; readonly secretName: string; readonly claimant: string }
  | { readonly kind: 'newKeys'; readonly claimant: string }

export type ClaimRecipient = { readonly kind: 'claim'; readonly claim: string; readonly claimant: string }

export type Recipient = AutomaticRecipient | ClaimRecipient

/** What an ApiKey asks for, as it is written. */
export type Asked = { readonly generation: number; readonly spec: Readonly<Record<string, unknown>> }

/** What is granted of it: the spec, as far as the cap goes. */
export type Grant = Asked & { /** undefined: nobody caps the key. */ readonly cap: Cap | undefined }

/** Where an ApiKey is edited by others at any time, what it gives is in force only as far as it was granted. */
export type Granting = {
  readonly asked: Asked
  /** undefined: nothing yet. */
  readonly last: Grant | undefined
}

/**
 * The Secret that keeps the credential for a workload. missing: it is not there, or does not hold the version that was
 * handed over; foreign: somebody else's has its name; collected: that of an ApiKey of this name that is gone, as the Secret
 * will be soon; unknown: it can't be looked at.
 */
export type WorkloadSecret = 'present' | 'missing' | 'foreign' | 'collected' | 'unknown'

/** An ApiKeyClaim that is not finished. */
export type WaitingClaim = {
  readonly name: string
  readonly claimant: string
  /** The version that it asks for; undefined: the one that is due. */
  readonly version: number | undefined
  /** The version that was due when the claim was made; undefined: it was made just now. */
  readonly dueWhenMade: number | undefined
  /** Why nobody is known to have made it: then it receives nothing. */
  readonly unattested: string | undefined
  /** What everybody behind the key holds once this one has received it; undefined: nobody caps the key. */
  readonly cap: Cap | undefined
  /** How far its claimant goes was not asked yet, or it is not known yet who that is: it does not receive the version. */
  readonly unasked?: boolean
  /** When one is looked at again that neither receives the version nor is denied (ms since 1970). */
  readonly undecidedUntil?: number | undefined
  /** What is wrong with the claim whatever the key is like. */
  readonly objection: 'InvalidKey' | 'KeyNotFound' | undefined
  /** The version that it holds sealed; undefined: none yet. */
  readonly delivered: { readonly version: number; readonly at: number } | undefined
}

/** Why what a manifest imports may not be had. */
export type Taken = {
  /** retired: once revoked or deleted; held: by another ApiKey. */
  readonly keyId: 'retired' | 'held' | undefined
  readonly digest: 'held' | undefined
}

/** Whoever made a key, and whoever received its versions that are in force. */
export type People = {
  readonly createdBy: string
  /** What all of them hold of what is asked for; undefined: nobody caps the key. */
  readonly cap: Cap | undefined
  /** Who of them lacks what; nobody where nothing is lacking. */
  readonly lost: readonly Lost[]
  /** Why nobody is known to have made the key: then it gets no credential, and nothing is in force of it. */
  readonly unattested: string | undefined
}

export type World = {
  /** undefined: by a live look there is none. */
  readonly declared: Declared | undefined
  readonly held: Held | undefined
  /** What is stored for ApiKeys of this name that are gone. */
  readonly orphans: readonly { readonly uid: string; readonly keyId: KeyId }[]
  /** Oldest first. */
  readonly claims: readonly WaitingClaim[]
  readonly automatic: AutomaticRecipient | undefined
  /** What shows that the version that is stored and not confirmed has reached its owner, or may have. */
  readonly arrival: { readonly by: string; readonly at: number } | undefined
  /** undefined: the key has none, or there are none here. */
  readonly workloadSecret: WorkloadSecret | undefined
  /** undefined: what is declared is what is granted. */
  readonly granting: Granting | undefined
  /** A key ID for a key that has none; undefined: there is no need of one. */
  readonly freshKeyId: KeyId | undefined
  readonly people: People
  readonly taken: Taken
  /** Without what others write into a status (the last use). */
  readonly reported: Reported
}
