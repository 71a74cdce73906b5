/** What the index knows of a key: all that a decision needs, and nothing that would have to be parsed again. */
import type { Cidr } from './address.ts'
import type { HeldAt } from './cap.ts'
import type { Digest, KeyId } from './credential.ts'
import type { Environment } from './environment.ts'
import type { Limit } from './limit.ts'
import type { Permission } from './permission.ts'

export type KeyState = 'Active' | 'Suspended' | 'Revoked' | 'Deleted'

export type KeyRecord = {
  readonly keyId: KeyId
  /** `namespace/name` of the ApiKey. */
  readonly name: string
  readonly accessNamespace: string
  readonly environment: Environment
  /** What the manifest asks for. */
  readonly asked: readonly Permission[]
  /** What of it creator and claimant still hold. */
  readonly held: readonly Permission[]
  /**
   * Where inside the key's access namespace its people hold a permission, for routes that reach `within`; one that is absent
   * is held nowhere. undefined: nobody caps it.
   */
  readonly heldWithin: ReadonlyMap<Permission, HeldAt> | undefined
  /** undefined: not limited to customers. */
  readonly customers: readonly string[] | undefined
  /** Milliseconds since 1970; undefined: never. */
  readonly expiresAt: number | undefined
  readonly state: KeyState
  /** undefined: from anywhere. */
  readonly allowedCidrs: readonly Cidr[] | undefined
  readonly limits: readonly Limit[]
}

/** One digest in force: the current secret of a key, or the replaced one within its overlap. */
export type Entry = {
  readonly record: KeyRecord
  /** Milliseconds since 1970; undefined: as long as the key itself. */
  readonly validUntil: number | undefined
}

/** How a digest is looked up; what a Map's timing could tell is about SHA-256 output, not about the key. */
export type FindKey = (digest: Digest) => Entry | undefined
