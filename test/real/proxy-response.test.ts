/** What comes of the upstream's response: its head, its body, and what can not be understood. */
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { requestBytes, startProxied } from '../support/proxied.ts'
import { proxyBench, respond } from '../support/proxy-bench.ts'
import { sendRaw } from '../support/raw-client.ts'
import { startRawUpstream } from '../support/raw-upstream.ts'
import { until } from '../support/until.ts'

const { answering, connected, clear } = proxyBench()
afterEach(clear)

describe('the head', () => {
  test('passes with the upstream’s own fields, each as often as it stood, and their bytes', async () => {
    const { proxied } = await answering(
      respond(
        [
          ...['HTTP/1.1 201 Made', 'Content-Length: 2', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-Note: caf\u00e9'],
          ...[
            'Content-Disposition: attachment; filename="caf\u00c3\u00a9.txt"',
            'ETag: "x"',
            'Date: Thu, 01 Jan 1970 00:00:00 GMT',
          ],
        ],
        'ok',
      ),
    )
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a'))
    expect(response?.status).toBe(201)
    expect(response?.headers).toEqual([
      ...['set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-note', 'caf\u00e9'],
      ...[
        'content-disposition',
        'attachment; filename="caf\u00c3\u00a9.txt"',
        'etag',
        '"x"',
        'date',
        'Thu, 01 Jan 1970 00:00:00 GMT',
      ],
      ...['x-request-id', 'made-1', 'keep-alive', 'timeout=74', 'content-length', '2', 'Connection', 'keep-alive'],
    ])
    expect(response?.text).toBe('ok')
  })

  test('loses what is of the upstream’s hop, and what only Keyward says', async () => {
    const dropped = [
      ...[
        'X-Keyward-Visible: *',
        'X-Request-Id: theirs',
        'RateLimit: "x";r=1',
        'RateLimit-Policy: "x";q=1',
        'RateLimit-Limit: 5',
      ],
      ...[
        'Connection: keep-alive, X-Hop',
        'X-Hop: 1',
        'Keep-Alive: timeout=1000',
        'Proxy-Authenticate: Basic',
        'Upgrade: h2c',
        'Trailer: X',
      ],
    ]
    const { proxied } = await answering(respond(['HTTP/1.1 200 OK', 'Content-Length: 0', ...dropped]))
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a'))
    expect(response?.headers.filter((_text, i) => i % 2 === 0).map((name) => name.toLowerCase())).toEqual([
      'x-request-id',
      'keep-alive',
      'content-length',
      'date',
      'connection',
    ])
    expect(response?.header('keep-alive')).toBe('timeout=74')
    expect(response?.header('x-request-id')).toBe('made-1')
  })

  test('closes the connection where the caller wants it closed', async () => {
    const { proxied } = await answering(respond(['HTTP/1.1 200 OK', 'Content-Length: 2'], 'ok'))
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a', ['Connection: close']))
    const response = await connection.response()
    expect([response.header('connection'), response.header('keep-alive')]).toEqual(['close', undefined])
    await connection.ended()
  })

  test('goes out before the body comes', async () => {
    let upstreamSocket: Socket | undefined
    const { proxied } = await answering((socket) => {
      upstreamSocket = socket
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    expect((await connection.bytes(15)).toString()).toBe('HTTP/1.1 200 OK')
    upstreamSocket?.write('5\r\nhello\r\n')
    await until('the head is there', () => connection.socket.bytesRead > 100)
    upstreamSocket?.write('0\r\nX-Late: 1\r\n\r\n')
    expect((await connection.bytes(10_000, 300).catch((error: Error) => error.message)).toString()).toContain(
      '0\\r\\n\\r\\n',
    )
  })
})

describe('the body', () => {
  test.each([
    ['a length', ['Content-Length: 5'], 'hello'],
    ['chunks', ['Transfer-Encoding: chunked'], '2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Late: 1\r\n\r\n'],
  ])('of %s is passed on so, without trailers, and both connections go on', async (_what, headers, body) => {
    const { proxied, upstream } = await answering(respond(['HTTP/1.1 200 OK', ...headers], body))
    const connection = await connected(proxied)
    for (let i = 0; i < 3; i++) {
      connection.send(requestBytes('GET /public/a'))
      const response = await connection.response()
      expect([response.text, response.trailers]).toEqual(['hello', []])
      expect(response.header('content-length')).toBe(body === 'hello' ? '5' : undefined)
    }
    expect(upstream.connections()).toBe(1)
  })

  test.each([256, 4096, 4097, 100_000])('of %d bytes of every value is the same bytes', async (length) => {
    const bytes = Buffer.from(Array.from({ length }, (_, i) => i % 256)).toString('latin1')
    const { proxied } = await answering(respond(['HTTP/1.1 200 OK', `Content-Length: ${length}`], bytes))
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a'))
    expect(response?.body.toString('latin1')).toBe(bytes)
  })

  test('that ends with the connection is passed on in chunks', async () => {
    const { proxied } = await answering((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'))
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a'))
    expect([response?.header('transfer-encoding'), response?.text]).toEqual(['chunked', 'hello'])
  })

  test.each([
    ['HEAD with a length', 'HEAD /public/a', ['HTTP/1.1 200 OK', 'Content-Length: 1000'], '1000'],
    ['HEAD without one', 'HEAD /public/a', ['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'], undefined],
    ['204', 'GET /public/a', ['HTTP/1.1 204 No Content'], undefined],
    ['204 with a length that may not be', 'GET /public/a', ['HTTP/1.1 204 No Content', 'Content-Length: 0'], undefined],
    ['304', 'GET /public/a', ['HTTP/1.1 304 Not Modified', 'ETag: "x"', 'Content-Length: 1000'], '1000'],
  ])('is none behind %s, and the next request is answered', async (_what, line, lines, length) => {
    const { proxied } = await answering((socket, head) =>
      head.startsWith('GET /public/next')
        ? respond(['HTTP/1.1 200 OK', 'Content-Length: 2'], 'ok')(socket)
        : respond(lines)(socket),
    )
    const connection = await connected(proxied)
    connection.send(requestBytes(line))
    const response = await connection.response({ toHead: true })
    expect(response.status).toBe(Number(lines[0]?.slice(9, 12)))
    expect(response.header('content-length')).toBe(length)
    connection.send(requestBytes('GET /public/next'))
    expect((await connection.response()).text).toBe('ok')
  })
})

describe('informational responses', () => {
  test('early hints go on, and what follows them is the answer', async () => {
    const { proxied } = await answering(
      respond(
        ['HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload', '', 'HTTP/1.1 200 OK', 'Content-Length: 2'],
        'ok',
      ),
    )
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    const hints = await connection.response()
    expect([hints.status, hints.header('link')]).toEqual([103, '</a.css>; rel=preload'])
    expect((await connection.response()).text).toBe('ok')
  })

  test.each([
    ['102', ['HTTP/1.1 102 Processing']],
    ['103 without a link that is one', ['HTTP/1.1 103 Early Hints', 'Link: nonsense']],
  ])('%s is left out', async (_what, lines) => {
    const { proxied } = await answering(respond([...lines, '', 'HTTP/1.1 200 OK', 'Content-Length: 2'], 'ok'))
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    expect((await connection.response()).text).toBe('ok')
  })
})

describe('an upstream that can not be understood: 502, and nothing of its answer', () => {
  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
    ],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['a head of 40 KiB', `HTTP/1.1 200 OK\r\nX-A: ${'b'.repeat(40_000)}\r\n\r\n`],
    ['a 101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'],
    ['a 101 without the words for it', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('%s', async (_what, bytes) => {
    const { proxied } = await answering((socket) => void socket.write(bytes))
    const response = await sendRaw(proxied.port, requestBytes('POST /public/a'.replace('POST', 'GET')))
    expect(response?.status).toBe(502)
    expect(response?.header('content-type')).toBe('application/problem+json')
    expect(JSON.parse(response?.text ?? '')).toMatchObject({
      status: 502,
      code: 'upstream_unavailable',
      requestId: 'made-1',
    })
    expect(proxied.noted.map(({ kind }) => kind)).toEqual(['upstream_unavailable'])
  })

  test.each([
    ['no byte of an answer', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ])('gone after %s', async (_what, bytes) => {
    const { proxied } = await answering((socket) => socket.end(bytes))
    expect((await sendRaw(proxied.port, requestBytes('GET /public/a')))?.status).toBe(502)
  })

  test('not there at all; the caller’s connection goes on', async () => {
    const upstream = await startRawUpstream(() => undefined)
    await upstream.stop()
    const proxied = await startProxied(upstream.url)
    const connection = await connected(proxied)
    for (const [line, headers, body] of [
      ['GET /public/a', [], ''],
      ['POST /open/a', [`X-API-Key: ${proxied.key}`, 'Content-Length: 5'], 'hello'],
      ['GET /public/a', [], ''],
    ] as const) {
      connection.send(requestBytes(line, headers, body))
      expect((await connection.response()).status).toBe(502)
    }
    await proxied.proxy.stop(0)
  })
})
