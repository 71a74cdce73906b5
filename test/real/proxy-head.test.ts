/** What the upstream is told of a request, and what the caller is told of a decision. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseCidr } from '../../src/core/address.ts'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { type Proxied, requestBytes, startProxied } from '../support/proxied.ts'
import { openRaw, type RawResponse, sendRaw } from '../support/raw-client.ts'

let upstream: EchoUpstream
let proxied: Proxied

beforeAll(async () => {
  upstream = await startEcho()
  proxied = await startProxied(upstream.url)
})
afterEach(() => upstream.forget())
afterAll(async () => {
  await proxied.proxy.stop(0)
  await upstream.stop()
})

async function ask(line: string, headers: readonly string[] = [], body = ''): Promise<RawResponse> {
  const response = await sendRaw(proxied.port, requestBytes(line, headers, body), { toHead: line.startsWith('HEAD') })
  if (response === undefined) throw new Error(`no answer to ${line}`)
  return response
}

const withKey = (...headers: readonly string[]) => [`X-API-Key: ${proxied.key}`, ...headers]

const cidr = (text: string) => {
  const parsed = parseCidr(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

describe('what the upstream gets', () => {
  test('the target byte for byte, ordinary headers with their spelling and order, and who it is', async () => {
    const response = await ask(
      'GET /open/a%20b?x=%2F&x=1',
      withKey('X-Trace: 1', 'Accept: a/b', 'X-Trace: 2', 'COOKIE: c=d'),
    )
    expect(response.status).toBe(200)
    const [arrived] = upstream.log
    expect(arrived?.target).toBe('/open/a%20b?x=%2F&x=1')
    const keyId = proxied.key.slice(0, proxied.key.lastIndexOf('_'))
    expect(arrived?.headers).toEqual([
      ...['host', 'api.test', 'connection', 'keep-alive'],
      ...['X-Trace', '1', 'Accept', 'a/b', 'X-Trace', '2', 'COOKIE', 'c=d'],
      ...['x-forwarded-for', '127.0.0.1', 'x-forwarded-host', 'api.test', 'x-forwarded-proto', 'http'],
      ...['x-request-id', response.header('x-request-id')],
      ...['x-keyward-key-id', keyId, 'x-keyward-key-name', 'team/good', 'x-keyward-environment', 'production'],
      ...['x-keyward-namespace', 'shop', 'x-keyward-namespace-type', 'application'],
      ...['x-keyward-organization', 'acme', 'x-keyward-application', 'shop'],
      ...['x-keyward-workspace', '', 'x-keyward-user-group', ''],
      ...['x-keyward-permissions', 'things:use', 'x-keyward-customers', '*', 'x-keyward-visible', ''],
      ...['x-keyward-principal', 'key', 'x-keyward-subject', ''],
      ...['x-keyward-request-id', response.header('x-request-id')],
    ])
  })

  test.each([
    ['a credential', 'Authorization: Basic eDp5', 'authorization'],
    ['a reserved name', 'X-Keyward-Principal: root', 'root'],
    ['a reserved name that is not in use', 'X-Keyward-Admin: yes', 'admin'],
    ['a claim of where the caller is', 'X-Forwarded-For: 10.0.0.1', '10.0.0.1'],
    ['the same in its standard form', 'Forwarded: for=10.0.0.1', '10.0.0.1'],
    ['the same as nginx writes it', 'X-Real-IP: 10.0.0.1', '10.0.0.1'],
    ['the same as a CDN writes it', 'CF-Connecting-IP: 10.0.0.1', '10.0.0.1'],
    ['another path', 'X-Original-URL: /admin', 'original'],
    ['another path again', 'X-Rewrite-URL: /admin', 'rewrite'],
    ['another prefix', 'X-Forwarded-Prefix: /admin', 'prefix'],
    ['another host', 'X-Forwarded-Host: internal', 'internal'],
    ['another scheme', 'X-Forwarded-Proto: https', 'https'],
    ['a name that servers fold', 'X_Trace: 1', 'x_trace'],
    ['a name with a dot', 'X.Trace: 1', 'x.trace'],
    ['what httpoxy needs', 'Proxy: http://evil', 'evil'],
    ['the last hop’s credential', 'Proxy-Authorization: Basic eDp5', 'proxy-authorization'],
    ['a promise of trailers', 'TE: trailers', 'trailers'],
    ['another request ID than the one that counts', 'X-Request-Id: not usable!', 'usable'],
  ])('nothing of %s', async (_what, header, trace) => {
    expect((await ask('GET /public/a', [header])).status).toBe(200)
    expect(upstream.log).toHaveLength(1)
    const text = (upstream.log[0]?.headers ?? [])
      .filter((_text, i, all) => i % 2 === 1 || !all[i]?.startsWith('x-keyward'))
      .join('\n')
    expect(text.toLowerCase().replaceAll('x-forwarded-host', '')).not.toContain(trace)
  })

  test('headers that Connection names are gone before anything is decided', async () => {
    const named = await ask('GET /open/a', withKey('Connection: keep-alive, X-API-Key'))
    expect(named.status).toBe(401)
    const identity = await ask('GET /open/a', withKey('Connection: X-Keyward-Key-Id, X-Hop', 'X-Hop: 1'))
    expect(identity.status).toBe(200)
    expect(upstream.log).toHaveLength(1)
    expect(upstream.log[0]?.header('x-keyward-key-id')).toMatch(/^kw_prod_/)
    expect(upstream.log[0]?.header('x-hop')).toBeUndefined()
  })

  test('Connection can not name what frames or addresses the message', async () => {
    for (const name of ['Host', 'Content-Length', 'Transfer-Encoding']) {
      expect((await ask('GET /public/a', [`Connection: ${name}`])).status).toBe(400)
    }
    expect(upstream.log).toEqual([])
  })

  test('the host in its one spelling, with its port', async () => {
    await sendRaw(proxied.port, 'GET /public/a HTTP/1.1\r\nHost: API.Test.:8080\r\n\r\n')
    expect(upstream.log[0]?.header('host')).toBe('api.test:8080')
    expect(upstream.log[0]?.header('x-forwarded-host')).toBe('api.test:8080')
  })

  test.each([
    ['a length', 'POST', ['Content-Length: 5'], 'hello', 'hello'],
    ['chunks', 'POST', ['Transfer-Encoding: chunked'], '3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n', 'hello'],
    ['a length on GET', 'GET', ['Content-Length: 5'], 'hello', 'hello'],
    ['chunks on GET', 'GET', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['chunks on DELETE', 'DELETE', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['a length of nothing', 'POST', ['Content-Length: 0'], '', ''],
  ])('a body framed by %s stays framed by it', async (_what, method, headers, body, expected) => {
    expect((await ask(`${method} /open/a`, withKey(...headers), body)).status).toBe(200)
    const [arrived] = upstream.log
    expect(arrived?.body().toString()).toBe(expected)
    const chunked = headers[0]?.startsWith('Transfer') === true
    expect(arrived?.header('transfer-encoding')).toBe(chunked ? 'chunked' : undefined)
    expect(arrived?.header('content-length')).toBe(chunked ? undefined : String(expected.length))
  })

  test('no trailers', async () => {
    const body = '1\r\nX\r\n0\r\nX-Keyward-Key-Id: admin\r\nX-Late: 1\r\n\r\n'
    await ask('POST /open/a', withKey('Transfer-Encoding: chunked', 'Trailer: X-Late'), body)
    expect(upstream.log[0]?.trailers()).toEqual([])
    expect(upstream.log[0]?.header('trailer')).toBeUndefined()
  })

  test('what is hidden in the body of one request is never another', async () => {
    const hidden = 'GET /admin/smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n'
    await ask('GET /open/a', withKey(`Content-Length: ${hidden.length}`), hidden)
    expect(upstream.log.map(({ target }) => target)).toEqual(['/open/a'])
    expect(upstream.log[0]?.body().toString()).toBe(hidden)
  })
})

describe('what the caller gets', () => {
  test('its own request ID where it is harmless, else a new one', async () => {
    expect((await ask('GET /public/a', ['X-Request-Id: abc-1.2_3'])).header('x-request-id')).toBe('abc-1.2_3')
    expect((await ask('GET /public/a', ['X-Request-Id: a b'])).header('x-request-id')).toMatch(/^made-/)
    expect((await ask('GET /public/a', ['X-Request-Id: a', 'X-Request-Id: b'])).header('x-request-id')).toMatch(
      /^made-/,
    )
  })

  test('a refusal as a problem, with the challenge', async () => {
    const response = await ask('GET /open/a', ['X-Request-Id: r-7'])
    expect(response.status).toBe(401)
    expect(response.header('content-type')).toBe('application/problem+json')
    expect(response.header('www-authenticate')).toBe('Bearer realm="keyward"')
    expect(JSON.parse(response.text)).toEqual({
      type: 'about:blank',
      title: 'A credential is required',
      status: 401,
      detail: 'Send an API key as "Authorization: Bearer <key>" or "X-API-Key: <key>".',
      code: 'missing_credential',
      requestId: 'r-7',
    })
    expect(upstream.log).toEqual([])
  })

  test('no body behind a refusal of HEAD, and the connection goes on', async () => {
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('HEAD /open/a'))
    const response = await connection.response({ toHead: true })
    expect(response.status).toBe(401)
    expect(Number(response.header('content-length'))).toBeGreaterThan(100)
    connection.send(requestBytes('GET /public/a'))
    expect((await connection.response()).status).toBe(200)
    connection.destroy()
  })

  test('where its limits stand, with every answer that they are spent on', async () => {
    const limited = proxied.put('limited', {
      limits: [{ kind: 'rate', requests: 1, perUs: 3_600_000_000, burst: 1 }],
    })
    const first = await ask('GET /open/a', [`X-API-Key: ${limited}`])
    expect(first.status).toBe(200)
    expect(first.header('ratelimit-policy')).toBe('"rate";q=1;w=3600')
    expect(first.header('ratelimit')).toMatch(/^"rate";r=0;t=\d+$/)
    const second = await ask('GET /open/a', [`X-API-Key: ${limited}`])
    expect(second.status).toBe(429)
    expect(Number(second.header('retry-after'))).toBeGreaterThan(3_500)
    expect(second.header('ratelimit')).toMatch(/^"rate";r=0;t=\d+$/)
    expect(upstream.log).toHaveLength(1)
  })

  test('pipelined requests are answered in their order, one after the other', async () => {
    const connection = await openRaw(proxied.port)
    connection.send(['a', 'b', 'c'].map((name) => requestBytes(`GET /public/${name}`)).join(''))
    for (const name of ['a', 'b', 'c']) {
      expect(JSON.parse((await connection.response()).text)).toMatchObject({ target: `/public/${name}` })
    }
    connection.destroy()
  })
})

describe('where the caller is', () => {
  test('is what its socket says, whatever it says itself', async () => {
    const near = proxied.put('near', { allowedCidrs: [cidr('127.0.0.0/8')] })
    const far = proxied.put('far', { allowedCidrs: [cidr('203.0.113.0/24')] })
    const claim = 'X-Forwarded-For: 203.0.113.9'
    expect((await ask('GET /open/a', [`X-API-Key: ${near}`, claim])).status).toBe(200)
    expect((await ask('GET /open/a', [`X-API-Key: ${far}`, claim])).status).toBe(403)
  })

  test.each([
    ['one hop: the last entry', 1, ['10.9.9.9, 203.0.113.9'], 200, '203.0.113.9, 127.0.0.1'],
    ['two hops: the last but one', 2, ['10.9.9.9, 203.0.113.9', '10.0.0.2'], 200, '203.0.113.9, 10.0.0.2, 127.0.0.1'],
    ['two hops and one entry: it came another way', 2, ['203.0.113.9'], 403, undefined],
    ['one hop that wrote no address', 1, ['203.0.113.9, unknown'], 403, undefined],
    ['one hop that wrote nothing', 1, [], 403, undefined],
  ])('behind %s', async (_what, trustedHops, lines, status, forwarded) => {
    const behind = await startProxied(upstream.url, { trustedHops })
    const far = behind.put('far', { allowedCidrs: [cidr('203.0.113.0/24')] })
    const headers = [
      `X-API-Key: ${far}`,
      ...lines.map((line) => `X-Forwarded-For: ${line}`),
      'X-Forwarded-Proto: https',
    ]
    const response = await sendRaw(behind.port, requestBytes('GET /open/a', headers))
    expect(response?.status).toBe(status)
    expect(upstream.log[0]?.header('x-forwarded-for')).toBe(forwarded)
    if (forwarded !== undefined) expect(upstream.log[0]?.header('x-forwarded-proto')).toBe('https')
    await behind.proxy.stop(0)
  })
})
