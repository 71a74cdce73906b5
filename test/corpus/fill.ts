/** Puts fixtures into the bytes of a case; the corpus speaks of another form of key here and there, and is translated. */
import type { Credentials } from './oracle.ts'

const PREFIX = 'kw_prod'

/** The 12 characters between prefix and secret. */
const partOf = (key: string): string => key.split('_')[2] ?? ''
const secretOf = (key: string): string => key.split('_')[3] ?? ''
const idOf = (key: string): string => key.slice(0, key.lastIndexOf('_'))

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const nextLetter = (letter: string): string => LETTERS[(LETTERS.indexOf(letter) + 1) % LETTERS.length] ?? '0'

/** The bytes to send (latin-1); throws on a fixture that it does not know, so that none is sent as it stands. */
export function fill(input: string, credentials: Credentials): string {
  const of = (name: string): string => {
    const key = credentials[name]
    if (key === undefined) throw new Error(`no fixture ${name}`)
    return key
  }
  const ok = of('KEY_OK')
  const special: Readonly<Record<string, () => string>> = {
    PREFIX: () => PREFIX,
    KEYID_OK: () => partOf(ok),
    KEYID_OTHER: () => partOf(of('KEY_OTHER')),
    SECRET_OK: () => secretOf(ok),
    SECRET_OTHER: () => secretOf(of('KEY_OTHER')),
    'B64:KEY_OK:': () => Buffer.from(`${ok}:`).toString('base64'),
    'PCT:KEY_OK': () => ok.replaceAll('_', '%5F'),
    "'A'*15000": () => 'A'.repeat(15_000),
    // base62 has no spare bits and no second alphabet: the nearest thing is another last letter, and other separators
    'KEY_OK with last base64url char +1 (same decoded bytes)': () => ok.slice(0, -1) + nextLetter(ok.slice(-1)),
    'KEY_OK with - -> + and _ -> /': () => ok.replaceAll('-', '+').replaceAll('_', '/'),
  }
  // alone it is the public ID as a holder sees it
  const whole = input.replace('Bearer {{KEYID_OK}}', `Bearer ${idOf(ok)}`)
  return whole.replace(/\{\{(.*?)\}\}/g, (_all, name: string) => special[name]?.() ?? of(name))
}
