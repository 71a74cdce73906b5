/** A key's written form `kw_<env>_<id>_<secret>`: parse, compose from given random bytes, checksum, digest. */
import { hash } from 'node:crypto'
import { ENVIRONMENT_CODES, type Environment, environmentOfCode } from './environment.ts'
import type { Branded, Parsed } from './parsed.ts'

/** `kw_<env>_<12 base62>`: the public part, which may be logged. */
export type KeyId = Branded<string, 'KeyId'>

/** SHA-256 of the whole credential, 64 lower-case hex digits: all that is ever stored of it. */
export type Digest = Branded<string, 'Digest'>

export type Credential = {
  readonly keyId: KeyId
  readonly environment: Environment
  /** The whole string as presented. */
  readonly text: string
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ID_LENGTH = 12
const RANDOM_LENGTH = 43
const CHECKSUM_LENGTH = 6
export const SECRET_LENGTH = RANDOM_LENGTH + CHECKSUM_LENGTH

/** Of 62 · 4 = 248 byte values each letter has four; the eight above are thrown away, so that no letter is likelier. */
const FAIR_BYTES = 248

/** Enough bytes that running out while drawing 43 letters has a chance below 2^-100. */
export const RANDOM_BYTES = 128

const KEY_ID = /^kw_(prod|stag|dev)_[0-9A-Za-z]{12}$/
const DIGEST = /^sha256:[0-9a-f]{64}$/

/** The longest credential there is; anything longer is refused before any work is done on it. */
export const MAX_CREDENTIAL_LENGTH = 'kw_prod_'.length + ID_LENGTH + 1 + SECRET_LENGTH

/** The one place where a string becomes a KeyId; code behind it never looks at the shape again. */
export function parseKeyId(text: string): Parsed<KeyId> {
  return KEY_ID.test(text) ? { ok: true, value: text as KeyId } : { ok: false, problem: 'not a key ID' }
}

/** The environment that a key ID is made for. */
export function environmentOf(keyId: KeyId): Environment {
  return environmentOfCode(keyId.slice(3, keyId.indexOf('_', 3))) ?? 'production'
}

/** A credential by its form and checksum; nothing is looked up and nothing is hashed. */
export function parseCredential(text: string): Parsed<Credential> {
  const environment = text.length > MAX_CREDENTIAL_LENGTH ? undefined : environmentAhead(text)
  if (environment === undefined) return NOT_A_CREDENTIAL
  const id = 'kw_'.length + ENVIRONMENT_CODES[environment].length + 1
  const secret = id + ID_LENGTH + 1
  const sum = secret + RANDOM_LENGTH
  if (text.length !== sum + CHECKSUM_LENGTH || text.charCodeAt(secret - 1) !== UNDERSCORE) return NOT_A_CREDENTIAL
  if (!isBase62(text, id, secret - 1) || !isBase62(text, secret, text.length)) return NOT_A_CREDENTIAL
  if (crc32(text, sum) !== numberOf(text, sum)) return BAD_CHECKSUM
  return { ok: true, value: { keyId: text.slice(0, secret - 1) as KeyId, environment, text } }
}

const BAD_CHECKSUM = { ok: false, problem: 'checksum does not match' } as const
const NOT_A_CREDENTIAL = { ok: false, problem: 'not a credential' } as const
const UNDERSCORE = 0x5f

function environmentAhead(text: string): Environment | undefined {
  if (text.startsWith('kw_prod_')) return 'production'
  if (text.startsWith('kw_stag_')) return 'staging'
  return text.startsWith('kw_dev_') ? 'development' : undefined
}

// by character codes: a regular expression over the same text took three times as long on the path of every request
const VALUES = new Int8Array(128).fill(-1)
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i

function isBase62(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((VALUES[text.charCodeAt(i)] ?? -1) < 0) return false
  return true
}

function numberOf(text: string, start: number): number {
  let value = 0
  for (let i = start; i < text.length; i++) value = value * ALPHABET.length + (VALUES[text.charCodeAt(i)] ?? 0)
  return value
}

const SECRET = new RegExp(`(?:^|[^0-9A-Za-z])[0-9A-Za-z]{${SECRET_LENGTH}}(?:$|[^0-9A-Za-z])`)

/** Whether something in it is as long as a secret, alone or within its key. */
export const mayHoldSecret = (text: string): boolean => text.length >= SECRET_LENGTH && SECRET.test(text)

/** The Secret as it is shown beside the key ID. */
export const secretOf = (credential: Credential): string => credential.text.slice(-SECRET_LENGTH)

/** A new key ID from random bytes (RANDOM_BYTES of them). */
export function composeKeyId(environment: Environment, random: Uint8Array): KeyId {
  return `kw_${ENVIRONMENT_CODES[environment]}_${letters(random, ID_LENGTH)}` as KeyId
}

/** A new credential for a key ID from random bytes (RANDOM_BYTES of them). */
export function composeCredential(keyId: KeyId, random: Uint8Array): Credential {
  const body = `${keyId}_${letters(random, RANDOM_LENGTH)}`
  return { keyId, environment: environmentOf(keyId), text: body + checksum(body) }
}

/** SHA-256 needs no salt or stretching here: the secret holds more than 256 random bits. */
export const digestOf = (credential: Credential): Digest => hash('sha256', credential.text, 'hex') as Digest

/** Reads the `sha256:<hex>` form of manifests. */
export function parseDigest(text: string): Parsed<Digest> {
  return DIGEST.test(text)
    ? { ok: true, value: text.slice('sha256:'.length) as Digest }
    : { ok: false, problem: 'not sha256: and 64 lower-case hex digits' }
}

/** The `sha256:<hex>` form of manifests. */
export const formatDigest = (digest: Digest): string => `sha256:${digest}`

function letters(random: Uint8Array, count: number): string {
  let text = ''
  for (const byte of random) {
    if (text.length === count) break
    if (byte < FAIR_BYTES) text += ALPHABET[byte % ALPHABET.length]
  }
  if (text.length < count) throw new RangeError(`${random.length} random bytes are too few for ${count} letters`)
  return text
}

/** CRC-32 of the text as six base62 letters, left-padded with 0. */
export function checksum(text: string): string {
  let rest = crc32(text, text.length)
  let written = ''
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    written = ALPHABET[rest % ALPHABET.length] + written
    rest = Math.floor(rest / ALPHABET.length)
  }
  return written
}

// CRC-32 as in ISO 3309 and zlib: polynomial 0xEDB88320, reflected
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})

function crc32(ascii: string, end: number): number {
  let crc = 0xffffffff
  for (let i = 0; i < end; i++) {
    crc = (CRC_TABLE[(crc ^ ascii.charCodeAt(i)) & 0xff] ?? 0) ^ (crc >>> 8)
  }
  return (crc ^ 0xffffffff) >>> 0
}
