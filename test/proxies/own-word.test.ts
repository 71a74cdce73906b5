/** What is a proxy's to say, or Keyward's, nobody else says: not the caller to the API, and not the API to the caller. */
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { fieldValue, type RawResponse, sendRaw } from '../support/raw-client.ts'
import { PROXIES, type ProxyName } from './all-shipped.ts'
import { startBetween } from './between.ts'

const LICENSING = join(import.meta.dirname, '../../examples/licensing/manifests')
const FRONTS = [...PROXIES, 'Keyward'] as const
type FrontName = ProxyName | 'Keyward'

const OF_THE_API = [
  ...['RateLimit', '"of-the-api";r=1;t=1', 'RateLimit-Policy', '"of-the-api";q=1;w=1', 'RateLimit-Limit', '1'],
  ...['RateLimit-Remaining', '1', 'RateLimit-Reset', '1', 'X-Of-The-Api', 'yes'],
]

const { upstream, keyward, proxies, stop } = await startBetween(LICENSING, {
  answer: (_arrived, response) => void response.writeHead(200, OF_THE_API).end('{}'),
})
afterAll(stop)

async function send(front: FrontName, key: string, lines: readonly string[] = []): Promise<RawResponse> {
  upstream.forget()
  const port = front === 'Keyward' ? Number(new URL(keyward.url).port) : proxies.get(front)?.port
  const head = ['GET /v1/customers HTTP/1.1', 'Host: api.licensing.example', `X-API-Key: ${key}`, ...lines]
  const response = await sendRaw(port ?? 0, [...head, '', ''].join('\r\n'))
  if (response === undefined) throw new Error('no answer')
  return response
}

const CLAIMS = [
  // where it comes from
  ...['Forwarded', 'X-Real-IP', 'True-Client-IP', 'Client-IP', 'X-Client-IP', 'X-Cluster-Client-IP', 'X-Remote-IP'],
  ...['X-Remote-Addr', 'X-Originating-IP', 'CF-Connecting-IP', 'CF-Connecting-IPv6', 'CF-Pseudo-IPv4'],
  ...['Fastly-Client-IP', 'Fly-Client-IP', 'X-AppEngine-User-IP', 'X-Azure-ClientIP', 'X-Forwarded-Client-Cert'],
  // what it asked
  ...['X-Rewrite-URL', 'X-Rewrite-URI', 'X-Original-URL', 'X-Original-URI', 'X-Original-Host', 'X-Original-Method'],
  ...['X-HTTP-Host-Override', 'X-Host', 'X-URL-Scheme', 'X-Forwarded', 'X-Forwarded-By', 'X-Forwarded-Method'],
  ...['X-Forwarded-Port', 'X-Forwarded-Prefix', 'X-Forwarded-Scheme', 'X-Forwarded-Server', 'X-Forwarded-Ssl'],
  ...['X-Forwarded-Uri', 'X-Envoy-Original-Path', 'X-Envoy-External-Address'],
  'Proxy',
]

describe.each(FRONTS)('%s', (front) => {
  test.each(CLAIMS)('%s of a caller does not arrive at the API', async (name) => {
    const { key } = await keyward.key('licensing/reporting')
    const response = await send(front, key, [`${name}: /of-the-caller`, 'X-Of-The-Caller: yes'])
    expect(response.status).toBe(200)
    const [arrived] = upstream.log
    expect(arrived?.header('x-of-the-caller')).toBe('yes')
    expect(arrived?.header(name) ?? '').not.toContain('/of-the-caller')
  })

  test('a caller learns the limits of its key, and none of the API’s own', async () => {
    const { headers } = await send(front, (await keyward.key('licensing/main-website')).key)
    expect(fieldValue(headers, 'ratelimit')).toMatch(/^"rate";r=\d+;t=\d+, "quota";r=\d+;t=\d+$/)
    expect(fieldValue(headers, 'ratelimit-policy')).toMatch(/^"rate";q=600;w=60, "quota";q=1000000;w=\d+$/)
    expect(fieldValue(headers, 'x-of-the-api')).toBe('yes')
    expect(headers.filter((text) => /^ratelimit-(?!policy)/i.test(text))).toEqual([])
  })

  test('a caller without limits learns of none', async () => {
    const { headers } = await send(front, (await keyward.key('licensing/reporting')).key)
    expect(headers.filter((text) => /^ratelimit/i.test(text))).toEqual([])
  })
})
