import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readHead } from '../../src/core/head.ts'
import { UPSTREAM_HEADERS } from '../../src/core/headers.ts'
import { ambiguousName, isReserved, overridesMethod } from '../../src/core/reserved.ts'
import { leastCpuMs } from '../support/cpu-time.ts'

describe('what is read of a head', () => {
  test('every value of the two headers that carry credentials, in their order, whatever the letter case', () => {
    const head = readHead([
      'Authorization',
      'a',
      'X-API-KEY',
      'b',
      'AUTHORIZATION',
      'c',
      'x-api-key',
      '',
      'x-Api-Key',
      'd',
    ])
    expect(head).toMatchObject({ authorization: ['a', 'c'], apiKey: ['b', '', 'd'] })
  })

  test.each([
    ['a preflight', ['Origin', 'https://a.example', 'Access-Control-Request-Method', 'GET'], true],
    ['no preflight', ['Origin', 'https://a.example', 'Access-Control-Request-Headers', 'x-a'], false],
    ['nothing', [], false],
  ])('%s is told by Access-Control-Request-Method', (_what, headers, requestedMethod) => {
    expect(readHead(headers)).toMatchObject({ requestedMethod })
  })

  test('ordinary headers are nothing to it', () => {
    const headers = [
      'Host',
      'h',
      'User-Agent',
      'u',
      'Accept',
      '*/*',
      'Cookie',
      'a=b',
      'X-Forwarded-For',
      '10.0.0.1',
      'x',
      '1',
    ]
    expect(readHead(headers)).toEqual({ authorization: [], apiKey: [], requestedMethod: false, unknownReserved: false })
  })
})

describe('names that Keyward speaks for', () => {
  test.each([...UPSTREAM_HEADERS, 'X-Keyward-Key-Id', 'x-KEYWARD-key-ID'])(
    'the exact spelling %s passes: it is overwritten or removed on the way',
    (name) => {
      expect(readHead([name, 'forged'])).toMatchObject({ unknownReserved: false })
    },
  )

  test.each(['x-keyward-', 'X-Keyward-Admin', 'x-keyward-status', 'x-keyward-identity', 'X-KEYWARD-KEY-ID-2'])(
    'the exact spelling %s, which Keyward does not set for upstreams, passes where it can be removed',
    (name) => {
      expect(readHead([name, 'forged'])).toMatchObject({ unknownReserved: true })
    },
  )

  test.each([
    'X_Keyward_Key_Id',
    'x_keyward_key_id',
    'X.Keyward.Key.Id',
    'X-Keyward_Key-Id',
    'x-keyward-key_id',
    'X!Keyward#Key$Id',
    'X~Keyward~Key~Id',
    'x keyward key id',
    'x_keyward_',
    'x_keyward_anything',
    'X-Keyward-Kéy-Id',
    'X_API_Key',
    'X-API_KEY',
    'x.api.key',
    'X_Request_Id',
    'Content_Length',
    'content.length',
    'Transfer_Encoding',
  ])('%s, which some server folds to a name that decides, makes the request ambiguous', (name) => {
    expect(readHead(['accept', '*/*', name, 'forged'])).toHaveProperty('ambiguous')
  })

  test.each([
    'X-HTTP-Method-Override',
    'x-http-method-override',
    'X-HTTP-Method',
    'X-Method-Override',
    'X_HTTP_Method_Override',
  ])('%s makes the request ambiguous, since it names a second method', (name) => {
    expect(readHead([name, 'DELETE'])).toEqual({ ambiguous: 'a header that overrides the method' })
  })

  test.each([
    'x-keywards',
    'x-key',
    'xkeyward-key-id',
    'keyward-key-id',
    'x-my-x-keyward-key',
    'api_key',
    'a.b',
    'x_real_ip',
  ])('%s is another name and passes', (name) => {
    expect(readHead([name, '1'])).toMatchObject({ unknownReserved: false })
  })

  test('the short cut for ordinary names never passes over one that the full rule knows', () => {
    const parts = fc.constantFrom(
      'x',
      'X',
      '-',
      '_',
      '.',
      'keyward',
      'KEYWARD',
      'api',
      'key',
      'id',
      'http',
      'method',
      'override',
      'content',
      'length',
      '2',
      'é',
      '',
    )
    const name = fc.array(parts, { maxLength: 9 }).map((found) => found.join(''))
    fc.assert(
      fc.property(name, (found) => {
        const lower = found.toLowerCase()
        const head = readHead([found, 'v'])
        expect('ambiguous' in head).toBe(ambiguousName(lower) !== undefined)
        if (!('ambiguous' in head)) {
          expect(head.apiKey).toEqual(lower === 'x-api-key' ? ['v'] : [])
          expect(head.unknownReserved).toBe(isReserved(lower) && !UPSTREAM_HEADERS.some((own) => own === lower))
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('a method in the query', () => {
  test.each([
    '_method=DELETE',
    'a=1&_method=put',
    'a=1;_method=put',
    '_METHOD=DELETE',
    '%5Fmethod=DELETE',
    '_%6dethod=DELETE',
    'x-http-method-override=DELETE',
    '$httpMethod=DELETE',
    '%24httpMethod=DELETE',
    '_method',
    // as PHP reads them
    '.method=DELETE',
    '%2emethod=DELETE',
    '+_method=DELETE',
    '%20_method=DELETE',
    '_method%00=DELETE',
    '_method%00x=DELETE',
    '[method=DELETE',
    'x_http_method_override=DELETE',
    '?_method=DELETE',
    'a=1?_method=DELETE',
  ])('%s is a second method', (query) => {
    expect(overridesMethod(query)).toBe(true)
  })

  test.each(['%41&', '%41aaaaaa&', 'method=1&', '[[[[[[[[&'])('a query full of %s takes little time', (pair) => {
    const query = pair.repeat(20_000 / pair.length)
    expect(leastCpuMs(() => overridesMethod(query))).toBeLessThan(20)
  })

  test.each(['', 'method=put', 'a=_method', 'payment_method=card', 'a=1&b=_method=x', '_methods=1', '%ff=1'])(
    '%j is none',
    (query) => {
      expect(overridesMethod(query)).toBe(false)
    },
  )
})
