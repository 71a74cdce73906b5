/** One version to its owner: minted, stored as a digest, delivered, confirmed, in this order and never in another. */
import { composeCredential, composeKeyId, digestOf, RANDOM_BYTES } from '../core/credential.ts'
import { Plaintext } from '../core/plaintext.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { handedOver, minted, newSecret } from './change.ts'
import type { Attempt } from './key-port.ts'
import type { HandOver } from './plan.ts'
import type { Declared, Revision } from './world.ts'

export type HandOverParts = {
  readonly declared: Declared
  /** undefined: nothing is kept of this key yet. */
  readonly secret: KeySecret | undefined
  readonly step: HandOver
  readonly nowMs: () => number
  readonly random: (count: number) => Uint8Array
}

/** A key ID for an ApiKey that has none. */
export const firstSecret = (declared: Declared, random: (count: number) => Uint8Array): KeySecret =>
  newSecret(declared, composeKeyId(declared.apiKey.spec.environment, random(RANDOM_BYTES)))

/** The plaintext lives in here, from the random bytes to the owner, and is gone when this returns. */
export async function handOver(attempt: Attempt, { declared, secret, step, nowMs, random }: HandOverParts) {
  const { version, rotations, recipient } = step
  const before = secret ?? firstSecret(declared, random)
  const credential = composeCredential(before.keyId, random(RANDOM_BYTES))
  const stored = minted(before, { version, rotations, digest: digestOf(credential), at: nowMs() })
  await attempt.storeDigest(stored)
  await attempt.deliver(new Plaintext(credential))
  const arrived = handedOver(stored, { by: recipient.claimant, at: nowMs() }, declared.apiKey)
  const revision: Revision = await attempt.confirm(arrived)
  return { secret: arrived, revision }
}
