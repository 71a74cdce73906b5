/** Stopping: what is under way is answered, callers are told to go, and the end comes in time. */
import { Agent, request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { awakeMs } from '../support/awake.ts'
import type { EchoParts } from '../support/echo-upstream.ts'
import { type Proxied, requestBytes } from '../support/proxied.ts'
import { proxyBench } from '../support/proxy-bench.ts'
import { openRaw } from '../support/raw-client.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const { echoing, connected, clear } = proxyBench()
afterEach(clear)

const later =
  (ms: number): EchoParts['answer'] =>
  (_arrived, response) =>
    void setTimeout(() => response.end('done'), ms)

describe('stopping', () => {
  test('answers what is under way, and says that the connection closes', THREE_TRIALS, async () => {
    const { proxied, upstream } = await echoing({ answer: later(300) })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    await until('the request is there', () => upstream.log.length === 1)
    const stopped = proxied.proxy.stop(5_000)
    const response = await connection.response()
    expect([response.status, response.text, response.header('connection')]).toEqual([200, 'done', 'close'])
    await connection.ended()
    await stopped
    await expect(openRaw(proxied.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('answers a request that comes on an open connection meanwhile', THREE_TRIALS, async () => {
    const { proxied } = await echoing({}, { limits: { stopIdleMs: 4_000 } })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    expect((await connection.response()).header('connection')).toBe('keep-alive')
    const stopped = proxied.proxy.stop(5_000)
    connection.send(requestBytes('GET /public/b') + requestBytes('GET /open/a'))
    const response = await connection.response()
    expect([response.status, response.header('connection')]).toEqual([200, 'close'])
    await connection.ended()
    await stopped
  })

  test('closes idle connections, those that never said a word, and tunnels', THREE_TRIALS, async () => {
    const { proxied } = await echoing({}, { limits: { stopIdleMs: 100 } })
    const [idle, silent, tunnel] = [await connected(proxied), await connected(proxied), await connected(proxied)]
    idle.send(requestBytes('GET /public/a'))
    await idle.response()
    tunnel.send(
      requestBytes('GET /open/ws', [`X-API-Key: ${proxied.key}`, 'Connection: Upgrade', 'Upgrade: websocket']),
    )
    expect((await tunnel.response()).status).toBe(101)
    const started = awakeMs()
    await proxied.proxy.stop(5_000)
    expect(awakeMs() - started).toBeLessThan(1_500)
    await Promise.all([idle, silent, tunnel].map((connection) => connection.ended()))
  })

  test('ends at the deadline, whatever is still under way', THREE_TRIALS, async () => {
    const { proxied, upstream } = await echoing({ take: () => undefined })
    const connection = await connected(proxied)
    connection.send(requestBytes('GET /public/a'))
    await until('the request is there', () => upstream.log.length === 1)
    const started = awakeMs()
    await proxied.proxy.stop(300)
    expect(awakeMs() - started).toBeGreaterThan(250)
    expect(awakeMs() - started).toBeLessThan(1_000)
    await connection.ended()
  })
})

/** One caller that keeps its connection and asks again and again, of the one that is not stopping. */
async function keepAsking(targets: () => Proxied, goOn: () => boolean, count: (answer: 'ok' | 'failed') => void) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  while (goOn()) {
    const { port } = targets()
    await new Promise<void>((resolve) => {
      const asking = request(
        { agent, port, host: '127.0.0.1', path: '/public/a', headers: { host: 'api.test' } },
        (response) => {
          response.resume()
          response.on('end', () => {
            count(response.statusCode === 200 ? 'ok' : 'failed')
            resolve()
          })
          response.on('error', () => {
            count('failed')
            resolve()
          })
        },
      )
      asking.on('error', (error: NodeJS.ErrnoException) => {
        // nobody there is no request lost: a load balancer asks the next one
        if (error.code !== 'ECONNREFUSED') count('failed')
        resolve()
      })
      asking.end()
    })
  }
  agent.destroy()
}

test(
  'under load on kept connections not one request fails while one proxy after the other stops',
  THREE_TRIALS,
  async () => {
    const { upstream, proxied: first } = await echoing({ answer: (_arrived, response) => void response.end('ok') })
    const others = [first]
    const counts = { ok: 0, failed: 0 }
    let goOn = true
    const { startProxied } = await import('../support/proxied.ts')
    const callers = Array.from({ length: 16 }, () =>
      keepAsking(
        () => others.at(-1) ?? first,
        () => goOn,
        (answer) => {
          counts[answer]++
        },
      ),
    )
    for (let round = 0; round < 6; round++) {
      await new Promise((resolve) => setTimeout(resolve, 250))
      const old = others.at(-1)
      others.push(await startProxied(upstream.url))
      await old?.proxy.stop(5_000)
    }
    goOn = false
    await Promise.all(callers)
    await others.at(-1)?.proxy.stop(0)
    expect(counts.failed).toBe(0)
    expect(counts.ok).toBeGreaterThan(100)
  },
)
