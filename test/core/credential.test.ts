import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checksum,
  composeCredential,
  composeKeyId,
  digestOf,
  environmentOf,
  formatDigest,
  MAX_CREDENTIAL_LENGTH,
  parseCredential,
  parseDigest,
  parseKeyId,
  RANDOM_BYTES,
  secretOf,
} from '../../src/core/credential.ts'
import { ENVIRONMENTS } from '../../src/core/environment.ts'
import { aCredential } from '../support/make.ts'

// composed by other means: zlib's CRC-32 and SHA-256 of Python
const KNOWN = 'kw_prod_0123456789AB_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq27zMHI'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const accepted = (text: string) => parseCredential(text).ok
const environments = fc.constantFrom(...ENVIRONMENTS)
const bytes = fc.uint8Array({ minLength: RANDOM_BYTES, maxLength: RANDOM_BYTES })

describe('the written form', () => {
  test('a known key reads as its parts', () => {
    expect(parseCredential(KNOWN)).toEqual({
      ok: true,
      value: { keyId: 'kw_prod_0123456789AB', environment: 'production', text: KNOWN },
    })
  })

  test('what was composed reads back as itself, for every environment and all random bytes', () => {
    fc.assert(
      fc.property(environments, bytes, bytes, (environment, forId, forSecret) => {
        // 128 bytes hold 43 fair ones but for hand-picked bytes
        fc.pre(forId.filter((byte) => byte < 248).length >= 12 && forSecret.filter((byte) => byte < 248).length >= 43)
        const keyId = composeKeyId(environment, forId)
        const credential = composeCredential(keyId, forSecret)
        expect(parseKeyId(keyId)).toEqual({ ok: true, value: keyId })
        expect(parseCredential(credential.text)).toEqual({ ok: true, value: credential })
        expect(credential.environment).toBe(environment)
        expect(`${keyId}_${secretOf(credential)}`).toBe(credential.text)
      }),
      { numRuns: 200 },
    )
  })

  test.each([
    ['production', /^kw_prod_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/, 70],
    ['staging', /^kw_stag_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/, 70],
    ['development', /^kw_dev_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/, 69],
  ] as const)('a key for %s has its code, its alphabet and its length', (environment, form, length) => {
    const { text, keyId } = aCredential({ environment })
    expect(text).toMatch(form)
    expect(text).toHaveLength(length)
    expect(environmentOf(keyId)).toBe(environment)
  })

  test('no key is longer than the bound that is tested before any work is done', () => {
    expect(MAX_CREDENTIAL_LENGTH).toBe(70)
  })

  test.each([
    ['nothing', ''],
    ['a prefix', 'kw_'],
    ['another environment code', 'kw_test_0123456789AB_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq27zMHI'],
    ['a name that every object has, as a code', 'kw_toString_0123456789AB_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn'],
    ['no ID', 'kw_prod__ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq27zMHI'],
    ['no secret', 'kw_prod_0123456789AB_'],
    ['the ID alone', 'kw_prod_0123456789AB'],
    ['a hyphen for an underscore', 'kw-prod-0123456789AB-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq27zMHI'],
    ['a letter too few', 'kw_prod_0123456789AB_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq27zMH'],
    ['a letter too many', 'kw_prod_0123456789AB_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq27zMHIb'],
    ['a space in front', ` ${KNOWN}`],
    ['a line feed behind', `${KNOWN}\n`],
    ['a NUL behind', `${KNOWN}\u0000`],
    ['padding', `${KNOWN}=`],
    ['a letter beyond ASCII', KNOWN.replace('A', 'Å')],
    ['a fullwidth digit', KNOWN.replace('0', '０')],
    ['a whole key twice', KNOWN + KNOWN],
  ])('%s is no credential', (_what, text) => {
    expect(accepted(text)).toBe(false)
  })
})

describe('the checksum', () => {
  test.each([
    ['123456789', '3jZRME'],
    ['', '000000'],
  ])('is CRC-32 in six base62 letters, left-padded: of %j it is %s', (text, written) => {
    expect(checksum(text)).toBe(written)
  })

  test('a checksum that begins with zeros keeps them', () => {
    expect(accepted('kw_dev_Zeros0000000_ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ000000033000Oxuf')).toBe(true)
  })

  const drawn = Array.from({ length: 6 }, () => aCredential().text)

  test('catches every change of a single character', () => {
    const slipped = drawn.flatMap((text) =>
      [...text].flatMap((own, at) =>
        [...ALPHABET, '_', '-', ' ']
          .filter((other) => other !== own)
          .map((other) => text.slice(0, at) + other + text.slice(at + 1))
          .filter(accepted),
      ),
    )
    expect(slipped).toEqual([])
  })

  test('catches every transposition of two different characters, neighbours or not', () => {
    const slipped: string[] = []
    for (const text of drawn) {
      for (let i = 0; i < text.length; i++) {
        for (let j = i + 1; j < text.length; j++) {
          if (text[i] === text[j]) continue
          const letters = [...text]
          letters[i] = text[j] ?? ''
          letters[j] = text[i] ?? ''
          const swapped = letters.join('')
          if (accepted(swapped)) slipped.push(swapped)
        }
      }
    }
    expect(slipped).toEqual([])
  })

  test('catches a key in other letter case, whole or in any run', () => {
    for (const text of drawn) {
      expect(accepted(text.toUpperCase())).toBe(false)
      expect(accepted(text.toLowerCase())).toBe(false)
    }
    fc.assert(
      fc.property(fc.constantFrom(...drawn), fc.nat(70), fc.nat(70), (text, a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)]
        const changed = text.slice(0, from) + swapCase(text.slice(from, to)) + text.slice(to)
        fc.pre(changed !== text)
        expect(accepted(changed)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('catches a character too many at every place, and one too few', () => {
    for (const text of drawn.slice(0, 2)) {
      for (let at = 0; at <= text.length; at++) {
        expect(accepted(text.slice(0, at) + text.slice(at + 1)) && at < text.length).toBe(false)
        for (const extra of ALPHABET) expect(accepted(text.slice(0, at) + extra + text.slice(at))).toBe(false)
      }
    }
  })
})

describe('random letters', () => {
  test('are unbiased: each letter stands for exactly four byte values, and eight values stand for none', () => {
    const count = new Map<string, number>()
    for (let byte = 0; byte < 256; byte++) {
      // eleven letters of a fixed byte, and one of the byte in question if it counts at all
      const id = composeKeyId('production', Uint8Array.from([byte, ...Array<number>(12).fill(61)]))
      const letter = byte < 248 ? (id[8] ?? '') : 'thrown away'
      if (byte >= 248) expect(id).toBe('kw_prod_zzzzzzzzzzzz')
      count.set(letter, (count.get(letter) ?? 0) + 1)
    }
    expect(count.size).toBe(63)
    expect(count.get('thrown away')).toBe(8)
    count.delete('thrown away')
    expect([...new Set(count.values())]).toEqual([4])
    expect([...count.keys()].sort().join('')).toBe(ALPHABET)
  })

  test('too few random bytes are an error, never a shorter secret', () => {
    const keyId = composeKeyId('production', randomBytes(RANDOM_BYTES))
    expect(() => composeKeyId('production', new Uint8Array(11))).toThrow('11 random bytes are too few for 12 letters')
    expect(() => composeCredential(keyId, new Uint8Array(42))).toThrow('42 random bytes are too few for 43 letters')
    expect(() => composeCredential(keyId, new Uint8Array(RANDOM_BYTES).fill(255))).toThrow('too few')
  })

  test('no two of three thousand keys share an ID or a secret', () => {
    const keys = Array.from({ length: 3_000 }, () => aCredential())
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(3_000)
    expect(new Set(keys.map(secretOf)).size).toBe(3_000)
  })
})

describe('the digest', () => {
  test('is SHA-256 of the whole string', () => {
    const parsed = parseCredential(KNOWN)
    expect(parsed.ok && digestOf(parsed.value)).toBe('c9563cf57772e6909179f6420f8c3c5827aebf40d1fcd038a543e35867025c65')
  })

  test('its form in manifests reads back as itself', () => {
    const digest = digestOf(aCredential())
    expect(parseDigest(formatDigest(digest))).toEqual({ ok: true, value: digest })
    expect(formatDigest(digest)).toMatch(/^sha256:[0-9a-f]{64}$/)
  })

  test.each([
    ['bare digits', 'a'.repeat(64)],
    ['upper case', `sha256:${'A'.repeat(64)}`],
    ['a digit too few', `sha256:${'a'.repeat(63)}`],
    ['a digit too many', `sha256:${'a'.repeat(65)}`],
    ['another algorithm', `sha512:${'a'.repeat(64)}`],
    ['a line feed behind', `sha256:${'a'.repeat(64)}\n`],
  ])('%s is no digest', (_what, text) => {
    expect(parseDigest(text).ok).toBe(false)
  })
})

test.each([
  ['a whole key', KNOWN],
  ['a letter too many', 'kw_prod_0123456789ABC'],
  ['an upper-case prefix', 'KW_prod_0123456789AB'],
  ['a line feed behind', 'kw_prod_0123456789AB\n'],
  ['nothing', ''],
])('%s is no key ID', (_what, text) => {
  expect(parseKeyId(text)).toEqual({ ok: false, problem: 'not a key ID' })
})

function swapCase(text: string): string {
  return [...text].map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase())).join('')
}
