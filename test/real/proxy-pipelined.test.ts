/** A request behind which an upgrade or a CONNECT waits: it is served to its end, whatever becomes of the connection. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { awakeFor } from '../support/awake.ts'
import { startEcho } from '../support/echo-upstream.ts'
import { requestBytes } from '../support/proxied.ts'
import { proxyBench } from '../support/proxy-bench.ts'
import type { Started } from '../support/proxy-process.ts'
import { openRaw, sendRaw } from '../support/raw-client.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const { echoing, connected, clear } = proxyBench()
afterEach(clear)

const MIB = 1024 * 1024
const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket']
const CONNECT = 'CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n'
const BEHIND = [
  ['an upgrade', requestBytes('GET /public/ws', UPGRADE)],
  ['a CONNECT', CONNECT],
] as const

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(BEHIND)('behind a request waits %s', (_what, behind) => {
  test('a caller that resets its connection takes nothing else with it', async () => {
    const upstream = await startEcho({
      answer: ({ target }, response) => void (target === '/public/a' && response.end()),
    })
    const child = fork(new URL('../support/proxy-process.ts', import.meta.url), [upstream.url.href])
    try {
      const { port } = (await once(child, 'message'))[0] as Started
      const connection = await openRaw(port)
      connection.send(requestBytes('GET /public/slow') + behind)
      await until('the request is there', () => upstream.log.length === 1)
      connection.socket.resetAndDestroy()
      await pause(200)
      expect(child.exitCode).toBeNull()
      expect((await sendRaw(port, requestBytes('GET /public/a')))?.status).toBe(200)
    } finally {
      child.kill()
      await upstream.stop()
    }
  })

  test('a long answer reaches a caller that rests in the middle of it, and so does the next', async () => {
    const { proxied } = await echoing({ answer: (_arrived, response) => void response.end(Buffer.alloc(20 * MIB)) })
    const connection = await connected(proxied)
    connection.socket.pause()
    connection.send(requestBytes('GET /public/large') + behind)
    await pause(500)
    connection.socket.resume()
    expect((await connection.response()).body.length).toBe(20 * MIB)
    expect((await connection.response()).status).toBe(behind === CONNECT ? 400 : 101)
  })

  test('a caller that rests for good is closed', THREE_TRIALS, async () => {
    const { proxied } = await echoing(
      { answer: (_arrived, response) => void response.end(Buffer.alloc(64 * MIB)) },
      { limits: { callerIdleMs: 300 } },
    )
    const connection = await connected(proxied)
    connection.socket.pause()
    connection.send(requestBytes('GET /public/large') + behind)
    await awakeFor(1_000)
    connection.socket.resume()
    await connection.ended()
    expect(connection.socket.bytesRead).toBeLessThan(64 * MIB)
  })

  test('a caller that goes is noticed at the upstream', async () => {
    let closed = false
    const { proxied, upstream } = await echoing({
      answer: (_arrived, response) => {
        response.on('close', () => {
          closed = true
        })
      },
    })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/slow') + behind)
    await until('the request is there', () => upstream.log.length === 1)
    connection.end()
    await until('the upstream’s request is given up', () => closed)
    await connection.ended()
    expect(upstream.log.map(({ target }) => target)).toEqual(['/public/slow'])
  })
})

test('an answer to an upgrade that is no 101 goes on behind a rest, and ends the connection', async () => {
  const { proxied } = await echoing({
    upgrade: (_arrived, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${20 * MIB}\r\n\r\n`)
      socket.write(Buffer.alloc(20 * MIB))
    },
  })
  const connection = await connected(proxied)
  connection.socket.pause()
  connection.send(requestBytes('GET /public/ws', UPGRADE))
  await pause(300)
  connection.socket.resume()
  expect((await connection.response()).body.length).toBe(20 * MIB)
  await connection.ended()
})

test(
  'an answer to an upgrade that is no 101 and is not read: the connection is closed in the end',
  THREE_TRIALS,
  async () => {
    const { proxied } = await echoing(
      {
        upgrade: (_arrived, socket) => {
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * MIB}\r\n\r\n`)
          socket.write(Buffer.alloc(64 * MIB))
        },
      },
      { limits: { callerIdleMs: 300 } },
    )
    const connection = await connected(proxied)
    connection.socket.pause()
    connection.send(requestBytes('GET /public/ws', UPGRADE))
    await awakeFor(1_000)
    connection.socket.resume()
    await connection.ended()
    expect(connection.socket.bytesRead).toBeLessThan(64 * MIB)
  },
)

test('what a caller sends behind an upgrade while that waits arrives in its order, however much it is', async () => {
  const { proxied } = await echoing({
    answer: (_arrived, response) => void setTimeout(() => response.end('first'), 300),
  })
  const connection = await connected(proxied)
  connection.send(requestBytes('GET /public/slow') + requestBytes('GET /public/ws', UPGRADE))
  const sent = Buffer.from(Array.from({ length: 64 * 1024 }, (_x, i) => `${i};`).join(''))
  await pause(50)
  connection.send(sent.subarray(0, 1000))
  await pause(50)
  connection.send(sent.subarray(1000))
  expect((await connection.response()).text).toBe('first')
  expect((await connection.response()).status).toBe(101)
  expect((await connection.bytes(sent.length)).equals(sent)).toBe(true)
})
