import { beforeEach, describe, expect, test } from 'vitest'
import { extAuthz } from '../../src/authz/ext-authz.ts'
import { Malformed } from '../../src/authz/protobuf-wire.ts'
import { decide, type Index, settle, type Verdict } from '../../src/core/decide.ts'
import { deny } from '../../src/core/denial.ts'
import { type Fields, UPSTREAM_HEADERS } from '../../src/core/headers.ts'
import type { CheckRequest } from '../../src/core/request.ts'
import type { Check } from '../../src/enforce/check.ts'
import { CASES } from '../corpus/cases.ts'
import { fill } from '../corpus/fill.ts'
import { inProcess } from '../corpus/in-process.ts'
import { type Answered, decodeResponse, encodeRequest, overwriting } from '../support/ext-authz-proto.ts'
import { aKey, anApi, anIndex, NOON } from '../support/make.ts'

const ALLOWED: Verdict = {
  kind: 'allow',
  record: undefined,
  match: undefined,
  upstream: ['x-keyward-key-id', 'kw_prod_0123456789AB', 'x-keyward-visible', ''],
  narrowing: undefined,
  caller: ['ratelimit', '"rate";r=5;t=1'],
}

let asked: CheckRequest[] = []
let unsaid: string[] = []
beforeEach(() => {
  asked = []
  unsaid = []
})

const untold = (family: string, _verdict: Verdict, upTo: string) => {
  unsaid.push(`${family} ${upTo}`)
}

const adapter = (check: Check) =>
  extAuthz({
    check: (request) => {
      asked.push(request)
      return check(request)
    },
    newRequestId: () => 'drawn-id',
    untold,
  })

const answerTo = async (message: Uint8Array | undefined, check: Check = () => ALLOWED): Promise<Answered> =>
  decodeResponse(await adapter(check)(message))

type Http = Readonly<Record<string, unknown>>

/** As Envoy asks about `GET /v1/things`. */
const question = (http: Http = {}, more: object = {}): Uint8Array => {
  const method = String(http.method ?? 'GET')
  const path = String(http.path ?? '/v1/things')
  const host = String(http.host ?? 'api.example.com')
  const headers = {
    ':authority': host,
    ':path': path,
    ':method': method,
    ':scheme': 'http',
    'x-request-id': 'from-envoy',
    ...(http.headers as object | undefined),
  }
  const source = { address: { socketAddress: { address: '203.0.113.7', portValue: 4711 } } }
  return encodeRequest({ attributes: { source, request: { http: { method, path, host, ...http, headers } }, ...more } })
}

const one = async (http?: Http, more?: object): Promise<CheckRequest | undefined> => {
  await answerTo(question(http, more))
  return asked.at(-1)
}

const fieldOf = (fields: Fields, name: string): string | undefined => {
  const i = fields.indexOf(name)
  return i === -1 ? undefined : fields[i + 1]
}

const codeOf = ({ deniedResponse }: Answered): string | undefined =>
  deniedResponse === undefined ? undefined : JSON.parse(deniedResponse.body).code

describe('what Envoy tells', () => {
  test('is the request of its caller: method, path with query, one host, headers without pseudo headers, address', async () => {
    expect(await one({ method: 'DELETE', path: '/v1/a%2Fb?x=1', headers: { accept: '*/*' } })).toEqual({
      method: 'DELETE',
      target: '/v1/a%2Fb?x=1',
      hosts: ['api.example.com'],
      headers: ['x-request-id', 'from-envoy', 'accept', '*/*'],
      address: '203.0.113.7',
      requestId: 'from-envoy',
      pin: undefined,
      ability: { removal: true, query: true, filter: false },
    })
  })

  test.each<[string, Http, readonly string[]]>([
    ['Host beside :authority that agrees with it', { headers: { host: 'api.example.com' } }, ['api.example.com']],
    ['Host that says something else', { headers: { host: 'b.example.com' } }, ['api.example.com', 'b.example.com']],
    ['an empty Host beside :authority', { headers: { Host: '' } }, ['api.example.com', '']],
    ['another host field than :authority', { headers: { ':authority': 'b' } }, ['api.example.com', 'b']],
    ['an empty :authority', { host: '', headers: { ':authority': '' } }, ['']],
  ])('every claim of the host once: %s', async (_what, http, hosts) => {
    expect((await one(http))?.hosts).toEqual(hosts)
  })

  test.each([
    ['as Envoy made it', 'a-1.b_2', 'a-1.b_2'],
    ['none that is harmless', 'a b', 'drawn-id'],
    ['two joined by Envoy', 'a,b', 'drawn-id'],
    ['an empty one', '', 'drawn-id'],
  ])('its request ID, or else one of ours: %s', async (_what, given, expected) => {
    expect((await one({ headers: { 'x-request-id': given } }))?.requestId).toBe(expected)
  })

  test('the pin, by the context extensions of the route; other extensions say nothing', async () => {
    const pinned = { contextExtensions: { 'keyward.api': 'team/main', other: 'x' } }
    expect((await one({}, pinned))?.pin).toEqual({ api: 'team/main', environment: undefined })
    const both = { contextExtensions: { 'keyward.environment': 'staging', 'keyward.api': 'team/main' } }
    expect((await one({}, both))?.pin).toEqual({ api: 'team/main', environment: 'staging' })
    expect((await one({}, { contextExtensions: { 'keyward-env': 'staging' } }))?.pin).toBeUndefined()
  })

  test('no address where the source is a socket file', async () => {
    expect((await one({}, { source: { address: { pipe: { path: '/tmp/x' } } } }))?.address).toBeUndefined()
  })

  test('raw header values, byte for byte as from an HTTP/1 parser, each line by itself', async () => {
    const message = encodeRequest({
      attributes: {
        request: {
          http: {
            method: 'GET',
            path: '/v1/a!b',
            host: 'api.example.com',
            headerMap: {
              headers: [
                { key: ':path', rawValue: Buffer.from('/v1/a!b') },
                { key: 'x-v', rawValue: Buffer.from([0x61, 0xff]) },
                { key: 'x-v', rawValue: Buffer.from('b') },
              ],
            },
          },
        },
      },
    })
    await answerTo(message)
    expect(asked).toMatchObject([{ target: '/v1/a!b', headers: ['x-v', 'a\u00ff', 'x-v', 'b'] }])
  })
})

describe('what is no single request is denied without being asked about', () => {
  test.each<[string, Http, string]>([
    ['two paths', { headers: { ':path': '/other' } }, 'ambiguous_request'],
    ['a path of bytes that are no text', { path: '/v1/a', headers: { ':path': '/v1/\ufffd' } }, 'ambiguous_path'],
    ['two methods', { headers: { ':method': 'POST' } }, 'ambiguous_request'],
    ['a pseudo header that there is not', { headers: { ':foo': 'x' } }, 'ambiguous_request'],
    ['a header name that is none', { headers: { 'x a': 'x' } }, 'ambiguous_request'],
    ['an empty header name', { headers: { '': 'x' } }, 'ambiguous_request'],
    ['a line break in a value', { headers: { 'x-a': 'b\r\nhost: evil' } }, 'ambiguous_request'],
    ['a NUL in a value', { headers: { 'x-a': 'b\u0000' } }, 'ambiguous_request'],
    ['a query beside the path', { query: 'a=1' }, 'ambiguous_path'],
    ['a fragment beside the path', { fragment: 'x' }, 'ambiguous_path'],
    ['a ! in the path, which may stand for any byte', { path: '/v1/!' }, 'ambiguous_path'],
    [
      'more headers than servers take',
      { headers: Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`x-${i}`, ''])) },
      'ambiguous_request',
    ],
  ])('%s', async (_what, http, code) => {
    const answered = await answerTo(question(http))
    expect(answered).toMatchObject({ status: { code: 3 }, deniedResponse: { status: { code: 400 } } })
    expect(JSON.parse(answered.deniedResponse?.body ?? '')).toMatchObject({ code, requestId: 'from-envoy' })
    expect(asked).toEqual([])
    // no caller can have Envoy fill these two fields
    const upTo = 'query' in http || 'fragment' in http ? 'proxy' : 'caller'
    expect(unsaid).toEqual([`grpc ${upTo}`])
  })

  test('a message longer than is read: a denial and no error, which a proxy may take for a yes', async () => {
    const answered = await answerTo(undefined)
    expect(answered).toMatchObject({ status: { code: 3 }, deniedResponse: { status: { code: 400 } } })
  })

  test('bytes that are no message are the one thing that has no answer', () => {
    expect(() => adapter(() => ALLOWED)(Buffer.from('080', 'latin1'))).toThrow(Malformed)
  })
})

describe('a yes', () => {
  test('replaces every x-keyward header, removes credentials, and tells the caller its limits and request ID', async () => {
    const { status, okResponse, deniedResponse } = await answerTo(question())
    expect(status?.code).toBe(0)
    expect(deniedResponse).toBeUndefined()
    expect(overwriting(okResponse?.headers ?? [])).toEqual([
      ...['x-keyward-key-id', 'kw_prod_0123456789AB'],
      ...['x-keyward-visible', ''],
    ])
    expect(okResponse?.headersToRemove).toEqual(['authorization', 'x-api-key'])
    expect(overwriting(okResponse?.responseHeadersToAdd ?? [])).toEqual([
      ...['ratelimit', '"rate";r=5;t=1'],
      ...['x-request-id', 'from-envoy'],
    ])
  })

  test('removes what only Keyward may say and does not say', async () => {
    const headers = { 'x-keyward-identity': 'x', 'x-keyward-key-id': 'x', 'X-Keyward-Foo': 'x', 'x-keywords': 'x' }
    const { okResponse } = await answerTo(question({ headers }))
    expect(okResponse?.headersToRemove.toSorted()).toEqual(
      ['authorization', 'x-api-key', 'x-keyward-foo', 'x-keyward-identity'].toSorted(),
    )
  })

  test('gives the upstream the request ID where it is one of ours', async () => {
    const { okResponse } = await answerTo(question({ headers: { 'x-request-id': 'a b' } }))
    expect(fieldOf(overwriting(okResponse?.headers ?? []), 'x-request-id')).toBe('drawn-id')
  })

  test('replaces the path where the query is narrowed', async () => {
    const narrowing = { header: 'a,b', target: '/v1/things?x=1&id=a%2Fb', filter: undefined }
    const { okResponse } = await answerTo(question(), () => ({ ...ALLOWED, narrowing }))
    expect(fieldOf(overwriting(okResponse?.headers ?? []), ':path')).toBe('/v1/things?x=1&id=a%2Fb')
  })
})

describe('a no', () => {
  test.each([
    ['ambiguous_request', 400, 3],
    ['missing_credential', 401, 16],
    ['missing_permission', 403, 7],
    ['rate_limited', 429, 8],
    ['filter_failed', 502, 14],
    ['unavailable', 503, 14],
  ] as const)('of %s is %i for the caller and code %i for the proxy', async (code, http, rpc) => {
    const answered = await answerTo(question(), () => ({ ...deny(code, ''), caller: [] }))
    expect(answered).toMatchObject({ status: { code: rpc }, deniedResponse: { status: { code: http } } })
    expect(codeOf(answered)).toBe(code)
  })

  test('has the headers and the body of every other listener', async () => {
    const refusal = { ...deny('invalid_key', 'x'), caller: ['retry-after', '3'] }
    const { deniedResponse, okResponse } = await answerTo(question(), () => refusal)
    expect(okResponse).toBeUndefined()
    expect(overwriting(deniedResponse?.headers ?? [])).toEqual([
      ...['content-type', 'application/problem+json'],
      ...['www-authenticate', 'Bearer realm="keyward", error="invalid_token"'],
      ...['retry-after', '3'],
      ...['x-request-id', 'from-envoy'],
    ])
    expect(JSON.parse(deniedResponse?.body ?? '')).toMatchObject({ code: 'invalid_key', requestId: 'from-envoy' })
  })

  test('is given where the check fails, at once or late', async () => {
    const failing: readonly Check[] = [
      () => {
        throw new Error('defect')
      },
      () => Promise.reject(new Error('defect')),
    ]
    for (const check of failing) {
      const answered = await answerTo(question(), check)
      expect(answered).toMatchObject({ status: { code: 14 }, deniedResponse: { status: { code: 503 } } })
    }
  })

  test('may come late', async () => {
    const late: Check = () => Promise.resolve({ ...deny('rate_limited', ''), caller: [] })
    expect(codeOf(await answerTo(question(), late))).toBe('rate_limited')
  })
})

const checkOf =
  (index: Index, now = NOON): Check =>
  (request) =>
    settle(decide(request, index, now), { ok: true, left: [] }, now * 1000)

test('a key passes, with all the headers there are', async () => {
  const key = aKey()
  const message = question({ headers: { authorization: `Bearer ${key.credential.text}` } })
  const { okResponse } = await answerTo(message, checkOf(anIndex({ keys: [key] })))
  const headers = overwriting(okResponse?.headers ?? [])
  expect(headers.filter((_field, i) => i % 2 === 0)).toEqual(UPSTREAM_HEADERS)
  expect(fieldOf(headers, 'x-keyward-key-id')).toBe(key.credential.keyId)
})

test('a pinned API is asked whatever the Host', async () => {
  const key = aKey()
  const headers = { authorization: `Bearer ${key.credential.text}` }
  const index = anIndex({ apis: [anApi({ name: 'team/main' })], keys: [key] })
  const pinned = { contextExtensions: { 'keyward.api': 'team/main', 'keyward.environment': 'production' } }
  expect((await answerTo(question({ host: 'other.test', headers }, pinned), checkOf(index))).okResponse).toBeDefined()
  expect(codeOf(await answerTo(question({ host: 'other.test', headers }), checkOf(index)))).toBe('unknown_host')
})

describe('the bypass corpus', () => {
  const EXPECTED: Readonly<Record<string, string>> = {
    'GRPC-no-attributes': 'ambiguous_path',
    'GRPC-no-http': 'ambiguous_path',
    'GRPC-empty-path': 'ambiguous_path',
    'GRPC-path-no-slash': 'ambiguous_path',
    'GRPC-path-authority': 'ambiguous_path',
    'GRPC-joined-dup': 'ambiguous_credential',
    'GRPC-joined-apikey': 'ambiguous_credential',
    'GRPC-bang-value': 'invalid_key',
    'GRPC-bang-path': 'ambiguous_path',
    'GRPC-path-frag': 'ambiguous_path',
    'GRPC-path-semi': 'ambiguous_path',
    'GRPC-path-in-query-field': 'allow',
    'GRPC-ctx-ext-spoof': 'wrong_environment',
  }

  const { index, credentials } = inProcess()

  test.each(CASES.filter(({ kind }) => kind === 'grpc-json').map(({ id, input }) => [id, input] as const))(
    '%s',
    async (id, input) => {
      const message = encodeRequest(JSON.parse(fill(String(input), credentials)))
      const answered = await answerTo(message, checkOf(index))
      expect(answered.okResponse === undefined ? codeOf(answered) : 'allow').toBe(EXPECTED[id])
      if (answered.okResponse === undefined) expect(answered.status?.code).toBeGreaterThan(0)
    },
  )
})
