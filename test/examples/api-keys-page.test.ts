/** examples/licensing, asked sentence by sentence of seeds/api-keys-page.txt: what a key may, and where. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { upstream } from '../../examples/licensing/upstream.ts'
import type { Answer } from '../support/ask.ts'
import { outcome, type RunningExample, soon, startExample } from './example.ts'

const PRODUCTION = 'api.licensing.example'
const STAGING = 'staging.licensing.example'
const DEVELOPMENT = 'dev.licensing.example'
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
const post = (key: string, path: string, body: object) =>
  licensing.call(path, { key, host: PRODUCTION, method: 'POST', body })

test('API Keys provide a secure way to authenticate requests to the platform’s public API without requiring a username or password.', async () => {
  const key = await licensing.key('main-website')
  const without = await get(undefined)
  const bearer = await licensing.call('/v1/whoami', {
    host: PRODUCTION,
    headers: { authorization: `Bearer ${key}` },
  })
  const otherSecret = `${key.slice(0, -7)}${key.at(-7) === '0' ? '1' : '0'}${key.slice(-6)}`

  expect(outcome(without)).toBe('401 missing_credential')
  expect(without.headers['www-authenticate']).toBe('Bearer realm="keyward"')
  expect(outcome(await get(otherSecret))).toBe('401 invalid_key')
  expect(outcome(await get(key))).toBe(200)
  expect(outcome(bearer)).toBe(200)
  expect(bearer.json.sawCredential).toBe(false)
  expect(outcome(await get(undefined, '/healthz'))).toBe(200)
})

test('Each key is tightly controlled through environment scoping, granular permissions, and rate limiting to ensure that automation remains secure and predictable.', async () => {
  const key = await licensing.newKey('controlled', {
    permissions: ['customer:read'],
    rateLimit: { requests: 2, per: '1h' },
  })
  const outcomes = [
    outcome(await get(key, '/v1/customers', STAGING)),
    outcome(await post(key, '/v1/telemetry', {})),
    // what was refused has cost nothing of the two
    outcome(await get(key)),
    outcome(await get(key)),
    outcome(await get(key)),
  ]
  expect(outcomes).toEqual(['401 wrong_environment', '403 missing_permission', 200, 200, '429 rate_limited'])
})

describe('API Keys are strictly bound to one of the following environments:', () => {
  const worksOnlyAt = async (name: string, host: string, environment: string) => {
    const key = await licensing.key(name)
    const hosts = [PRODUCTION, STAGING, DEVELOPMENT]
    const answers = await Promise.all(hosts.map((at) => get(key, '/v1/whoami', at)))
    expect(hosts.filter((_, i) => answers[i]?.status === 200)).toEqual([host])
    expect(answers.find(({ status }) => status === 200)?.json['x-keyward-environment']).toBe(environment)
  }

  test('Production: Active for real-world operations.', async () => {
    await worksOnlyAt('main-website', PRODUCTION, 'production')
  })

  test('Staging: Used for testing integrations with realistic data.', async () => {
    await worksOnlyAt('main-website-staging', STAGING, 'staging')
  })

  test('Development: Isolated environment for initial coding and experimentation.', async () => {
    await worksOnlyAt('main-website-development', DEVELOPMENT, 'development')
  })
})

test('Cross-environment access is strictly forbidden by the platform core.', async () => {
  const crossings = [
    ['main-website', STAGING],
    ['main-website', DEVELOPMENT],
    ['main-website-staging', PRODUCTION],
    ['main-website-staging', DEVELOPMENT],
    ['main-website-development', PRODUCTION],
    ['main-website-development', STAGING],
  ] as const
  for (const [name, host] of crossings) {
    const key = await licensing.key(name)
    for (const path of ['/v1/customers', '/v1/licenses', '/v1/whoami', '/v1/nothing']) {
      expect([name, host, path, outcome(await get(key, path, host))]).toEqual([
        name,
        host,
        path,
        '401 wrong_environment',
      ])
    }
  }
})

test('Each key can be assigned a specific set of permissions.', async () => {
  const key = await licensing.newKey('two-of-three', { permissions: ['customer:read', 'telemetry:write'] })
  expect((await get(key, '/v1/whoami')).json['x-keyward-permissions']).toBe('customer:read,telemetry:write')
  expect(outcome(await get(key, '/v1/customers'))).toBe(200)
  expect(outcome(await post(key, '/v1/telemetry', { seats: 3 }))).toBe(202)
  expect(outcome(await get(key, '/v1/licenses'))).toBe('403 missing_permission')
})

test('This follows the principle of least privilege—only granting the exact access needed for a specific integration.', async () => {
  const access = async (name: string) => {
    const key = await licensing.key(name)
    return [
      outcome(await get(key, '/v1/licenses')),
      outcome(await get(key, '/v1/customers')),
      outcome(await post(key, '/v1/telemetry', { seats: 3 })),
    ]
  }
  const no = '403 missing_permission'
  expect(await access('license-desk')).toEqual([200, no, no])
  expect(await access('reporting')).toEqual([no, 200, no])
  expect(await access('telemetry-agent')).toEqual([no, no, 202])
})

test('Select the Environment.', async () => {
  const key = await licensing.newKey('for-staging', { environment: 'staging' })
  expect(key).toMatch(/^kw_stag_/)
  expect(outcome(await get(key, '/v1/customers', STAGING))).toBe(200)

  const none = licensing.declare('for-nowhere', { environment: undefined })
  await licensing.refused(none, 'spec.environment')

  const moved = licensing.declare('for-staging', { environment: 'production' })
  await licensing.refused(moved, 'spec.environment')
  expect(outcome(await get(key, '/v1/customers', PRODUCTION))).toBe('401 wrong_environment')
  expect(outcome(await get(key, '/v1/customers', STAGING))).toBe(200)
})

test('Configure Permissions and Rate Limits.', async () => {
  const key = await licensing.newKey('configured', { permissions: ['customer:read'] })
  expect(outcome(await get(key, '/v1/licenses'))).toBe('403 missing_permission')
  expect((await get(key)).headers['ratelimit-policy']).toBeUndefined()

  licensing.declare('configured', {
    permissions: ['customer:read', 'license:manage'],
    rateLimit: { requests: 600, per: '1m', burst: 60 },
    quota: { requests: 1_000_000, per: 'month' },
  })
  const answer = await soon(200, () => get(key, '/v1/licenses'))
  expect(answer.headers['ratelimit-policy']).toMatch(/^"rate";q=600;w=60, "quota";q=1000000;w=\d+$/)
  expect(answer.headers.ratelimit).toMatch(/^"rate";r=59;t=1, "quota";r=999999;t=\d+$/)
})

test('a quota is an amount per calendar month, and what is used up stays used up', async () => {
  const key = await licensing.newKey('few', { quota: { requests: 2, per: 'month' } })
  const outcomes = [outcome(await get(key)), outcome(await get(key))]
  const refused = await get(key)
  expect([...outcomes, outcome(refused)]).toEqual([200, 200, '429 quota_exhausted'])
  expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(31 * 86_400)
})

test('Ensure the key is being used against the correct environment endpoint (e.g., using a “Staging” key on the “Production” API will fail).', async () => {
  const answer = await get(await licensing.key('main-website-staging'), '/v1/customers', PRODUCTION)
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(answer.json).toEqual({
    type: 'about:blank',
    title: 'API key of another environment',
    status: 401,
    detail: 'This API key is made for another environment than this endpoint.',
    code: 'wrong_environment',
    requestId: answer.headers['x-request-id'],
  })
})

test('If your integration is hitting limits, you may need to increase the threshold in the key’s settings.', async () => {
  const key = await licensing.newKey('busy', { rateLimit: { requests: 2, per: '1m' } })
  const outcomes = [outcome(await get(key)), outcome(await get(key))]
  const refused = await get(key)
  expect([...outcomes, outcome(refused)]).toEqual([200, 200, '429 rate_limited'])
  // two a minute is one in thirty seconds
  expect(refused.headers['retry-after']).toMatch(/^(2\d|30)$/)
  expect(refused.headers['ratelimit-policy']).toBe('"rate";q=2;w=60')
  expect(refused.headers.ratelimit).toBe(`"rate";r=0;t=${refused.headers['retry-after']}`)

  licensing.declare('busy', { rateLimit: { requests: 6000, per: '1m' } })
  await soon(200, () => get(key))
})

test('Permission Denied (403): Ensure the key has the specific permission required for the endpoint you are calling.', async () => {
  const answer = await get(await licensing.key('reporting'), '/v1/licenses')
  expect(answer.status).toBe(403)
  expect(answer.json).toMatchObject({
    code: 'missing_permission',
    permission: 'license:manage',
    detail: 'This API key does not have the permission that this endpoint requires: license:manage.',
  })
})

test('Customers - API keys can be scoped to specific customers for restricted access.', async () => {
  const globex = await licensing.key('globex-portal')
  const all = await licensing.key('reporting')
  const ids = ({ json }: Answer) => (json.items as readonly { id: string }[] | undefined)?.map(({ id }) => id)

  expect(ids(await get(all))).toEqual(['globex', 'initech', 'umbrella'])
  expect(ids(await get(globex))).toEqual(['globex'])
  expect(outcome(await get(globex, '/v1/customers/globex'))).toBe(200)
  expect(outcome(await get(globex, '/v1/customers/initech'))).toBe('403 outside_customer')

  // a route that names no customer is closed to a key that is limited to some
  const desk = await licensing.newKey('globex-desk', { customers: ['globex'] })
  expect(outcome(await get(desk, '/v1/licenses'))).toBe('403 outside_customer')
})
