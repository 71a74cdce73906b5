/** Upstreams that break off, are slow or closed their connection; callers that go, do not read, or are not done. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { awakeFor, awakeMs } from '../support/awake.ts'
import { requestBytes, startProxied } from '../support/proxied.ts'
import { proxyBench, respond } from '../support/proxy-bench.ts'
import { sendRaw } from '../support/raw-client.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const { answering, echoing, connected, clear } = proxyBench()
afterEach(clear)

describe('an upstream that goes in the middle of its answer', () => {
  test.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['a chunk that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n'],
  ])('%s: the caller’s connection breaks, so that half is not taken for whole', async (_what, bytes) => {
    const { proxied } = await answering((socket) => socket.end(bytes))
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    const all = (await connection.rest()).toString()
    expect(all).toContain('half')
    expect(all.endsWith('0\r\n\r\n')).toBe(false)
    expect(proxied.noted.map(({ kind }) => kind)).toEqual(['upstream_lost'])
  })
})

/** Stopped by a signal: the kernel goes on taking connections for it until its queue of one is full. */
async function stoppedUpstream() {
  const listen =
    "const s = require('net').createServer(); s.listen({ port: 0, backlog: 1 }, () => console.log(s.address().port))"
  const child = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  child.kill('SIGSTOP')
  const fillers = Array.from({ length: 4 }, () => connect({ port, host: '127.0.0.1' }).on('error', () => undefined))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const stop = () => {
    for (const filler of fillers) filler.destroy()
    child.kill('SIGKILL')
  }
  return { url: new URL(`http://127.0.0.1:${port}`), stop }
}

describe('an upstream that is slow', () => {
  test('to take a connection: 504 after the time that it has for that', THREE_TRIALS, async () => {
    const upstream = await stoppedUpstream()
    const proxied = await startProxied(upstream.url, { limits: { connectMs: 500 } })
    const started = awakeMs()
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a'))
    expect(response?.status).toBe(504)
    expect(awakeMs() - started).toBeLessThan(10_000)
    expect(proxied.noted).toMatchObject([{ kind: 'upstream_timeout', why: 'UND_ERR_CONNECT_TIMEOUT' }])
    await proxied.proxy.stop(0)
    upstream.stop()
  })

  test('to answer: 504', async () => {
    const { proxied } = await answering(() => undefined, { limits: { firstByteMs: 300 } })
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a'))
    expect(response?.status).toBe(504)
    expect(JSON.parse(response?.text ?? '')).toMatchObject({ code: 'upstream_timeout' })
  })

  test('to answer a body that it does not read either: 504', async () => {
    const { proxied } = await answering((socket) => void socket.pause(), { limits: { firstByteMs: 300 } })
    const connection = await connected(proxied)
    connection.send(requestBytes('POST /open/a', [`X-API-Key: ${proxied.key}`, 'Content-Length: 50000000']))
    connection.send(Buffer.alloc(20_000_000))
    const response = await connection.response()
    expect(response.status).toBe(504)
  })

  test('to go on: the caller’s connection breaks', async () => {
    const { proxied } = await answering(respond(['HTTP/1.1 200 OK', 'Content-Length: 10'], 'half'), {
      limits: { upstreamIdleMs: 300 },
    })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    await connection.ended()
  })

  test('but goes on in time, again and again: nothing is cut', THREE_TRIALS, async () => {
    const { proxied } = await echoing(
      {
        answer: (_arrived, response) => {
          let left = 8
          const timer = setInterval(() => {
            response.write('x')
            if (--left > 0) return
            clearInterval(timer)
            response.end()
          }, 200)
        },
      },
      { limits: { upstreamIdleMs: 1_200, callerIdleMs: 1_200, firstByteMs: 1_200 } },
    )
    const response = await sendRaw(proxied.port, requestBytes('GET /public/a'))
    expect(response?.text).toBe('xxxxxxxx')
  })
})

describe('a pooled connection that the upstream closed', () => {
  /** Answers the first request of a connection, and closes at the second. */
  const oncePerConnection = (close = (socket: Socket) => void socket.resetAndDestroy()) => {
    const used = new WeakSet<Socket>()
    return (socket: Socket) => {
      if (used.has(socket)) close(socket)
      else {
        used.add(socket)
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      }
    }
  }

  test('in an orderly way: the request is asked once more', async () => {
    const { proxied, upstream } = await answering(oncePerConnection((socket) => void socket.end()))
    for (let i = 0; i < 3; i++) expect((await sendRaw(proxied.port, requestBytes('GET /public/a')))?.status).toBe(200)
    expect(upstream.heads).toHaveLength(5)
  })

  test.each(['GET', 'HEAD', 'DELETE'])('%s without a body is asked once more', async (method) => {
    const { proxied, upstream } = await answering(oncePerConnection())
    const key = `X-API-Key: ${proxied.key}`
    expect((await sendRaw(proxied.port, requestBytes('GET /open/a', [key])))?.status).toBe(200)
    const answer = await sendRaw(proxied.port, requestBytes(`${method} /open/b`, [key]), { toHead: method === 'HEAD' })
    expect(answer?.status).toBe(200)
    expect(upstream.heads.map((head) => head.split(' ', 2).join(' '))).toEqual([
      'GET /open/a',
      `${method} /open/b`,
      `${method} /open/b`,
    ])
    expect(proxied.asked).toHaveLength(2)
  })

  test.each([
    ['POST', [], ''],
    ['PUT', ['Content-Length: 2'], 'ab'],
  ])('%s is not', async (method, headers, body) => {
    const { proxied, upstream } = await answering(oncePerConnection())
    const key = `X-API-Key: ${proxied.key}`
    await sendRaw(proxied.port, requestBytes('GET /open/a', [key]))
    expect((await sendRaw(proxied.port, requestBytes(`${method} /open/b`, [key, ...headers], body)))?.status).toBe(502)
    expect(upstream.heads).toHaveLength(2)
  })

  test('a connection that is new and breaks is not asked twice', async () => {
    const { proxied, upstream } = await answering((socket) => socket.resetAndDestroy())
    expect((await sendRaw(proxied.port, requestBytes('GET /public/a')))?.status).toBe(502)
    expect(upstream.heads).toHaveLength(1)
  })
})

describe('a caller that goes', () => {
  test('before the answer: the upstream’s request is given up', async () => {
    let closed = false
    const { proxied, upstream } = await answering((socket) => {
      socket.on('close', () => {
        closed = true
      })
    })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    await until('the request is there', () => upstream.heads.length === 1)
    connection.destroy()
    await until('the upstream connection is closed', () => closed)
    expect(proxied.noted).toEqual([])
  })

  test('in the middle of the answer: the upstream stops', async () => {
    let closed = false
    const { proxied } = await answering((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      const timer = setInterval(() => socket.write('1\r\nx\r\n'), 10)
      socket.on('close', () => {
        clearInterval(timer)
        closed = true
      })
    })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    await connection.bytes(100)
    connection.destroy()
    await until('the upstream connection is closed', () => closed)
    expect(proxied.noted).toEqual([])
  })

  test('in the middle of its body: the upstream does not take half for whole', THREE_TRIALS, async () => {
    const { proxied, upstream } = await echoing({})
    const connection = await connected(proxied)
    connection.send(
      requestBytes('POST /open/a', [`X-API-Key: ${proxied.key}`, 'Transfer-Encoding: chunked'], '5\r\nhello\r\n'),
    )
    await until('the request is there', () => upstream.log.length === 1)
    connection.destroy()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(upstream.log[0]?.complete()).toBe(false)
    expect(proxied.noted).toEqual([])
  })

  test('that does not read: its connection is closed in the end', THREE_TRIALS, async () => {
    const { proxied } = await echoing(
      { answer: (_arrived, response) => void response.end(Buffer.alloc(64 * 1024 * 1024)) },
      { limits: { callerIdleMs: 500 } },
    )
    const connection = await connected(proxied)
    connection.socket.pause()
    connection.send(requestBytes('GET /public/a'))
    const started = awakeMs()
    await awakeFor(1_500)
    connection.socket.resume()
    await connection.ended()
    expect(awakeMs() - started).toBeLessThan(15_000)
    expect(connection.socket.bytesRead).toBeLessThan(64 * 1024 * 1024)
  })
})

describe('an answer that comes before the request is over', () => {
  test('reaches the caller, and the connection closes behind it', THREE_TRIALS, async () => {
    const { proxied } = await echoing(
      {
        take: (_request, response) => {
          response.writeHead(413, { 'content-length': 3, connection: 'close' })
          response.end('big')
        },
      },
      { limits: { drainMs: 300 } },
    )
    const connection = await connected(proxied)
    connection.send(requestBytes('POST /open/a', [`X-API-Key: ${proxied.key}`, 'Content-Length: 100000000']))
    const timer = setInterval(() => connection.send(Buffer.alloc(16_384)), 5)
    const response = await connection.response()
    expect([response.status, response.text, response.header('connection')]).toEqual([413, 'big', 'close'])
    await connection.ended()
    clearInterval(timer)
  })

  test('both go on at the same time, as far as the upstream likes', async () => {
    const { proxied } = await echoing({
      take: (request, response) => {
        response.writeHead(200)
        request.pipe(response)
      },
    })
    const connection = await connected(proxied)
    connection.send(
      requestBytes('POST /open/a', [`X-API-Key: ${proxied.key}`, 'Transfer-Encoding: chunked'], '3\r\none\r\n'),
    )
    let text = ''
    connection.socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    await until('more of the text is there', () => text.includes('one'))
    connection.send('3\r\ntwo\r\n')
    await until('more of the text is there', () => text.includes('two'))
    connection.send('0\r\n\r\n')
    await until('more of the text is there', () => text.endsWith('0\r\n\r\n'))
  })
})

describe('a request that was spent and could not be answered', () => {
  const limits = [{ kind: 'rate', requests: 5, perUs: 3_600_000_000, burst: 5 }] as const

  test.each([
    ['502', (socket: Socket) => void socket.resetAndDestroy(), 'GET /open/a'],
    ['504', () => undefined, 'GET /open/a'],
    ['502', respond(['HTTP/1.1 500 Oh', 'Content-Length: 2'], '{}'), 'GET /workspaces'],
  ])('%s: says what is left of the key’s limits', async (status, onHead, line) => {
    const { proxied } = await answering(onHead, { limits: { firstByteMs: 300 } })
    const key = proxied.put('limited', { limits })
    const response = await sendRaw(proxied.port, requestBytes(line, [`X-API-Key: ${key}`]))
    expect(String(response?.status)).toBe(status)
    expect(response?.header('ratelimit-policy')).toBe('"rate";q=5;w=3600')
    expect(response?.header('ratelimit')).toMatch(/^"rate";r=4;t=\d+$/)
  })
})
