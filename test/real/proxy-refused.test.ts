/** Requests that are refused before or instead of being passed on, and what becomes of their bodies and connections. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { type Proxied, requestBytes, startProxied } from '../support/proxied.ts'
import { openRaw, sendRaw } from '../support/raw-client.ts'
import { THREE_TRIALS } from '../support/trials.ts'

let upstream: EchoUpstream
let proxied: Proxied

beforeAll(async () => {
  upstream = await startEcho()
  proxied = await startProxied(upstream.url, { limits: { drainMs: 200, headMs: 600, callerIdleMs: 700, pipelined: 3 } })
})
afterEach(() => upstream.forget())
afterAll(async () => {
  await proxied.proxy.stop(0)
  await upstream.stop()
})

const withKey = (...headers: readonly string[]) => [`X-API-Key: ${proxied.key}`, ...headers]

describe('no HTTP/1.1 request: a problem without a code, and the connection closes', () => {
  test.each([
    ['HTTP/1.0', 'GET /public/a HTTP/1.0\r\nHost: api.test\r\nConnection: keep-alive\r\n\r\n', 400],
    ['HTTP/2.0 in words', 'GET /public/a HTTP/2.0\r\nHost: api.test\r\n\r\n', 505],
    ['a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['no request at all', 'hello\r\n\r\n', 400],
    [
      'two lengths',
      'POST /public/a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx',
      400,
    ],
    [
      'a length of more than anybody has',
      'POST /public/a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 9999999999999999\r\n\r\n',
      400,
    ],
    [
      'length and chunks',
      'POST /public/a HTTP/1.1\r\nHost: api.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    [
      'a coding before chunked',
      'POST /public/a HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'chunked in capitals',
      'POST /public/a HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'an expectation other than 100-continue',
      'POST /public/a HTTP/1.1\r\nHost: api.test\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx',
      417,
    ],
    ['101 headers', `GET /public/a HTTP/1.1\r\nHost: api.test\r\n${'X-A: b\r\n'.repeat(100)}\r\n`, 431],
    ['a head of 17 KiB', `GET /public/a HTTP/1.1\r\nHost: api.test\r\nX-A: ${'b'.repeat(17_000)}\r\n\r\n`, 431],
    ['a target of 17 KiB', `GET /public/${'b'.repeat(17_000)} HTTP/1.1\r\nHost: api.test\r\n\r\n`, 431],
    ['3,000 empty headers', `GET /public/a HTTP/1.1\r\nHost: api.test\r\n${'a:\r\n'.repeat(3000)}\r\n`, 431],
  ])('%s', async (_what, bytes, status) => {
    const connection = await openRaw(proxied.port)
    connection.send(bytes)
    const response = await connection.response()
    expect(response.status).toBe(status)
    expect(response.header('content-type')).toBe('application/problem+json')
    const problem: unknown = JSON.parse(response.text)
    expect(problem).toMatchObject({ status, requestId: response.header('x-request-id') })
    expect(problem).not.toHaveProperty('code')
    await connection.ended()
    expect(upstream.log).toEqual([])
  })

  test('100 headers are not too many', async () => {
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a', Array(99).fill('X-A: b')))
    expect(response?.status).toBe(200)
    expect(upstream.log[0]?.headers.filter((name) => name === 'X-A')).toHaveLength(99)
  })
})

describe('refused by the decision, in its words', () => {
  test.each([
    ['two hosts', 'GET /public/a HTTP/1.1\r\nHost: api.test\r\nHost: api.test\r\n\r\n', 400, 'ambiguous_request'],
    ['no host', 'GET /public/a HTTP/1.1\r\n\r\n', 400, 'ambiguous_request'],
    ['an empty host', 'GET /public/a HTTP/1.1\r\nHost:\r\n\r\n', 400, 'ambiguous_request'],
    ['a host with a user', 'GET /public/a HTTP/1.1\r\nHost: api.test@evil.test\r\n\r\n', 400, 'ambiguous_request'],
    ['a host of nobody', 'GET /public/a HTTP/1.1\r\nHost: other.test\r\n\r\n', 403, 'unknown_host'],
    ['absolute form', 'GET http://api.test/public/a HTTP/1.1\r\nHost: api.test\r\n\r\n', 400, 'ambiguous_path'],
    ['asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: api.test\r\n\r\n', 400, 'ambiguous_path'],
    ['CONNECT', 'CONNECT api.test:80 HTTP/1.1\r\nHost: api.test\r\n\r\n', 400, 'ambiguous_path'],
    ['TRACE', 'TRACE /public/a HTTP/1.1\r\nHost: api.test\r\n\r\n', 400, 'ambiguous_request'],
    ['a fragment', 'GET /public/a#b HTTP/1.1\r\nHost: api.test\r\n\r\n', 400, 'ambiguous_path'],
    [
      'another spelling of a reserved name',
      'GET /public/a HTTP/1.1\r\nHost: api.test\r\nX_Keyward_Key_Id: a\r\n\r\n',
      400,
      'ambiguous_request',
    ],
    [
      'another method in a header',
      'GET /public/a HTTP/1.1\r\nHost: api.test\r\nX-HTTP-Method-Override: PUT\r\n\r\n',
      400,
      'ambiguous_request',
    ],
  ])('%s', async (_what, bytes, status, code) => {
    const response = await sendRaw(proxied.port, bytes)
    expect(response?.status).toBe(status)
    expect(JSON.parse(response?.text ?? '')).toMatchObject({ status, code })
    expect(upstream.log).toEqual([])
  })

  test('a check that fails is 503, and so is one that is not ready', async () => {
    const failing = await startProxied(upstream.url, { check: () => Promise.reject(new Error('lost')) })
    const response = await sendRaw(failing.port, requestBytes('GET /public/a'))
    expect(response?.status).toBe(503)
    expect(JSON.parse(response?.text ?? '')).toMatchObject({ code: 'unavailable' })
    await failing.proxy.stop(0)
  })

  test('a check that takes its time holds the request, not the proxy', async () => {
    const slow = await startProxied(upstream.url, {
      check: async (_request, answer) => {
        await new Promise((resolve) => setTimeout(resolve, 50))
        return answer()
      },
    })
    const bytes = requestBytes('POST /open/a', [`X-API-Key: ${slow.key}`, 'Content-Length: 5'], 'hello')
    const answers = await Promise.all([1, 2, 3].map(() => sendRaw(slow.port, bytes)))
    expect(answers.map((answer) => answer?.status)).toEqual([200, 200, 200])
    expect(upstream.log.map((arrived) => arrived.body().toString())).toEqual(['hello', 'hello', 'hello'])
    await slow.proxy.stop(0)
  })

  test('a check that does not come to an end is 503 in time, and what it says later is not heard', async () => {
    let answerNow = () => {}
    const stuck = await startProxied(upstream.url, {
      limits: { checkMs: 200 },
      check: (_request, answer) =>
        new Promise((resolve) => {
          answerNow = () => resolve(answer())
        }),
    })
    const response = await sendRaw(stuck.port, requestBytes('GET /open/a', [`X-API-Key: ${stuck.key}`]))
    expect([response?.status, JSON.parse(response?.text ?? '').code]).toEqual([503, 'unavailable'])
    answerNow()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(upstream.log).toEqual([])
    expect(stuck.noted).toEqual([{ kind: 'unavailable', requestId: 'made-1', why: 'the check did not answer in time' }])
    await stuck.proxy.stop(0)
  })
})

describe('a refusal while the body is still coming', () => {
  test('a short body is read over, and the connection serves the next request', async () => {
    const hidden = 'GET /admin/smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n'
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('POST /open/a', [`Content-Length: ${hidden.length}`], hidden))
    expect((await connection.response()).status).toBe(401)
    connection.send(requestBytes('GET /public/a'))
    const next = await connection.response()
    expect([next.status, JSON.parse(next.text).target]).toEqual([200, '/public/a'])
    expect(upstream.log).toHaveLength(1)
    connection.destroy()
  })

  test('a short body that does not come ends the connection', async () => {
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('POST /open/a', ['Content-Length: 10'], 'abc'))
    expect((await connection.response()).status).toBe(401)
    await connection.ended()
  })

  test.each([
    ['a long body', 'Content-Length: 100000000'],
    ['chunks', 'Transfer-Encoding: chunked'],
  ])('%s: the answer is whole before the connection closes, and reading is bounded', async (_what, framing) => {
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('POST /open/a', [framing]))
    // what the caller goes on to send must not reset the connection before the answer is read
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    const timer = setInterval(() => connection.send(chunk), 5)
    const response = await connection.response()
    expect(response.status).toBe(401)
    expect(response.header('connection')).toBe('close')
    await connection.ended()
    clearInterval(timer)
    expect(upstream.log).toEqual([])
  })

  test('bytes that are no chunk, before the upstream has heard of the request: 400', async () => {
    const bytes = requestBytes('POST /open/a', withKey('Transfer-Encoding: chunked'), '0x1\r\nX\r\n0\r\n\r\n')
    expect((await sendRaw(proxied.port, bytes))?.status).toBe(400)
    expect(upstream.log).toEqual([])
  })
})

describe('Expect: 100-continue', () => {
  const expecting = ['Expect: 100-continue', 'Content-Length: 5']

  test('is answered once the request is allowed, and the upstream sees nothing of it', async () => {
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('POST /open/a', withKey(...expecting)))
    expect((await connection.response()).status).toBe(100)
    connection.send('hello')
    const response = await connection.response()
    expect([response.status, JSON.parse(response.text).body]).toEqual([200, 'hello'])
    expect(upstream.log[0]?.header('expect')).toBeUndefined()
    connection.destroy()
  })

  test('gets the refusal at once, without a 100, and the connection closes', async () => {
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('POST /open/a', expecting))
    const response = await connection.response()
    expect([response.status, response.header('connection')]).toEqual([401, 'close'])
    await connection.ended()
  })
})

describe('waits for a caller are bounded', THREE_TRIALS, () => {
  test('a head that drips in is 408', async () => {
    const connection = await openRaw(proxied.port)
    connection.send('GET /public/a HTTP/1.1\r\nHost: api.test\r\nX-A: ')
    const drip = setInterval(() => connection.send('a'), 50)
    const response = await connection.response()
    clearInterval(drip)
    expect(response.status).toBe(408)
    await connection.ended()
  })

  test('a connection that says nothing is closed', async () => {
    const connection = await openRaw(proxied.port)
    await connection.ended()
  })

  test('a body that stops is 408, and the upstream’s request is given up', async () => {
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('POST /open/a', withKey('Content-Length: 10'), 'abc'))
    const response = await connection.response()
    expect(response.status).toBe(408)
    await connection.ended()
    expect(upstream.log[0]?.complete()).toBe(false)
    expect(proxied.noted.at(-1)).toMatchObject({ kind: 'request_timeout' })
  })

  test('more pipelined requests than may wait end the connection', async () => {
    const connection = await openRaw(proxied.port)
    connection.send(requestBytes('GET /public/a').repeat(20))
    await connection.ended()
    expect(upstream.log.length).toBeLessThan(6)
  })

  test('connections beyond the bound are closed at once, and the others go on', async () => {
    const small = await startProxied(upstream.url, { limits: { connections: 2 } })
    const [first, second] = [await openRaw(small.port), await openRaw(small.port)]
    const third = await openRaw(small.port)
    await third.ended()
    for (const connection of [first, second]) {
      connection.send(requestBytes('GET /public/a'))
      expect((await connection.response()).status).toBe(200)
      connection.destroy()
    }
    await small.proxy.stop(0)
  })
})
