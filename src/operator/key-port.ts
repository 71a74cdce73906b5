/** What the reconciler needs from where it runs: a cluster, or a folder with a store. Fences refuse whoever came too late. */
import type { KeyId } from '../core/credential.ts'
import type { KeyRef } from '../core/key-ref.ts'
import type { Plaintext } from '../core/plaintext.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import type { ApiKeyStatus } from '../resources/key-status.ts'
import type { Denied } from './claims.ts'
import type { Grant, Recipient, Revision, World } from './world.ts'

export type KeyPort = {
  /** A live look: what is not found is gone, not merely unseen. */
  readonly observe: (ref: KeyRef) => Promise<World>
  /**
   * Keeps the digests of a key; durable when it resolves. Refused with a Trouble if there was another writing since `over`
   * was read (undefined: nothing was there), or if its key ID or a digest belongs to another key.
   * `grant`: is granted with it; undefined: what was granted stays.
   */
  readonly writeSecret: (next: KeySecret, over: Revision | undefined, grant?: Grant) => Promise<Revision>
  /** From now on this attempt is the only one that may hand this key over; `over` as for writeSecret. */
  readonly openAttempt: (opening: Opening) => Promise<Attempt>
  /** The key ID can't be imported again. */
  readonly tombstone: (keyId: KeyId, uid: string) => Promise<void>
  /** Forgets the digests and the status of an ApiKey that is gone. */
  readonly remove: (uid: string, keyId: KeyId) => Promise<void>
  readonly denyClaim: (ref: KeyRef, denied: Denied) => Promise<void>
  readonly report: (ref: KeyRef, uid: string, status: ApiKeyStatus) => Promise<void>
}

export type Opening = {
  readonly ref: KeyRef
  readonly uid: string
  readonly over: Revision | undefined
  readonly recipient: Recipient
  /** As for writeSecret. */
  readonly grant: Grant | undefined
}

/** One hand-over. Each stage is durable when it resolves, and is refused with a Trouble if another attempt took over. */
export type Attempt = {
  /** First: a secret that is not stored must not reach anybody. */
  readonly storeDigest: (stored: KeySecret) => Promise<void>
  readonly deliver: (plaintext: Plaintext) => Promise<void>
  /** Last: until this is kept, the version counts as not handed over and is minted again. */
  readonly confirm: (arrived: KeySecret) => Promise<Revision>
}
