import { describe, expect, test } from 'vitest'
import { secretOf } from '../../src/core/credential.ts'
import { type Presented, presented } from '../../src/core/presented.ts'
import { leastCpuMs } from '../support/cpu-time.ts'
import { aCredential } from '../support/make.ts'

const mine = aCredential()
const other = aCredential({ environment: 'development' })
const KEY = mine.text
const OTHER = other.text
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')
const BASIC = base64(`${mine.keyId}:${secretOf(mine)}`)
const CHANGED = `${KEY.slice(0, -1)}${KEY.endsWith('0') ? '1' : '0'}`

type Carried = { readonly authorization?: string[]; readonly apiKey?: string[]; readonly query?: string }

const from = ({ authorization = [], apiKey = [], query }: Carried): Presented =>
  presented({ authorization, apiKey, query })

describe('one key, in one place', () => {
  test.each<[string, Carried]>([
    ['a Bearer', { authorization: [`Bearer ${KEY}`] }],
    ['a bearer in lower case', { authorization: [`bearer ${KEY}`] }],
    ['a BeArEr in mixed case', { authorization: [`bEaReR ${KEY}`] }],
    ['X-API-Key', { apiKey: [KEY] }],
    ['Basic with ID and Secret', { authorization: [`Basic ${BASIC}`] }],
    ['basic in lower case', { authorization: [`basic ${BASIC}`] }],
    ['a Bearer beside a harmless query', { authorization: [`Bearer ${KEY}`], query: 'limit=10&kw_prod_x=1' }],
    ['X-API-Key beside Digest', { authorization: ['Digest username="a", realm="b"'], apiKey: [KEY] }],
    ['X-API-Key beside Negotiate', { authorization: ['Negotiate YII='], apiKey: [KEY] }],
    ['X-API-Key beside an empty Authorization', { authorization: [''], apiKey: [KEY] }],
    ['a Bearer beside a key ID in the query', { authorization: [`Bearer ${KEY}`], query: `of=${other.keyId}` }],
  ])('%s is taken', (_what, carried) => {
    expect(from(carried)).toEqual({ kind: 'key', credential: mine })
  })
})

describe('no credential', () => {
  test.each<[string, Carried]>([
    ['nothing at all', {}],
    ['a whole key in the query alone, which is no place for one', { query: `api_key=${KEY}` }],
    ['Digest and a whole key in the query', { authorization: ['Digest a="b"'], query: `api_key=${KEY}` }],
    ['an empty Authorization', { authorization: [''] }],
    ['Digest', { authorization: ['Digest username="a", realm="b", nonce="c"'] }],
    ['Negotiate', { authorization: ['Negotiate YII='] }],
    ['a request signature', { authorization: ['AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c'] }],
    ['Digest with commas of every kind', { authorization: ['Digest uri="/a, b", qop=auth,nc=00000001 , x = "\\""'] }],
    ['another scheme with a key in it', { authorization: [`ApiKey ${KEY}`] }],
    ['a key without a scheme', { authorization: [KEY] }],
    ['a Bearer glued to its key', { authorization: [`Bearer${KEY}`] }],
  ])('%s is none', (_what, carried) => {
    expect(from(carried)).toEqual({ kind: 'none' })
  })
})

describe('more than one credential, or more than one source', () => {
  test.each<[string, Carried]>([
    ['the same Bearer twice', { authorization: [`Bearer ${KEY}`, `Bearer ${KEY}`] }],
    ['a bad Bearer and a good one', { authorization: ['Bearer bad', `Bearer ${KEY}`] }],
    ['a good Bearer and a Basic', { authorization: [`Bearer ${KEY}`, `Basic ${BASIC}`] }],
    ['two Authorization headers of other schemes', { authorization: ['Digest a="b"', 'Negotiate YII='] }],
    ['two Authorization headers, one of another scheme', { authorization: ['Digest a="b"', `Bearer ${KEY}`] }],
    ['two Authorization headers and X-API-Key', { authorization: ['Digest a="b"', ''], apiKey: [KEY] }],
    ['X-API-Key beside another scheme with a key in it', { authorization: [`ApiKey ${OTHER}`], apiKey: [KEY] }],
    ['X-API-Key beside a Bearer joined to Digest', { authorization: [`Digest a="b", Bearer ${OTHER}`], apiKey: [KEY] }],
    ['two of other schemes, joined', { authorization: ['Negotiate YII=,Digest a="b"'] }],
    ['two of other schemes, joined, the second of one word', { authorization: ['a,b'] }],
    ['two of other schemes, joined, and X-API-Key', { authorization: [`Negotiate a,Basic ${BASIC}`], apiKey: [KEY] }],
    ['another scheme joined to base64', { authorization: ['Negotiate YII=, YIJ='] }],
    ['another scheme with a quote that does not end', { authorization: ['Digest a="b, c=d'] }],
    ['another scheme joined to nothing', { authorization: ['Negotiate YII=,'] }],
    ['X-API-Key beside Digest and a key in the query', { authorization: ['Digest a'], apiKey: [KEY], query: OTHER }],
    ['X-API-Key and a malformed Bearer', { authorization: ['Bearer '], apiKey: [KEY] }],
    ['X-API-Key twice', { apiKey: [KEY, OTHER] }],
    ['X-API-Key twice, one empty', { apiKey: [KEY, ''] }],
    ['a Bearer and the same X-API-Key', { authorization: [`Bearer ${KEY}`], apiKey: [KEY] }],
    ['a token and X-API-Key', { authorization: ['Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln'], apiKey: [KEY] }],
    ['a Bearer and a key in the query', { authorization: [`Bearer ${KEY}`], query: `api_key=${OTHER}` }],
    ['X-API-Key and the same key in the query', { apiKey: [KEY], query: `x=1&k=${KEY}&y=2` }],
    ['a key in the query, its prefix encoded', { apiKey: [KEY], query: `k=%6B%77%5f${OTHER.slice(3)}` }],
    ['a key in the query, every letter encoded', { apiKey: [KEY], query: `k=${percentEncoded(OTHER)}` }],
    [
      'a key in the query beside bytes that are not UTF-8',
      { apiKey: [KEY], query: `a=%ff&k=${percentEncoded(OTHER)}` },
    ],
    ['a key as the name of a parameter', { apiKey: [KEY], query: OTHER }],
    ['two keys in one X-API-Key, joined by a proxy', { apiKey: [`${KEY},${OTHER}`] }],
    ['two keys in one X-API-Key, joined with a space', { apiKey: [`${KEY}, ${OTHER}`] }],
    ['two Bearers, joined by a proxy', { authorization: [`Bearer ${KEY},Bearer ${OTHER}`] }],
    ['a bad Bearer and a good one, joined by a proxy', { authorization: [`Bearer bad, Bearer ${KEY}`] }],
    ['a Basic and a Bearer, joined by a proxy', { authorization: [`Basic ${BASIC},Bearer ${KEY}`] }],
  ])('%s is ambiguous', (_what, carried) => {
    expect(from(carried).kind).toBe('ambiguous')
  })

  test('why a request is ambiguous does not repeat what it carries', () => {
    const found = from({ authorization: [`Bearer ${KEY}`], apiKey: [OTHER], query: KEY })
    expect(JSON.stringify(found)).not.toContain('kw_')
  })
})

describe('a credential that is none of ours', () => {
  test.each<[string, Carried]>([
    ['a Bearer without a text', { authorization: ['Bearer'] }],
    ['a Bearer with an empty text', { authorization: ['Bearer '] }],
    ['two spaces behind Bearer', { authorization: [`Bearer  ${KEY}`] }],
    ['a space behind the key', { authorization: [`Bearer ${KEY} `] }],
    ['a word behind the key', { authorization: [`Bearer ${KEY} x`] }],
    ['a wrong checksum', { authorization: [`Bearer ${CHANGED}`] }],
    ['a key ID alone', { authorization: [`Bearer ${mine.keyId}`] }],
    ['a letter too many', { authorization: [`Bearer ${KEY}z`] }],
    ['padding', { authorization: [`Bearer ${KEY}=`] }],
    ['an unknown environment', { authorization: [`Bearer ${KEY.replace('prod', 'live')}`] }],
    ['only the prefix', { authorization: ['Bearer kw_'] }],
    ['an empty X-API-Key', { apiKey: [''] }],
    ['an X-API-Key that is something else', { apiKey: ['secret123'] }],
    ['a quoted X-API-Key', { apiKey: [`"${KEY}"`] }],
    ['X-API-Key with a scheme', { apiKey: [`Bearer ${KEY}`] }],
    ['X-API-Key of another product in the form of a token', { apiKey: ['eyJhbGciOiJSUzI1NiJ9.e30.c2ln'] }],
    ['Basic without a text', { authorization: ['Basic'] }],
    ['Basic with an empty text', { authorization: ['Basic '] }],
    ['Basic with two spaces', { authorization: [`Basic  ${BASIC}`] }],
    ['Basic that is no base64', { authorization: [`Basic ${KEY}`] }],
    ['Basic without its padding', { authorization: [`Basic ${BASIC.replaceAll('=', '')}`] }],
    ['Basic with a bit set behind the text', { authorization: [`Basic ${withTrailingBit(BASIC)}`] }],
    ['Basic with a line feed in it', { authorization: [`Basic ${BASIC.slice(0, 40)}\n${BASIC.slice(40)}`] }],
    ['Basic in the URL alphabet', { authorization: [`Basic ${base64('~~~?~~~:x').replaceAll('/', '_')}`] }],
    ['Basic without a colon', { authorization: [`Basic ${base64(KEY)}`] }],
    [
      'Basic with an underscore for the colon',
      { authorization: [`Basic ${base64(`${mine.keyId}_${secretOf(mine)}`)}`] },
    ],
    ['Basic with the whole key as its name', { authorization: [`Basic ${base64(`${KEY}:`)}`] }],
    ['Basic with the whole key as its password', { authorization: [`Basic ${base64(`user:${KEY}`)}`] }],
    ['Basic with the whole key behind its own ID', { authorization: [`Basic ${base64(`${mine.keyId}:${KEY}`)}`] }],
    ['Basic with another name', { authorization: [`Basic ${base64(`admin:${secretOf(mine)}`)}`] }],
    ['Basic with an empty secret', { authorization: [`Basic ${base64(`${mine.keyId}:`)}`] }],
    [
      'Basic with the Secret of another key',
      { authorization: [`Basic ${base64(`${mine.keyId}:${secretOf(other)}`)}`] },
    ],
    ['Basic with a second colon', { authorization: [`Basic ${base64(`${mine.keyId}:${secretOf(mine)}:`)}`] }],
  ])('%s is malformed', (_what, carried) => {
    expect(from(carried).kind).toBe('malformed')
  })

  test.each(['eyJhbGciOiJSUzI1NiJ9.e30.c2ln', 'opaque', 'KW_prod_x', 'kw', 'gho_1234'])(
    'the Bearer %j does not begin like a key and is a token',
    (text) => {
      expect(from({ authorization: [`Bearer ${text}`] })).toEqual({ kind: 'token', text })
    },
  )
})

describe('a very long value', () => {
  const LONG = 15_000
  test.each<[string, Carried]>([
    ['letters', { authorization: [`Bearer ${'A'.repeat(LONG)}`] }],
    ['a key that does not end', { authorization: [`Bearer kw_prod_${'A'.repeat(LONG)}`] }],
    ['spaces', { authorization: [`Bearer${' '.repeat(LONG)}x`] }],
    ['a scheme that does not end', { authorization: ['a'.repeat(LONG)] }],
    ['commas and spaces', { authorization: [`Digest ${', '.repeat(LONG / 2)}`] }],
    ['quotes that are escaped', { authorization: [`Digest ,${'"\\'.repeat(LONG / 2)}`] }],
    ['quotes', { authorization: [`Digest ,${'"'.repeat(LONG)}`] }],
    ['parameters', { authorization: [`Digest ${'a=b,'.repeat(LONG / 4)}c=d`] }],
    ['base64', { authorization: [`Basic ${'QUFB'.repeat(LONG / 4)}`] }],
    ['X-API-Key', { apiKey: ['kw_prod_'.repeat(LONG / 8)] }],
  ])('of %s takes less than a millisecond', (_what, carried) => {
    expect(leastCpuMs(() => from(carried), 20)).toBeLessThan(1)
  })

  test.each<[string, Carried]>([
    ['a query of prefixes', { apiKey: [KEY], query: 'kw_prod_'.repeat(LONG / 8) }],
    ['a query of percent signs', { apiKey: [KEY], query: '%6b%77%5f'.repeat(LONG / 9) }],
    [
      'a query that is a key but for one letter, again and again',
      { apiKey: [KEY], query: `${KEY.slice(0, -1)}-`.repeat(200) },
    ],
  ])('in %s does not hold up the process', (_what, carried) => {
    expect(leastCpuMs(() => from(carried), 20)).toBeLessThan(10)
  })
})

function percentEncoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('')
}

/** The same bytes to a lenient decoder: a bit that stands for nothing is set before the padding. */
function withTrailingBit(text: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const at = text.indexOf('=') - 1
  const changed = text.slice(0, at) + letters[letters.indexOf(text[at] ?? '') + 1] + text.slice(at + 1)
  expect(Buffer.from(changed, 'base64')).toEqual(Buffer.from(text, 'base64'))
  return changed
}
