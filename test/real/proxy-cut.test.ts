/** A key that stops being good takes everything with it that is still under way. */
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { makeWatch } from '../../src/sidecar/watch.ts'
import type { EchoParts } from '../support/echo-upstream.ts'
import { type Proxied, requestBytes } from '../support/proxied.ts'
import { proxyBench } from '../support/proxy-bench.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const { echoing, connected, clear } = proxyBench()
afterEach(clear)

const dripping =
  (contentType: string, head: Readonly<Record<string, string>> = {}): EchoParts['answer'] =>
  (_arrived, response) => {
    response.writeHead(200, { 'content-type': contentType, ...head })
    drip(response)
  }

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write('{}\n'), 20)
  response.on('close', () => clearInterval(timer))
}

async function streaming(proxied: Proxied, key: string) {
  const connection = await connected(proxied)
  connection.send(requestBytes('GET /open/stream', [`X-API-Key: ${key}`]))
  await until('the stream has begun', () => connection.socket.bytesRead > 100)
  return connection
}

describe('a response that goes on', () => {
  test.each([
    ['lines of JSON', dripping('application/x-ndjson')],
    ['gRPC-Web', dripping('application/grpc-web+proto')],
    ['an event stream, however it is spelled', dripping('Text/Event-Stream')],
    ['a long download', dripping('application/octet-stream', { 'content-length': '1000000' })],
  ])('%s: is cut within the interval, and nobody else’s is', THREE_TRIALS, async (_what, answer) => {
    const { proxied } = await echoing({ answer }, { limits: { recheckMs: 100 } })
    const revoked = await streaming(proxied, proxied.key)
    const other = await streaming(proxied, proxied.put('other'))
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect([revoked.isEnded(), other.isEnded()]).toEqual([false, false])
    proxied.put('good', { state: 'Revoked' })
    await revoked.ended(1_000)
    expect(other.isEnded()).toBe(false)
    expect(proxied.noted).toEqual([{ kind: 'cut', requestId: 'made-1', why: 'key_inactive' }])
  })

  test('is cut at once, where a change is told', THREE_TRIALS, async () => {
    const { proxied } = await echoing({ answer: dripping('application/x-ndjson') })
    const connection = await streaming(proxied, proxied.key)
    proxied.proxy.recheckNow()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(connection.isEnded()).toBe(false)
    proxied.put('good', { state: 'Suspended' })
    proxied.proxy.recheckNow()
    // by itself it would be in five seconds
    await connection.ended(1_500)
  })

  test('is not cut by a limit that is used up', async () => {
    const { proxied } = await echoing({ answer: dripping('application/x-ndjson') }, { limits: { recheckMs: 50 } })
    const once = proxied.put('once', { limits: [{ kind: 'rate', requests: 1, perUs: 3_600_000_000, burst: 1 }] })
    const connection = await streaming(proxied, once)
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(connection.isEnded()).toBe(false)
  })
})

test(
  'a long upload is cut: the caller is told why, and the upstream does not take half for whole',
  THREE_TRIALS,
  async () => {
    let aborted = false
    const { proxied, upstream } = await echoing(
      {
        take: (request) => {
          request.resume()
          request.on('close', () => {
            aborted = !request.complete
          })
        },
      },
      { limits: { recheckMs: 100, drainMs: 200 } },
    )
    const connection = await connected(proxied)
    connection.send(requestBytes('POST /open/a', [`X-API-Key: ${proxied.key}`, 'Content-Length: 100000000']))
    const timer = setInterval(() => connection.send(Buffer.alloc(1_000)), 10)
    await until('the request is there', () => upstream.log.length === 1)
    proxied.put('good', { state: 'Revoked' })
    const response = await connection.response()
    expect([response.status, JSON.parse(response.text).code]).toEqual([401, 'key_inactive'])
    expect([response.header('connection'), response.header('www-authenticate')?.startsWith('Bearer')]).toEqual([
      'close',
      true,
    ])
    await connection.ended()
    clearInterval(timer)
    await until('the upstream’s request is given up', () => aborted)
  },
)

test('a request whose answer is still awaited is refused when its key expires', async () => {
  const { proxied } = await echoing({ answer: () => undefined }, { limits: { recheckMs: 50 } })
  const soon = proxied.put('soon', { expiresAt: Date.now() + 300 })
  const connection = await connected(proxied)
  connection.send(requestBytes('GET /open/a', [`X-API-Key: ${soon}`]))
  const response = await connection.response()
  expect([response.status, JSON.parse(response.text).code]).toEqual([401, 'key_expired'])
})

test('a public route is nobody’s: it goes on', async () => {
  const { proxied } = await echoing(
    { answer: (_arrived, response) => void setTimeout(() => response.end('done'), 300) },
    { limits: { recheckMs: 50 } },
  )
  const connection = await connected(proxied)
  connection.send(requestBytes('GET /public/a', [`X-API-Key: ${proxied.key}`]))
  proxied.put('good', { state: 'Revoked' })
  expect((await connection.response()).text).toBe('done')
})

describe('asking again', () => {
  const asked = {
    method: 'GET',
    target: '/',
    hosts: [],
    headers: [],
    address: undefined,
    requestId: 'r',
    pin: undefined,
    ability: { query: true, filter: true, removal: true },
  } as const
  const watchedWith = (cuts: string[]) => ({
    request: asked,
    endless: false,
    place: -1,
    cut: (why: string) => void cuts.push(why),
  })

  test(
    'without an answer for an interval cuts, however often it was asked; what has ended is not cut',
    THREE_TRIALS,
    async () => {
      const watch = makeWatch(() => new Promise(() => undefined), 50)
      const [cuts, ended]: [string[], string[]] = [[], []]
      const done = watchedWith(ended)
      watch.add(done)
      watch.add(watchedWith(cuts))
      watch.now()
      watch.now()
      expect(cuts).toEqual([])
      watch.remove(done)
      await until('it is cut', () => cuts.length === 1)
      await new Promise((resolve) => setTimeout(resolve, 120))
      expect([cuts, ended]).toEqual([['unanswered'], []])
    },
  )

  test('goes on for what comes after everything has ended', async () => {
    let times = 0
    const watch = makeWatch(() => {
      times++
      return { kind: 'deny', code: 'key_inactive', why: '', caller: [] }
    }, 20)
    for (let round = 1; round <= 3; round++) {
      const cuts: string[] = []
      watch.add(watchedWith(cuts))
      await until('it is cut', () => cuts.length === 1)
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
    expect(times).toBe(3)
  })
})
