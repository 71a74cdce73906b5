/** Heads of many and of long lines: what may pass does so whatever is added to it, and what may not costs nothing. */
import { afterAll, describe, expect, test } from 'vitest'
import { type RawResponse, sendRaw } from '../support/raw-client.ts'
import { PROXIES, type ProxyName } from './all-shipped.ts'
import { startBetween } from './between.ts'

/** As many as a key can have, each as long as it can be. */
const PERMISSIONS = Array.from({ length: 63 }, (_, i) => `p:a${i}`.padEnd(128, 'x'))
const CUSTOMERS = Array.from({ length: 64 }, (_, i) => `c${i}`.padEnd(128, 'x'))
/** 4 KiB of ids that a list shows. */
const WORKSPACES = Array.from({ length: 31 }, (_, i) => `w${i}`.padEnd(128, 'x'))

const MANIFEST = `
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: { name: acme }
spec: { type: organization, externalId: org-1 }
---
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: { name: web }
spec: { type: application, parent: acme, externalId: app-1 }
${WORKSPACES.map(
  (externalId, i) => `---
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: { name: workspace-${i} }
spec: { type: workspace, parent: web, externalId: ${externalId} }
`,
).join('')}---
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: { name: api, namespace: team }
spec:
  environments: [{ name: production, hosts: [api.heads.test] }]
  routes:
    - methods: [GET]
      path: /list
      permission: "a:read"
      customersAtUpstream: true
      resource: workspace
      reach: { application: within }
      narrow: { upstream: true }
---
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: { name: long, namespace: team }
spec:
  accessNamespace: web
  environment: production
  permissions: ${JSON.stringify(['a:read', ...PERMISSIONS])}
  customers: ${JSON.stringify(CUSTOMERS)}
  quota: { requests: 1000000, per: month }
`

const { upstream, keyward, proxies, stop } = await startBetween({ 'all.yaml': MANIFEST }, { maxHeadBytes: 256 * 1024 })
const { key } = await keyward.key('team/long')
afterAll(stop)

const send = (port: number, lines: readonly string[], query = ''): Promise<RawResponse | undefined> =>
  sendRaw(
    port,
    [`GET /list${query} HTTP/1.1`, 'Host: api.heads.test', `X-API-Key: ${key}`, ...lines, '', ''].join('\r\n'),
  )

/** What is left of the quota, by Keyward's own proxy; asking takes one. */
async function left(): Promise<number> {
  const response = await send(Number(new URL(keyward.url).port), [])
  return Number(/"quota";r=(\d+)/.exec(response?.header('ratelimit') ?? '')?.[1])
}

/** The answer, what the API heard of it, and what it cost. */
async function outcome(name: ProxyName, lines: readonly string[], query = '') {
  const before = await left()
  upstream.forget()
  const response = await send(proxies.get(name)?.port ?? 0, lines, query)
  const [arrived, ...more] = upstream.log
  expect(more).toEqual([])
  return { status: response?.status ?? 0, arrived, spent: before - (await left()) - 1 }
}

/** Host and the key are two more. */
const lines = (count: number) => Array.from({ length: count - 2 }, (_, i) => `X-Number-${i}: v`)
const bytes = (kib: number) => Array.from({ length: 8 }, (_, i) => `X-Long-${i}: ${'v'.repeat(kib * 128 - 50)}`)

describe.each(PROXIES)('%s', (name) => {
  test.each([
    ['a hundred lines', lines(100)],
    ['24 KiB', bytes(24)],
  ])('%s of a caller arrive, with the longest that Keyward adds', async (_what, sent) => {
    const { status, arrived, spent } = await outcome(name, sent)
    expect([status, spent]).toEqual([200, 1])
    expect(arrived?.header('x-keyward-permissions')).toBe(['a:read', ...PERMISSIONS].join(','))
    expect(arrived?.header('x-keyward-customers')).toBe(CUSTOMERS.join(','))
    expect(arrived?.header('x-keyward-visible')?.split(',')).toHaveLength(WORKSPACES.length)
    for (const line of sent) {
      const [field = '', value] = line.split(': ')
      expect(arrived?.header(field)).toBe(value)
    }
  })

  test.each([
    ...[110, 115, 120, 121, 122, 123, 124, 126, 128, 130, 132, 134, 136, 140, 150, 160, 200, 260, 500].map(
      (count) => [`${count} lines`, lines(count), ''] as const,
    ),
    ...[26, 28, 30, 31, 32, 33, 36, 40, 48, 56, 62, 64, 68, 80, 95, 96, 120].map(
      (kib) => [`${kib} KiB`, bytes(kib), ''] as const,
    ),
    ...[8, 15, 16, 24, 27, 28, 30, 31, 32, 48, 64, 96].map(
      (kib) => [`${kib} KiB of a query`, [], `?q=${'q'.repeat(kib * 1024 - 100)}`] as const,
    ),
  ])('%s pass or are 4xx, and what does not pass costs nothing', async (_what, sent, query) => {
    const { status, arrived, spent } = await outcome(name, sent, query)
    if (status === 200) expect([arrived === undefined, spent]).toEqual([false, 1])
    else {
      expect([400, 414, 431]).toContain(status)
      expect([arrived, spent]).toEqual([undefined, 0])
    }
  })
})
