/** What authz keeps of a digest Secret and of an ApiKey: as little as decides, since there may be a hundred thousand of them. */
import { type CapInForce, capInForce } from '../core/cap.ts'
import type { Digest, KeyId } from '../core/credential.ts'
import { type Words, wordsOf } from '../resources/granted-key.ts'
import type { KeySecret, PreviousDigest } from '../resources/key-secret.ts'
import { once } from '../runtime/once.ts'
import { readDigestSecret } from './digest-secret.ts'
import type { KubeObject } from './objects.ts'
import { ownText } from './own-text.ts'

/** A digest Secret that can be read, with the spec that was granted, in one object: `secretOf` takes it apart again. */
export type KeptKey = Pick<Words, 'spec'> & {
  readonly kind: 'kept'
  // where the ApiKey says the same, these are held once
  delivery: string
  uid: string
  name: string
  /** Of the Secret: seconds since 1970. */
  readonly createdAt: number
  readonly keyId: KeyId
  /** Of what was granted: one for all that say the same. */
  readonly cap: CapInForce
  readonly origin: 'minted' | 'imported'
  readonly rotations: number
  /** Of the current one; undefined together. */
  readonly digest: Digest | undefined
  readonly version: number | undefined
  readonly issuedAt: number | undefined
  readonly claimedBy: string | undefined
  readonly claimedAt: number | undefined
  readonly previous: PreviousDigest | undefined
}

export type Unreadable = { readonly kind: 'unreadable'; readonly problem: string }

/** An ApiKey by itself. */
export type DeclaredKey = Words & { readonly uid: string; readonly deleting: boolean }

export type KeptForms = {
  readonly keptOf: (object: KubeObject) => KeptKey | Unreadable
  readonly declaredOf: (object: KubeObject) => DeclaredKey
}

/** Readers that hold once what they have read before: of many keys most say the same. */
export function keptForms(): KeptForms {
  const texts = once<string>()
  const caps = once<CapInForce>()
  return {
    keptOf: (object) => {
      const { createdAt, read } = readDigestSecret(object)
      if (!read.ok) return { kind: 'unreadable', problem: read.problem }
      const { secret, granted } = read.value
      if (granted === undefined)
        return { kind: 'unreadable', problem: 'granted: says of no spec that it was granted, or not how far' }
      const { keyId, uid, name, origin, rotations, current, previous } = secret
      const { spec, delivery } = wordsOf(granted.spec)
      const claimedBy = current?.claimedBy
      const cap = capInForce(granted.cap)
      return {
        kind: 'kept',
        spec: texts(spec, spec),
        delivery,
        uid,
        createdAt: Math.floor(Date.parse(createdAt) / 1000),
        keyId,
        cap: caps(JSON.stringify(granted.cap), cap),
        name,
        origin,
        rotations,
        digest: current && ownText(current.digest),
        version: current?.version,
        issuedAt: current?.issuedAt,
        claimedBy: claimedBy === undefined ? undefined : texts(claimedBy, claimedBy),
        claimedAt: current?.claimedAt,
        previous: previous && { ...previous, digest: ownText(previous.digest) },
      }
    },
    declaredOf: ({ metadata, spec: raw }) => {
      const { spec, delivery } = wordsOf(raw)
      return {
        uid: metadata.uid,
        spec: texts(spec, spec),
        delivery,
        deleting: metadata.deletionTimestamp !== undefined,
      }
    },
  }
}

/** What is kept of the key, as it was written. */
export function secretOf(kept: KeptKey): KeySecret {
  const { keyId, uid, name, origin, rotations, digest, version, issuedAt, claimedBy, claimedAt, previous } = kept
  const current =
    digest === undefined || version === undefined || issuedAt === undefined
      ? undefined
      : { version, digest, issuedAt, claimedBy, claimedAt }
  return { keyId, uid, name, origin, rotations, current, previous }
}

/** Texts that both say are held once from now on. @param name of the ApiKey, `namespace/name` */
export function hold(kept: KeptKey, name: string, declared: DeclaredKey): void {
  kept.name = name
  kept.uid = declared.uid
  if (kept.delivery === declared.delivery) kept.delivery = declared.delivery
}
