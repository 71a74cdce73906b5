/** Looks for a credential in bytes: as it is, and in the forms in which one gets lost. */
import { type Credential, secretOf } from '../../src/core/credential.ts'

/** So many characters of a secret in a row are no chance, and none of them may be anywhere. */
const TELLING = 16

/** In which forms the random part of the credential, or a good piece of it, stands in the bytes. */
export function leaksOf(credential: Credential, bytes: Buffer): readonly string[] {
  const secret = secretOf(credential)
  const lower = lowerOf(bytes)
  return pieces(secret).flatMap((piece) =>
    Object.entries(formsOf(piece)).flatMap(([form, text]) =>
      (form.endsWith('(any case)') ? lower : bytes).includes(text) ? [`${form}: from ${secret.indexOf(piece)}`] : [],
    ),
  )
}

/** Several credentials are looked for in the same bytes. */
const lowered = new WeakMap<Buffer, Buffer>()
const lowerOf = (bytes: Buffer): Buffer => {
  const lower = lowered.get(bytes) ?? Buffer.from(bytes.toString('latin1').toLowerCase(), 'latin1')
  lowered.set(bytes, lower)
  return lower
}

const pieces = (secret: string): string[] => [0, 12, 24, 33].map((start) => secret.slice(start, start + TELLING))

function formsOf(piece: string): Readonly<Record<string, string>> {
  const hex = Buffer.from(piece).toString('hex')
  return {
    'as it is (any case)': piece.toLowerCase(),
    'backwards (any case)': [...piece].reverse().join('').toLowerCase(),
    'hex (any case)': hex,
    'percent-encoded (any case)': hex.replace(/../g, '%$&'),
    // base64 of a piece depends on what stands before it; the letters at its ends are shared with its neighbours
    ...Object.fromEntries([0, 1, 2].map((before) => [`base64 behind ${before} bytes`, inBase64(piece, before)])),
  }
}

function inBase64(piece: string, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), Buffer.from(piece)])
    .toString('base64url')
    .replaceAll('=', '')
  return text.slice(before === 0 ? 0 : before + 1, -1)
}
