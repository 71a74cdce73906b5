/** Keyward killed, hung, not ready, or something else in its place: no proxy lets anybody through. */
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { startAuthz } from '../support/authz.ts'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { startEnvoyGrpc, startEnvoyHttp } from '../support/envoy.ts'
import type { ShippedProxy } from '../support/shipped.ts'
import { newHome, type Standalone, startStandalone } from '../support/standalone.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'
import { PROXIES, type ProxyName, seenOf, startAll, UNAVAILABLE } from './all-shipped.ts'

const LICENSING = join(import.meta.dirname, '../../examples/licensing/manifests')
const HOST = 'api.licensing.example'
/** What the configurations wait for Keyward is 250 ms; the rest is for a machine that is busy. */
const SOON_MS = 2000

let upstream: EchoUpstream
let keyward: Standalone
let key: string

beforeAll(async () => {
  upstream = await startEcho()
  keyward = await startStandalone({ manifests: LICENSING })
  key = (await keyward.key('licensing/reporting')).key
})

afterAll(async () => {
  // a stopped process would not hear that it is to end
  keyward.process.kill('SIGCONT')
  await keyward.kill()
  await upstream.stop()
})

const portsOf = ({ checkUrl }: { readonly checkUrl: string }) => {
  const checkPort = Number(new URL(checkUrl).port)
  return { checkPort, grpcPort: checkPort + 1, upstreamPort: upstream.port }
}

const portOf = (proxies: ReadonlyMap<ProxyName, ShippedProxy>, name: ProxyName): number => proxies.get(name)?.port ?? 0

async function askedOf(port: number, path: string, credential?: string) {
  const began = performance.now()
  const answer = await ask(`http://127.0.0.1:${port}${path}`, { host: HOST, key: credential })
  return { answer, ms: performance.now() - began }
}

/** A caller with a good key, and one who asks for what is public: both get 503 soon, and the upstream hears of neither. */
async function nobodyPasses(port: number): Promise<void> {
  upstream.forget()
  for (const path of ['/v1/customers', '/healthz']) {
    let fastestMs = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 3 && fastestMs >= SOON_MS; tries++) {
      const { answer, ms } = await askedOf(port, path, key)
      expect([path, seenOf(answer)]).toEqual([path, UNAVAILABLE])
      fastestMs = Math.min(fastestMs, ms)
    }
    expect(fastestMs).toBeLessThan(SOON_MS)
  }
  expect(upstream.log).toEqual([])
}

const passesAgain = (port: number) =>
  until(
    'a good key passes again',
    async () => (await askedOf(port, '/v1/customers', key)).answer.status === 200,
    60_000,
  )

describe('behind each proxy, with Keyward', () => {
  let proxies: ReadonlyMap<ProxyName, ShippedProxy>
  beforeAll(async () => {
    proxies = await startAll(portsOf(keyward))
  })
  afterAll(async () => void (await Promise.all([...proxies.values()].map(({ stop }) => stop()))))

  test.each(PROXIES)('up, a good key passes: %s', THREE_TRIALS, async (name) => {
    const { answer } = await askedOf(portOf(proxies, name), '/v1/customers', key)
    expect([answer.status, answer.json]).toMatchObject([200, { method: 'GET', target: '/v1/customers' }])
  })

  test('hung, nobody passes and all are told so soon; once it goes on, all goes on', async () => {
    keyward.process.kill('SIGSTOP')
    try {
      for (const name of PROXIES) await nobodyPasses(portOf(proxies, name))
    } finally {
      keyward.process.kill('SIGCONT')
    }
    for (const name of PROXIES) await passesAgain(portOf(proxies, name))
  })

  // the last of this part: it does not come back
  test('killed, nobody passes and all are told so soon', async () => {
    await keyward.kill()
    for (const name of PROXIES) await nobodyPasses(portOf(proxies, name))
  })
})

test('Keyward not ready: nobody passes', async () => {
  const authz = await startAuthz({ home: newHome(LICENSING), ready: false })
  await until('its check answers', () => ask(`${authz.checkUrl}/check/nginx`).catch(() => undefined))
  const proxies = await startAll(portsOf(authz))
  for (const name of PROXIES) await nobodyPasses(portOf(proxies, name))
  await Promise.all([...proxies.values()].map(({ stop }) => stop()))
  await authz.kill()
})

const NONSENSE = [
  ['a server that answers 500', 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'],
  ['a server that speaks no HTTP', '220 mail.example ESMTP\r\n'],
] as const

test.each(NONSENSE)('%s in the place of Keyward: nobody passes', async (_what, bytes) => {
  const server = await impostor(bytes)
  const { port } = server.address() as { port: number }
  const proxies = await startAll({ checkPort: port, grpcPort: port, upstreamPort: upstream.port })
  for (const name of PROXIES) await nobodyPasses(portOf(proxies, name))
  await Promise.all([...proxies.values()].map(({ stop }) => stop()))
  server.close()
})

function impostor(bytes: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(bytes))
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** For those who would rather be open than down. */
const LET_IN = (text: string) => text.replace('failure_mode_allow: false', 'failure_mode_allow: true')

describe.each([
  ['gRPC', startEnvoyGrpc],
  ['HTTP', startEnvoyHttp],
] as const)('Envoy over %s that was told to let in whom Keyward can not judge', (_wire, start) => {
  test(
    'still refuses whom Keyward refuses: 401, 403, 429; and lets in all others once Keyward is gone',
    THREE_TRIALS,
    async () => {
      const own = await startStandalone({ manifests: LICENSING })
      const [reporting, trial] = [await own.key('licensing/reporting'), await own.key('licensing/trial')]
      const envoy = await start({ ...portsOf(own), edit: LET_IN })
      const statusOf = async (path: string, credential?: string) =>
        (await askedOf(envoy.port, path, credential)).answer.status

      upstream.forget()
      expect(await statusOf('/v1/customers')).toBe(401)
      expect(await statusOf('/v1/licenses', reporting.key)).toBe(403)
      expect(upstream.log).toEqual([])
      const tries: number[] = []
      for (let i = 0; i < 5; i++) tries.push(await statusOf('/v1/customers', trial.key))
      expect(tries).toEqual([200, 200, 200, 429, 429])
      expect(upstream.log.length).toBe(3)

      await own.kill()
      await until('whoever comes is let in', async () => (await statusOf('/v1/customers')) === 200)
      await envoy.stop()
    },
  )
})
