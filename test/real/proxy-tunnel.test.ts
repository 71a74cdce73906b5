/** Upgrades: who gets a tunnel, what passes through it, and when it ends. */
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type Proxied, requestBytes } from '../support/proxied.ts'
import { proxyBench, respond } from '../support/proxy-bench.ts'
import type { RawConnection } from '../support/raw-client.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const { answering, echoing, connected, clear } = proxyBench()
afterEach(clear)

const WEBSOCKET = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

async function opened(proxied: Proxied, headers = [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]): Promise<RawConnection> {
  const connection = await connected(proxied)
  connection.send(requestBytes('GET /open/ws', headers))
  const response = await connection.response()
  expect(response.status).toBe(101)
  return connection
}

describe('a tunnel', () => {
  test('opens at the upstream’s 101 and passes bytes both ways', async () => {
    const { proxied, upstream } = await echoing()
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /open/ws?x=1', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]))
    const response = await connection.response()
    expect([response.status, response.header('connection'), response.header('upgrade')]).toEqual([
      101,
      'Upgrade',
      'websocket',
    ])
    expect(response.header('x-request-id')).toBe('made-1')
    connection.send('\u0000\u00ffany bytes')
    expect((await connection.bytes(11)).toString('latin1')).toBe('\u0000\u00ffany bytes')
    const [arrived] = upstream.log
    expect(arrived?.target).toBe('/open/ws?x=1')
    expect(arrived?.header('sec-websocket-key')).toBe('dGhlIHNhbXBsZSBub25jZQ==')
    expect(arrived?.header('x-api-key')).toBeUndefined()
    expect(arrived?.header('x-keyward-key-name')).toBe('team/good')
    expect(proxied.proxy.tunnels()).toBe(1)
    connection.destroy()
    await until('the tunnel is no longer counted', () => proxied.proxy.tunnels() === 0)
  })

  test('takes what the caller sent before it was answered', async () => {
    const { proxied } = await echoing()
    const connection = await connected(proxied)
    connection.send(`${requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET])}early`)
    expect((await connection.response()).status).toBe(101)
    expect((await connection.bytes(5)).toString()).toBe('early')
  })

  test('may be closed from one side while the other goes on', async () => {
    let arrived = ''
    let ended = false
    const { proxied } = await echoing({
      upgrade: (_arrived, socket) => {
        socket.allowHalfOpen = true
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        socket.on('data', (chunk: Buffer) => {
          arrived += chunk.toString()
        })
        socket.on('end', () => {
          ended = true
          setTimeout(() => socket.end('last words'), 50)
        })
      },
    })
    const connection = await opened(proxied)
    connection.send('goodbye')
    connection.end()
    expect((await connection.rest()).toString()).toBe('last words')
    expect([arrived, ended]).toEqual(['goodbye', true])
    await until('the tunnel is gone', () => proxied.proxy.tunnels() === 0)
  })

  test('ends for the caller when the upstream goes', async () => {
    let upstreamSocket: Socket | undefined
    const { proxied } = await echoing({
      upgrade: (_arrived, socket) => {
        upstreamSocket = socket
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      },
    })
    const connection = await opened(proxied)
    upstreamSocket?.resetAndDestroy()
    await connection.ended()
    await until('the tunnel is gone', () => proxied.proxy.tunnels() === 0)
  })

  test('in which nothing moves is closed, one in which something does is not', THREE_TRIALS, async () => {
    const { proxied } = await echoing({}, { limits: { tunnelIdleMs: 1_000 } })
    const [still, lively] = [await opened(proxied), await opened(proxied)]
    const beat = setInterval(() => lively.send('.'), 50)
    await still.ended()
    expect(lively.isEnded()).toBe(false)
    clearInterval(beat)
    await lively.ended()
  })

  test('that is not read does not fill the memory', async () => {
    let sent = 0
    const { proxied } = await echoing({
      upgrade: (_arrived, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        const chunk = Buffer.alloc(65_536)
        const pump = () => {
          while (socket.write(chunk)) sent += chunk.length
          sent += chunk.length
        }
        socket.on('drain', pump)
        pump()
      },
    })
    const connection = await opened(proxied)
    connection.socket.pause()
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(sent).toBeLessThan(32 * 1024 * 1024)
  })
})

describe('a key that stops being good takes its tunnels with it', () => {
  test('within the interval, by itself', THREE_TRIALS, async () => {
    const { proxied } = await echoing({}, { limits: { recheckMs: 100 } })
    const [revoked, other] = [
      await opened(proxied),
      await opened(proxied, [`X-API-Key: ${proxied.put('other')}`, ...WEBSOCKET]),
    ]
    proxied.put('good', { state: 'Revoked' })
    await revoked.ended(1_000)
    expect(other.isEnded()).toBe(false)
    expect(proxied.noted).toEqual([{ kind: 'cut', requestId: 'made-1', why: 'key_inactive' }])
  })

  test('at once, where a change is told', THREE_TRIALS, async () => {
    const { proxied } = await echoing()
    const connection = await opened(proxied)
    proxied.proxy.recheckNow()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(connection.isEnded()).toBe(false)
    proxied.put('good', { state: 'Suspended' })
    proxied.proxy.recheckNow()
    // by itself it would be in five seconds
    await connection.ended(1_500)
  })

  test('when it expires', async () => {
    const { proxied } = await echoing({}, { limits: { recheckMs: 50 } })
    const soon = proxied.put('soon')
    const connection = await opened(proxied, [`X-API-Key: ${soon}`, ...WEBSOCKET])
    proxied.put('soon', { expiresAt: Date.now() + 400 })
    await connection.ended()
  })

  test('and its event streams, but a limit that is used up cuts nothing', async () => {
    const { proxied } = await echoing(
      {
        answer: (_arrived, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          response.write('data: 1\n\n')
        },
      },
      { limits: { recheckMs: 50 } },
    )
    const once = proxied.put('once', { limits: [{ kind: 'rate', requests: 1, perUs: 3_600_000_000, burst: 1 }] })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /open/events', [`X-API-Key: ${once}`]))
    await until('the stream has begun', () => connection.socket.bytesRead > 100)
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(connection.isEnded()).toBe(false)
    proxied.put('once', { state: 'Revoked' })
    await connection.ended()
  })
})

describe('no tunnel', () => {
  test.each([
    ['without a key', 'GET /open/ws', WEBSOCKET, 401],
    ['where there is no permission', 'GET /admin/ws', WEBSOCKET, 401],
    ['on a path of two readings', 'GET /open/../ws', WEBSOCKET, 400],
  ])('%s', async (_what, line, headers, status) => {
    const { proxied, upstream } = await echoing()
    const connection = await connected(proxied)
    connection.send(requestBytes(line, headers))
    const response = await connection.response()
    expect([response.status, response.header('connection')]).toEqual([status, 'close'])
    expect(response.header('content-type')).toBe('application/problem+json')
    await connection.ended()
    expect(upstream.log).toEqual([])
    expect(proxied.proxy.tunnels()).toBe(0)
  })

  test.each([
    ['200', ['HTTP/1.1 200 OK', 'Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 2'], 200],
    ['426', ['HTTP/1.1 426 Upgrade Required', 'Content-Length: 2'], 426],
    ['204 and more', ['HTTP/1.1 403 Forbidden', 'Content-Length: 2'], 403],
  ])(
    'where the upstream answers %s: that is the answer, and what follows it goes nowhere',
    async (_what, lines, status) => {
      const { proxied, upstream } = await answering(respond(lines, 'ok'))
      const connection = await connected(proxied)
      connection.send(requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]))
      const response = await connection.response()
      expect([response.status, response.text]).toEqual([status, 'ok'])
      connection.send('GET /admin/smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n')
      await connection.ended()
      expect(upstream.heads).toHaveLength(1)
      expect(proxied.proxy.tunnels()).toBe(0)
    },
  )

  test.each([
    [
      'to another protocol than was asked for',
      ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: h2c'],
    ],
    ['to none', ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade']],
  ])('%s: 502', async (_what, lines) => {
    const { proxied } = await answering(respond(lines))
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]))
    expect((await connection.response()).status).toBe(502)
    await connection.ended()
  })

  test.each([
    ['h2c', 'GET', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'], ''],
    ['TLS', 'GET', ['Connection: Upgrade', 'Upgrade: TLS/1.2'], ''],
    ['two protocols', 'GET', ['Connection: Upgrade', 'Upgrade: websocket, h2c'], ''],
    ['an upgrade of POST', 'POST', ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 2'], 'ab'],
    [
      'an upgrade of a GET with a body',
      'GET',
      ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 2'],
      'ab',
    ],
  ])('%s: it is the ordinary request that it also is, and so is the next', async (_what, method, headers, body) => {
    const { proxied, upstream } = await echoing()
    const connection = await connected(proxied)
    for (const path of ['/open/a', '/open/b']) {
      connection.send(requestBytes(`${method} ${path}`, [`X-API-Key: ${proxied.key}`, ...headers], body))
      const response = await connection.response()
      expect([response.status, JSON.parse(response.text).target]).toEqual([200, path])
    }
    expect(upstream.log.map((arrived) => [arrived.header('upgrade'), arrived.header('http2-settings')])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ])
    expect(upstream.log[0]?.body().toString()).toBe(body)
  })

  test('where the upstream does not answer: 504', async () => {
    const { proxied } = await answering(() => undefined, { limits: { firstByteMs: 300 } })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]))
    expect((await connection.response()).status).toBe(504)
  })

  test.each([
    ['ends its half', (socket: Socket) => void socket.end()],
    ['resets the connection', (socket: Socket) => void socket.resetAndDestroy()],
  ])('for a caller that %s before it is answered: the upstream hears of it at once', async (_what, go) => {
    let closed = false
    const { proxied, upstream } = await answering((socket) => {
      socket.on('close', () => {
        closed = true
      })
    })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]))
    await until('the request is there', () => upstream.heads.length === 1)
    go(connection.socket)
    await until('the upstream connection is closed', () => closed)
    await connection.ended()
    expect(proxied.noted).toEqual([])
  })

  test('where the key is revoked before the upstream answers: 401', async () => {
    const { proxied, upstream } = await answering(() => undefined)
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]))
    await until('the request is there', () => upstream.heads.length === 1)
    proxied.put('good', { state: 'Revoked' })
    proxied.proxy.recheckNow()
    expect((await connection.response()).status).toBe(401)
    await connection.ended()
  })

  test('before an earlier request of the connection is answered', async () => {
    const { proxied, upstream } = await echoing()
    const connection = await connected(proxied)
    connection.send(
      requestBytes('GET /public/a') + requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, ...WEBSOCKET]),
    )
    expect(JSON.parse((await connection.response()).text)).toMatchObject({ target: '/public/a' })
    expect((await connection.response()).status).toBe(101)
    connection.send('hello')
    expect((await connection.bytes(5)).toString()).toBe('hello')
    expect(upstream.log.map(({ target }) => target)).toEqual(['/public/a', '/open/ws'])
  })
})
