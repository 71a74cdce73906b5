/** What only HTTP/2 can say: a Host beside `:authority`. Envoy drops it before anybody could compare the two. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { startEnvoyGrpc, startEnvoyHttp } from '../support/envoy.ts'
import type { ShippedProxy } from '../support/shipped.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { patient } from './fronts/patient.ts'

const ROOT = join(import.meta.dirname, '../..')
const PRODUCTION = 'api.licensing.example'
const STAGING = 'staging.licensing.example'

let upstream: EchoUpstream
let keyward: Standalone

beforeAll(async () => {
  upstream = await startEcho()
  keyward = await startStandalone({ manifests: join(ROOT, 'examples/licensing/manifests') })
})

afterAll(async () => {
  await keyward.stop()
  await upstream.stop()
})

/** The status of a request over HTTP/2. */
function statusOf(port: number, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({ ':method': 'GET', ':path': '/v1/customers', ':scheme': 'http', ...headers })
    stream.on('error', reject)
    stream.on('response', (response) => {
      resolve(Number(response[':status']))
      session.destroy()
    })
    stream.end()
  })
}

describe.each([
  ['envoy-grpc', startEnvoyGrpc],
  ['envoy-http', startEnvoyHttp],
] as const)('%s', (_name, start) => {
  let envoy: ShippedProxy

  beforeAll(async () => {
    const checkPort = Number(new URL(keyward.checkUrl).port)
    const ports = { checkPort, grpcPort: checkPort + 1, upstreamPort: upstream.port }
    envoy = await start({ ...ports, edit: patient })
  })
  afterAll(() => envoy?.stop())

  test.each([
    ['an unknown host', 'elsewhere.example'],
    ['the host of another environment', STAGING],
  ])('a Host beside :authority that is %s decides nothing and does not arrive', async (_what, host) => {
    const { key } = await keyward.key('licensing/main-website')
    upstream.forget()
    expect(await statusOf(envoy.port, { ':authority': PRODUCTION, host, 'x-api-key': key })).toBe(200)
    expect(upstream.log.map(({ header }) => header('host'))).toEqual([PRODUCTION])
  })

  test('nor does the right Host let in whom :authority does not', async () => {
    const { key } = await keyward.key('licensing/main-website')
    upstream.forget()
    expect(await statusOf(envoy.port, { ':authority': STAGING, host: PRODUCTION, 'x-api-key': key })).toBe(401)
    expect(upstream.log).toEqual([])
  })
})

test('the page of Envoy states it', () => {
  expect(readFileSync(join(ROOT, 'docs/integrations/envoy.md'), 'utf8')).toContain('`host-beside-authority`')
})
