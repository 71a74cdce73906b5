/** Header lines that are no HTTP: whoever reads them first refuses them, and nowhere do they pass for an outage. */
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { sendRaw } from '../support/raw-client.ts'
import { PROXIES, type ProxyName } from './all-shipped.ts'
import { startBetween } from './between.ts'

const LICENSING = join(import.meta.dirname, '../../examples/licensing/manifests')

const { upstream, keyward, proxies, stop } = await startBetween(LICENSING)
const { key } = await keyward.key('licensing/reporting')
afterAll(stop)

const NAMES = ['X(a: v', 'X@Keyward: v', 'X/K: v', '"X": v', 'X\xe9: v', 'X[Keyward]: v']
const VALUES = ['X-A: a\x01b', 'X-A: a\x0bb', 'X-A: a\x7fb']

async function refusalOf(name: ProxyName, line: string) {
  upstream.forget()
  const head = ['GET /v1/customers HTTP/1.1', 'Host: api.licensing.example', `X-API-Key: ${key}`, line]
  const response = await sendRaw(proxies.get(name)?.port ?? 0, [...head, '', ''].join('\r\n'))
  expect(upstream.log).toEqual([])
  return response
}

describe.each(PROXIES)('%s', (name) => {
  test.each([...NAMES, ...VALUES])('%j is 400', async (line) => {
    expect((await refusalOf(name, line))?.status).toBe(400)
  })
})

/** Those that let such lines through to Keyward. */
test.each([
  ...[...NAMES, ...VALUES].map((line) => ['nginx', line] as const),
  ...VALUES.map((line) => ['HAProxy', line] as const),
])('behind %s, %j is refused in the words of Keyward', async (name, line) => {
  const refused = await refusalOf(name, line)
  expect(refused?.header('content-type')).toBe('application/problem+json')
  expect(JSON.parse(refused?.text ?? '')).toEqual({
    type: 'about:blank',
    title: 'Ambiguous request',
    status: 400,
    detail: 'Two servers could read this request differently, or it is of a form that is not answered here.',
    code: 'ambiguous_request',
    requestId: refused?.header('x-request-id'),
  })
})
