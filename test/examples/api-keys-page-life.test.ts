/** examples/licensing, asked sentence by sentence of seeds/api-keys-page.txt: the life of a key. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { upstream } from '../../examples/licensing/upstream.ts'
import { type Answer, ask } from '../support/ask.ts'
import { startStandalone } from '../support/standalone.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'
import { outcome, type RunningExample, soon, startExample } from './example.ts'

const PRODUCTION = 'api.licensing.example'
const ALL = ['license:manage', 'customer:read', 'telemetry:write']

let licensing: RunningExample

beforeAll(async () => {
  licensing = await startExample({
    name: 'licensing',
    upstream,
    spec: { accessNamespace: 'acme-licensing', environment: 'production', permissions: ALL },
  })
})
afterAll(() => licensing.stop())

const get = (key: string | undefined, path = '/v1/customers', host = PRODUCTION) => licensing.call(path, { key, host })

test('Revocation: If a key is compromised or no longer needed, it can be revoked immediately, cutting off all future access without deleting the historical data associated with it.', async () => {
  const key = await licensing.newKey('compromised')
  expect(outcome(await get(key))).toBe(200)

  const file = licensing.declare('compromised', { state: 'Revoked' })
  await soon('401 key_inactive', () => get(key))

  // the key itself stays, and stays revoked
  licensing.declare('compromised', { state: 'Active' })
  await licensing.refused(file, 'spec.state')
  expect(outcome(await get(key))).toBe('401 key_inactive')
})

test('Give the key a descriptive Name (e.g., “Main Website Integration”).', async () => {
  const key = await licensing.newKey('named', { displayName: 'Main Website Integration' })
  const before = await get(key, '/v1/whoami')
  expect(before.json['x-keyward-key-name']).toBe('licensing/named')

  // the name is for people: another one changes nothing else
  licensing.declare('named', { displayName: 'Shop Integration', permissions: ['customer:read'] })
  await until(
    'the edit is in force',
    async () => (await get(key, '/v1/whoami')).json['x-keyward-permissions'] === 'customer:read',
  )
  expect((await get(key, '/v1/whoami')).json['x-keyward-key-id']).toBe(before.json['x-keyward-key-id'])
})

describe('CRITICAL: Copy your API key immediately.', () => {
  test('For security reasons, the full key is only displayed once.', async () => {
    const home = await startStandalone({ manifests: { 'all.yaml': ONE_KEY } })
    const { id, secret, key } = await home.key('licensing/only')
    await home.stop()
    const again = await startStandalone({ home: home.home })

    expect(key).toBe(`${id}_${secret}`)
    expect((await ask(`${again.checkUrl}/check/envoy/v1/x`, { key, host: 'once.example' })).status).toBe(200)
    expect(again.keys()).toHaveLength(1)
    const kept = readdirSync(home.data).map((file) => readFileSync(join(home.data, file), 'latin1'))
    const metrics = await ask(`${again.adminUrl}/metrics`)
    const said = [...kept, home.output(), again.output(), metrics.text]
    expect(said.filter((text) => text.includes(secret))).toEqual([])
    expect(kept.some((text) => text.includes(id))).toBe(true)
    await again.stop()
  })
})

const ONE_KEY = `
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: acme}
spec: {type: organization}
---
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: once, namespace: licensing}
spec:
  environments: [{name: production, hosts: [once.example]}]
  routes: [{methods: [GET], path: /v1/x, authenticated: true}]
---
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: {name: only, namespace: licensing}
spec: {accessNamespace: acme, environment: production, permissions: ["x:read"]}
`

describe('Regenerate: This action generates a new random string while keeping the same name, permissions, and configuration.', () => {
  const spec = { permissions: ['customer:read'], customers: ['globex'], rateLimit: { requests: 500, per: '1m' } }

  test('The old key will stop working immediately.', async () => {
    const old = await licensing.newKey('exposed', spec)
    const before = await get(old, '/v1/whoami')

    licensing.declare('exposed', { ...spec, regenerate: 1 })
    await soon('401 invalid_key', () => get(old))

    const fresh = await licensing.key('exposed', 2)
    const after = await get(fresh, '/v1/whoami')
    expect(fresh).not.toBe(old)
    expect(fresh.slice(0, 'kw_prod_000000000000'.length)).toBe(old.slice(0, 'kw_prod_000000000000'.length))
    expect(told(after)).toEqual(told(before))
    expect(told(after)).toMatchObject({
      'x-keyward-key-name': 'licensing/exposed',
      'x-keyward-permissions': 'customer:read',
      'x-keyward-customers': 'globex',
    })
    expect(after.headers['ratelimit-policy']).toBe('"rate";q=500;w=60')
  })

  test('with an overlap the old key works on for so long', THREE_TRIALS, async () => {
    // each trial has a key of its own
    const name = `rolling-${Date.now()}`
    const old = await licensing.newKey(name)
    const declared = performance.now()
    licensing.declare(name, { regenerate: 1, overlap: '2s' })
    const fresh = await licensing.key(name, 2)

    expect([outcome(await get(old)), outcome(await get(fresh))]).toEqual([200, 200])
    await until('the old one stops', async () => outcome(await get(old)) === '401 invalid_key')
    expect(performance.now() - declared).toBeGreaterThan(1900)
    expect(outcome(await get(fresh))).toBe(200)
  })
})

const told = ({ json }: Answer) =>
  Object.fromEntries(Object.entries(json).filter(([name]) => name !== 'x-keyward-request-id'))

test('Revoke: Use this to temporarily disable a key without deleting it.', async () => {
  const key = await licensing.newKey('paused')
  expect(outcome(await get(key))).toBe(200)
  licensing.declare('paused', { state: 'Suspended' })
  await soon('401 key_inactive', () => get(key))
  licensing.declare('paused', { state: 'Active' })
  await soon(200, () => get(key))
})

test('Verify that the key is Active and hasn’t Expired.', THREE_TRIALS, async () => {
  const suspended = await licensing.newKey('not-active')
  licensing.declare('not-active', { state: 'Suspended' })
  await soon('401 key_inactive', () => get(suspended))

  const expiresAt = new Date(Date.now() + 2500)
  const short = await licensing.newKey(`short-lived-${expiresAt.getTime()}`, { expiresAt: expiresAt.toISOString() })
  expect(outcome(await get(short))).toBe(200)
  const refused = await until('it has expired', async () => {
    const answer = await get(short)
    return answer.status === 401 ? answer : undefined
  })
  expect(Date.now()).toBeGreaterThanOrEqual(expiresAt.getTime())
  expect(outcome(refused)).toBe('401 key_expired')
  expect(refused.headers['www-authenticate']).toBe('Bearer realm="keyward", error="invalid_token"')
})
