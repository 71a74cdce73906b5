/** A key pair in memory, and what was sealed to it: its private half is never written anywhere, not even by mistake. */
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose'
import { parseCredential } from '../core/credential.ts'
import { Plaintext } from '../core/plaintext.ts'
import type { PublicJwk } from '../resources/api-key-claim.ts'
import { Stop } from './refused.ts'

export type Recipient = {
  readonly publicJwk: PublicJwk
  /** Throws a Stop where it is not a credential, or was not sealed to this recipient. */
  readonly open: (jwe: string) => Promise<Plaintext>
}

const ALGORITHMS = { keyManagementAlgorithms: ['ECDH-ES+A256KW'], contentEncryptionAlgorithms: ['A256GCM'] }

export async function newRecipient(): Promise<Recipient> {
  const { publicKey, privateKey } = await generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: false })
  const { x = '', y = '' } = await exportJWK(publicKey)
  return {
    publicJwk: { kty: 'EC', crv: 'P-256', x, y },
    open: async (jwe) => {
      const text = await opened(() => compactDecrypt(jwe, privateKey, ALGORITHMS))
      const parsed = parseCredential(text)
      // an error would quote what it could not read
      if (!parsed.ok) throw notReadable()
      return new Plaintext(parsed.value)
    },
  }
}

async function opened(decrypt: () => ReturnType<typeof compactDecrypt>): Promise<string> {
  try {
    const { plaintext } = await decrypt()
    const { id, secret, key } = JSON.parse(new TextDecoder().decode(plaintext)) as Readonly<Record<string, unknown>>
    return typeof key === 'string' && key === `${String(id)}_${String(secret)}` ? key : ''
  } catch {
    throw notReadable()
  }
}

const notReadable = (): Stop =>
  new Stop(
    'what was handed over is no credential sealed to this command: regenerate the key, and see who can write the status of claims',
  )
