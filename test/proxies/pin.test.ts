/** A route of a real Envoy that says itself which API and environment it is for: the shipped `context_extensions`. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { startEnvoyGrpc } from '../support/envoy.ts'
import type { ShippedProxy } from '../support/shipped.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'

const LICENSING = join(import.meta.dirname, '../../examples/licensing/manifests')
/** The name in the shipped configuration; no ProtectedApi knows it. */
const PINNED = 'licensing-staging.internal'

let upstream: EchoUpstream
let keyward: Standalone
let envoy: ShippedProxy

const start = (edit?: (text: string) => string) => {
  const checkPort = Number(new URL(keyward.checkUrl).port)
  const ports = { checkPort, grpcPort: checkPort + 1, upstreamPort: upstream.port }
  return startEnvoyGrpc(edit === undefined ? ports : { ...ports, edit })
}

beforeAll(async () => {
  upstream = await startEcho()
  keyward = await startStandalone({ manifests: LICENSING })
  envoy = await start()
})

afterAll(async () => {
  await envoy.stop()
  await keyward.stop()
  await upstream.stop()
})

async function outcome(at: ShippedProxy, host: string, name: string): Promise<string> {
  upstream.forget()
  const { key } = await keyward.key(`licensing/${name}`)
  const answer = await ask(`http://127.0.0.1:${at.port}/v1/customers`, { host, key })
  if (answer.status !== 200) return `${answer.status} ${answer.json.code}`
  return `200 ${upstream.log[0]?.header('x-keyward-environment')}`
}

describe('a route that pins API and environment', () => {
  test('takes the keys of that environment, at a host that no ProtectedApi knows', async () => {
    expect(await outcome(envoy, PINNED, 'main-website-staging')).toBe('200 staging')
  })

  test('refuses the keys of other environments, as their own host would not', async () => {
    expect(await outcome(envoy, PINNED, 'main-website')).toBe('401 wrong_environment')
    expect(await outcome(envoy, PINNED, 'main-website-development')).toBe('401 wrong_environment')
  })

  test('leaves every other route to its Host', async () => {
    expect(await outcome(envoy, 'api.licensing.example', 'main-website')).toBe('200 production')
    expect(await outcome(envoy, 'api.licensing.example', 'main-website-staging')).toBe('401 wrong_environment')
    expect(await outcome(envoy, 'unknown.internal', 'main-website')).toBe('403 unknown_host')
  })

  test('beats the Host where both name an environment', async () => {
    const other = await start((text) => text.replace(`[${PINNED}, "${PINNED}:*"]`, '["dev.licensing.example"]'))
    expect(await outcome(other, 'dev.licensing.example', 'main-website-staging')).toBe('200 staging')
    expect(await outcome(other, 'dev.licensing.example', 'main-website-development')).toBe('401 wrong_environment')
    await other.stop()
  })

  test('to an API or an environment that is not there refuses everybody', async () => {
    for (const [known, unknown] of [
      ['keyward.api: licensing/licensing', 'keyward.api: licensing/gone'],
      ['keyward.environment: staging', 'keyward.environment: preview'],
    ] as const) {
      const other = await start((text) => text.replace(known, unknown))
      expect([unknown, await outcome(other, PINNED, 'main-website-staging')]).toEqual([unknown, '403 unknown_host'])
      await other.stop()
    }
  })

  test('is the word of the configuration alone: no header of a caller changes it', async () => {
    const { key } = await keyward.key('licensing/main-website')
    const headers = {
      'keyward.environment': 'production',
      'x-envoy-original-path': '/',
      'x-forwarded-host': 'api.licensing.example',
    }
    const answer = await ask(`http://127.0.0.1:${envoy.port}/v1/customers`, { host: PINNED, key, headers })
    expect([answer.status, answer.json.code]).toEqual([401, 'wrong_environment'])
  })
})
