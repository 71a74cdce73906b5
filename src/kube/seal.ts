/** A credential for one claimant's eyes: a compact JWE that only the holder of the claim's private key can read. */
import { createPublicKey } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import type { Plaintext } from '../core/plaintext.ts'
import type { PublicJwk } from '../resources/api-key-claim.ts'

const HEADER = { alg: 'ECDH-ES+A256KW', enc: 'A256GCM' } as const

/** Whether something can be sealed to it: a point that is not on the curve gives away what is sealed to it. */
export function isOnCurve({ kty, crv, x, y }: PublicJwk): boolean {
  try {
    createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

/** {"id","secret","key"}, sealed. */
export function seal(plaintext: Plaintext, { kty, crv, x, y }: PublicJwk): Promise<string> {
  const words = new TextEncoder().encode(JSON.stringify(plaintext.reveal()))
  return new CompactEncrypt(words).setProtectedHeader(HEADER).encrypt({ kty, crv, x, y })
}
