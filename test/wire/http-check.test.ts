import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { httpCheck } from '../../src/authz/http-check.ts'
import type { Verdict } from '../../src/core/decide.ts'
import { deny } from '../../src/core/denial.ts'
import type { CheckRequest } from '../../src/core/request.ts'
import { type Listening, listen } from '../../src/runtime/listen.ts'

type Answer = { readonly status: number; readonly headers: NodeJS.Dict<string | string[]>; readonly body: string }

const ALLOWED: Verdict = {
  kind: 'allow',
  record: undefined,
  match: undefined,
  upstream: ['x-keyward-key-id', 'kw_prod_0123456789AB', 'x-keyward-visible', ''],
  narrowing: undefined,
  caller: ['ratelimit', '"rate";r=5;t=1'],
}

let server: Listening
let verdict: Verdict = ALLOWED
const asked: CheckRequest[] = []
const unsaid: string[] = []

beforeAll(async () => {
  const check = (request: CheckRequest) => {
    asked.push(request)
    return verdict
  }
  const untold = (family: string, { kind }: Verdict, upTo: string) => {
    unsaid.push(`${family} ${kind} ${upTo}`)
  }
  const parts = {
    check,
    untold,
    trustedHops: 0,
    newRequestId: () => 'drawn-id',
    date: () => 'Sun, 22 Nov 2026 12:00:00 GMT',
  }
  server = await listen(httpCheck(parts), { host: '127.0.0.1', port: 0 })
})

afterAll(() => server.stop(0))

function call(method: string, path: string, headers: Record<string, string | string[]>, body = ''): Promise<Answer> {
  const { port } = server
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port, host: '127.0.0.1', method, path, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const lastAsked = (): CheckRequest => asked.at(-1) as CheckRequest

describe('each family says in its own way what the caller asked for', () => {
  test.each([
    [
      'Envoy: its own method, and the path behind the prefix byte for byte',
      'PUT',
      '/check/envoy/v1/a%2Fb//c?q=1',
      { host: 'api.example.com', 'x-forwarded-for': '10.0.0.9, 203.0.113.7' },
      { method: 'PUT', target: '/v1/a%2Fb//c?q=1', hosts: ['api.example.com'], address: '203.0.113.7' },
    ],
    [
      'nginx: X-Original-Method, X-Original-URI, Host and X-Real-IP',
      'GET',
      '/check/nginx',
      {
        host: 'api.example.com',
        'x-original-method': 'DELETE',
        'x-original-uri': '/v1/x?y',
        'x-real-ip': '203.0.113.8',
        'x-forwarded-for': '1.1.1.1',
      },
      { method: 'DELETE', target: '/v1/x?y', hosts: ['api.example.com'], address: '203.0.113.8' },
    ],
    [
      'Traefik, Caddy, APISIX, HAProxy: X-Forwarded-Method, -Uri, -Host and -For',
      'GET',
      '/check/forwarded?kept=by-caddy',
      {
        host: 'keyward',
        'x-forwarded-method': 'PATCH',
        'x-forwarded-uri': '/v1/z',
        'x-forwarded-host': 'api.example.com',
        'x-forwarded-for': '203.0.113.9',
      },
      { method: 'PATCH', target: '/v1/z', hosts: ['api.example.com'], address: '203.0.113.9' },
    ],
  ])('%s', async (_what, method, path, headers, expected) => {
    verdict = ALLOWED
    const answer = await call(method, path, headers)
    expect(answer.status).toBe(200)
    expect(lastAsked()).toMatchObject(expected)
  })

  test('a family that is not told the request refuses instead of guessing from other headers', async () => {
    verdict = ALLOWED
    const nginx = await call('GET', '/check/nginx', { host: 'a', 'x-forwarded-uri': '/', 'x-forwarded-method': 'GET' })
    expect([nginx.status, nginx.headers['x-keyward-status']]).toEqual([403, '400'])
    const twice = await call('GET', '/check/forwarded', {
      'x-forwarded-uri': ['/a', '/b'],
      'x-forwarded-method': 'GET',
    })
    expect(twice.status).toBe(400)
    expect(JSON.parse(twice.body)).toMatchObject({ code: 'ambiguous_request', status: 400 })
    expect(unsaid).toEqual(['nginx deny proxy', 'forwarded deny proxy'])
  })

  test('more headers than servers take are refused, and are not the fault of the proxy', async () => {
    const headers = Object.fromEntries(Array.from({ length: 140 }, (_, i) => [`x-${i}`, '1']))
    expect((await call('GET', '/check/envoy/v1', headers)).status).toBe(400)
    expect(unsaid.at(-1)).toBe('envoy deny caller')
  })

  test('a check without a Host is put to the decision, which says what is wrong with it', async () => {
    verdict = { ...deny('ambiguous_request', 'x'), caller: [] }
    const { port } = server
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write('GET /check/envoy/v1 HTTP/1.1\r\nConnection: close\r\n\r\n'),
      )
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      socket.on('close', () => resolve(text))
    })
    expect(lastAsked().hosts).toEqual([])
    expect(answer).toContain('"code":"ambiguous_request"')
  })

  test('a path that is no check is 404, and a body that a check has no use for is 413', async () => {
    expect((await call('GET', '/check/kong', {})).status).toBe(404)
    expect((await call('POST', '/check/envoy/v1', {}, 'x'.repeat(70_000))).status).toBe(413)
    expect((await call('POST', '/check/envoy/v1', { 'transfer-encoding': 'chunked' }, 'x')).status).toBe(413)
  })
})

describe('the bytes of an answer', () => {
  const exchange = async (text: string, expected: number): Promise<string> => {
    const { port } = server
    const socket = connect(port, '127.0.0.1')
    let received = ''
    await new Promise<void>((resolve) => {
      socket.on('close', () => resolve())
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString()
        if (received.split('HTTP/1.1 ').length - 1 === expected && received.includes('\r\n\r\n')) {
          setTimeout(() => socket.destroy(), 30)
        }
      })
      socket.write(text)
    })
    return received
  }
  const head = (line: string, more = '') => `${line}\r\nHost: a\r\n${more}\r\n`

  test.each([
    [
      'HTTP/1.1 stays open',
      head('GET /check/envoy/v1 HTTP/1.1'),
      'Connection: keep-alive\r\nKeep-Alive: timeout=65\r\n\r\n',
    ],
    [
      'HTTP/1.1 is closed where the proxy says so',
      head('GET /check/envoy/v1 HTTP/1.1', 'Connection: close\r\n'),
      'Connection: close\r\n\r\n',
    ],
    ['HTTP/1.0 is closed', head('GET /check/envoy/v1 HTTP/1.0'), 'Connection: close\r\n\r\n'],
    [
      'HTTP/1.0 stays open where the proxy asks for it',
      head('GET /check/envoy/v1 HTTP/1.0', 'Connection: keep-alive\r\n'),
      'Connection: keep-alive\r\nKeep-Alive: timeout=65\r\n\r\n',
    ],
  ])('%s', async (_what, request, end) => {
    verdict = ALLOWED
    const received = await exchange(request, 1)
    expect(received).toBe(
      'HTTP/1.1 200 OK\r\nx-keyward-key-id: kw_prod_0123456789AB\r\nx-keyward-visible: \r\nratelimit: "rate";r=5;t=1\r\n' +
        'x-envoy-auth-headers-to-remove: authorization,x-api-key\r\nx-request-id: drawn-id\r\ncontent-length: 0\r\n' +
        `Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n${end}`,
    )
  })

  test('requests that come together are answered one after the other, and HEAD without a body', async () => {
    verdict = { ...deny('invalid_key', 'x'), caller: [] }
    const received = await exchange(head('HEAD /check/envoy/a HTTP/1.1') + head('GET /check/envoy/b HTTP/1.1'), 2)
    const [, first = '', second = ''] = received.split('HTTP/1.1 401 Unauthorized\r\n')
    expect(first.endsWith('\r\n\r\n')).toBe(true)
    expect(second).toContain('\r\n\r\n{"type":"about:blank"')
    expect(asked.slice(-2).map(({ target }) => target)).toEqual(['/a', '/b'])
  })
})

test.each([
  ['nobody names', undefined],
  ['is left empty', ''],
  ['is left empty by the last hop', '203.0.113.7, '],
])('an address that %s is none', async (_what, forwardedFor) => {
  verdict = ALLOWED
  await call('GET', '/check/envoy/v1', forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor })
  expect(lastAsked().address).toBeUndefined()
})

describe('the answer', () => {
  test('allow is exactly 200 and carries every header for the upstream, also the empty ones', async () => {
    verdict = ALLOWED
    const answer = await call('GET', '/check/envoy/v1', { 'x-request-id': 'mine-1' })
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'x-keyward-key-id': 'kw_prod_0123456789AB',
      'x-keyward-visible': '',
      ratelimit: '"rate";r=5;t=1',
      'x-request-id': 'mine-1',
      'x-envoy-auth-headers-to-remove': 'authorization,x-api-key',
    })
  })

  test('a refusal is problem+json with its challenge and request ID', async () => {
    verdict = { ...deny('invalid_key', 'unknown'), caller: [] }
    const answer = await call('GET', '/check/envoy/v1', { 'x-request-id': 'not usable!' })
    expect(answer.status).toBe(401)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'www-authenticate': 'Bearer realm="keyward", error="invalid_token"',
      'x-request-id': 'drawn-id',
    })
    expect(JSON.parse(answer.body)).toEqual({
      type: 'about:blank',
      title: 'Invalid API key',
      status: 401,
      detail: 'This API key is not known.',
      code: 'invalid_key',
      requestId: 'drawn-id',
    })
  })

  test.each([
    ['invalid_key', 401, '401'],
    ['missing_permission', 403, '403'],
    ['rate_limited', 403, '429'],
    ['unavailable', 403, '503'],
    ['ambiguous_path', 403, '400'],
  ] as const)('nginx gets %s as %i with the true status %s beside it', async (code, status, told) => {
    verdict = { ...deny(code, 'x'), caller: code === 'rate_limited' ? ['retry-after', '7'] : [] }
    const headers = { host: 'a', 'x-original-method': 'GET', 'x-original-uri': '/' }
    const answer = await call('GET', '/check/nginx', headers)
    expect([answer.status, answer.headers['x-keyward-status']]).toEqual([status, told])
    expect(answer.headers['retry-after']).toBe(code === 'rate_limited' ? '7' : undefined)
  })
})

describe.each(['envoy', 'forwarded'])('where the caller is, as %s tells it', (family) => {
  test.each<[number, readonly string[], string | undefined]>([
    [0, ['10.9.9.9, 203.0.113.9'], '203.0.113.9'],
    [1, ['10.9.9.9, 203.0.113.9', '10.0.0.2'], '203.0.113.9'],
    [2, ['203.0.113.9, 10.0.0.3, 10.0.0.2'], '203.0.113.9'],
    [1, ['10.0.0.2'], undefined],
    [2, [], undefined],
    [1, [', 10.0.0.2'], undefined],
  ])('behind %i hops of %j', async (trustedHops, lines, address) => {
    const heard: (string | undefined)[] = []
    const check = (request: CheckRequest) => {
      heard.push(request.address)
      return ALLOWED
    }
    const parts = { check, untold: () => undefined, trustedHops, newRequestId: () => 'drawn-id', date: () => 'now' }
    const behind = await listen(httpCheck(parts), { host: '127.0.0.1', port: 0 })
    onTestFinished(() => behind.stop(0))
    const asked = family === 'envoy' ? '/check/envoy/v1' : '/check/forwarded'
    const told = { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/v1', 'x-forwarded-host': 'a' }
    const headers = { ...told, 'x-forwarded-for': [...lines] }
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = httpRequest({ port: behind.port, host: '127.0.0.1', path: asked, headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      sent.on('error', reject).end()
    })
    expect([status, heard]).toEqual([200, [address]])
  })
})

test.each([
  [
    'at once',
    () => {
      throw new Error('a defect')
    },
  ],
  ['later', () => Promise.reject(new Error('a defect'))],
])('a check that fails %s is a refusal, and the next one is answered', async (_when, check) => {
  const untold = () => undefined
  const parts = { check, untold, trustedHops: 0, newRequestId: () => 'drawn-id', date: () => 'now' }
  const failing = await listen(httpCheck(parts), { host: '127.0.0.1', port: 0 })
  onTestFinished(() => failing.stop(0))
  for (let i = 0; i < 2; i++) {
    const answer = await fetch(`http://127.0.0.1:${failing.port}/check/envoy/v1`)
    expect([answer.status, JSON.parse(await answer.text()).code]).toEqual([503, 'unavailable'])
  }
})
