/** One version to its owner: minted, stored as a digest, delivered, confirmed, in this order and never in another. */
import { composeCredential, digestOf, RANDOM_BYTES } from '../core/credential.ts'
import { Plaintext } from '../core/plaintext.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { handedOver, minted } from './change.ts'
import type { Attempt } from './key-port.ts'
import type { HandOver } from './plan.ts'
import type { Declared, Revision } from './world.ts'

export type HandOverParts = {
  readonly declared: Declared
  /** What is kept of this key, or its key ID and nothing else. */
  readonly secret: KeySecret
  readonly step: HandOver
  readonly nowMs: () => number
  readonly random: (count: number) => Uint8Array
}

/** The plaintext lives in here, from the random bytes to the owner, and is gone when this returns. */
export async function handOver(attempt: Attempt, { declared, secret, step, nowMs, random }: HandOverParts) {
  const { version, rotations, recipient } = step
  const credential = composeCredential(secret.keyId, random(RANDOM_BYTES))
  const stored = minted(secret, { version, rotations, digest: digestOf(credential), at: nowMs() })
  await attempt.storeDigest(stored)
  await attempt.deliver(new Plaintext(credential))
  const arrived = handedOver(stored, { by: recipient.claimant, at: nowMs() }, declared.apiKey)
  const revision: Revision = await attempt.confirm(arrived)
  return { secret: arrived, revision }
}
