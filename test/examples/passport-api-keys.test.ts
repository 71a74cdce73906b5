/** examples/passport, asked sentence by sentence of seeds/passport-api-keys.txt: what keys are, and their life. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { upstream } from '../../examples/passport/upstream.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'
import { AT_ONCE_MS, outcome, type RunningExample, soon, startExample } from './example.ts'

const PASSPORT = 'passport.example'

let passport: RunningExample

beforeAll(async () => {
  passport = await startExample({
    name: 'passport',
    upstream,
    spec: {
      accessNamespace: 'shop-eu',
      environment: 'production',
      permissions: ['workspace:read', 'app:read', 'organization:read'],
    },
  })
})
afterAll(() => passport.stop())

const get = (key: string | undefined, path = '/v1/workspaces', host = PASSPORT) => passport.call(path, { key, host })
const works = async (key: string) => outcome(await get(key)) === 200

test('API keys are an authentication method which allow direct access to the API without having to first obtain an OAuth2 access token.', async () => {
  // the first request there is: nothing was asked for before it
  expect(outcome(await get(await passport.key('shop-eu-key')))).toBe(200)
})

test('API keys are not used to generate access tokens but they can be passed directly to any back-end service endpoint which does accept access tokens.', async () => {
  const key = await passport.key('shop-eu-key')
  const paths = [
    '/v1/whoami',
    '/v1/workspaces',
    '/v1/workspaces/ws-1',
    '/v1/apps',
    '/v1/apps/app-1',
    '/v1/organizations',
    '/v1/organizations/org-1',
  ]
  for (const path of paths) {
    // where an access token would stand
    const answer = await passport.call(path, { host: PASSPORT, headers: { authorization: `Bearer ${key}` } })
    expect([path, outcome(answer)]).toEqual([path, 200])
  }
  const exchange = await passport.call('/oauth2/token', { key, host: PASSPORT, method: 'POST' })
  expect(outcome(exchange)).toBe('403 no_route')
})

test('API keys are comprised of an API key ID and a secret (not an Access Key and Secret Key)', async () => {
  const { id, secret, key } = await passport.keyward.key('passport/shop-eu-key')
  expect(id).toMatch(/^kw_prod_[0-9A-Za-z]{12}$/)
  expect(secret).toMatch(/^[0-9A-Za-z]{49}$/)
  expect(key).toBe(`${id}_${secret}`)

  const asTwoFields = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
  expect(outcome(await passport.call('/v1/workspaces', { host: PASSPORT, headers: asTwoFields }))).toBe(200)
  const other = await passport.keyward.key('passport/shop-key')
  const mixed = { authorization: `Basic ${Buffer.from(`${id}:${other.secret}`).toString('base64')}` }
  expect(outcome(await passport.call('/v1/workspaces', { host: PASSPORT, headers: mixed }))).toBe('401 invalid_key')
})

test('Multiple API keys can be created.', async () => {
  const keys = [await passport.newKey('many-1'), await passport.newKey('many-2'), await passport.newKey('many-3')]
  expect(new Set(keys).size).toBe(3)
  expect(await Promise.all(keys.map(works))).toEqual([true, true, true])
})

test('Creating another API key doesn’t revoke other keys like user access keys do.', async () => {
  const first = await passport.newKey('earlier')
  const second = await passport.newKey('later')
  expect([await works(first), await works(second)]).toEqual([true, true])
})

test('If you want to give API keys to two different services, then it is recommended that you generate two different API keys and and give one to each service.', async () => {
  const nameOf = async (key: string) => (await get(key, '/v1/whoami')).json['x-keyward-key-name']
  expect(await nameOf(await passport.newKey('for-billing'))).toBe('passport/for-billing')
  expect(await nameOf(await passport.newKey('for-support'))).toBe('passport/for-support')
})

test('Using that approach, if you want to revoke access to one of the services and not the other, you can simply revoke the API key given to a particular service and no other services will be affected.', async () => {
  const one = await passport.newKey('service-one')
  const other = await passport.newKey('service-other')
  passport.declare('service-one', { state: 'Revoked' })
  await soon('401 key_inactive', () => get(one))
  expect(await works(other)).toBe(true)
})

test('API keys can be created with an expiry date.', async () => {
  const key = await passport.newKey('until-2100', { expiresAt: '2100-01-01T00:00:00Z' })
  expect(await works(key)).toBe(true)
})

test('If so, the API key will become invalid at the date and time specified.', THREE_TRIALS, async () => {
  const expiresAt = Date.now() + 2500
  // an expiry can't be changed: each trial has a key of its own
  const key = await passport.newKey(`short-lived-${expiresAt}`, { expiresAt: new Date(expiresAt).toISOString() })
  // asked over and over: the last yes lies before the moment, the first no behind it, and nothing else changes between
  const answers: { readonly askedAt: number; readonly answeredAt: number; readonly outcome: number | string }[] = []
  while (Date.now() < expiresAt + 500) {
    const askedAt = Date.now()
    answers.push({ askedAt, outcome: outcome(await get(key)), answeredAt: Date.now() })
  }
  const [yes, no] = [answers.filter(({ outcome }) => outcome === 200), answers.filter(({ outcome }) => outcome !== 200)]
  expect(yes.length).toBeGreaterThan(0)
  expect(new Set(no.map(({ outcome }) => outcome))).toEqual(new Set(['401 key_expired']))
  expect(yes.at(-1)?.askedAt).toBeLessThan(expiresAt)
  expect(no[0]?.answeredAt).toBeGreaterThanOrEqual(expiresAt)
})

describe('The expiry date-time cannot be modified once the API key is created.', () => {
  const expiresAt = '2100-01-01T00:00:00Z'
  test.each([
    ['postponed', { expiresAt }, { expiresAt: '2100-01-01T00:00:01Z' }],
    ['brought-forward', { expiresAt }, { expiresAt: '2099-01-01T00:00:00Z' }],
    ['removed', { expiresAt }, {}],
    ['added', {}, { expiresAt }],
  ])('%s', async (name, before, after) => {
    const key = await passport.newKey(`expiry-${name}`, before)
    await passport.refused(
      passport.declare(`expiry-${name}`, { ...after, permissions: ['app:read'] }),
      'spec.expiresAt',
    )
    // of a refused edit nothing is in force
    expect(await works(key)).toBe(true)
  })
})

test('API keys can be revoked at any time, preventing any further use.', async () => {
  const unused = await passport.newKey('revoked-unused')
  passport.declare('revoked-unused', { state: 'Revoked' })
  await soon('401 key_inactive', () => get(unused))

  const suspended = await passport.newKey('revoked-suspended')
  passport.declare('revoked-suspended', { state: 'Suspended' })
  await soon('401 key_inactive', () => get(suspended))
  passport.declare('revoked-suspended', { state: 'Revoked' })

  const removed = await passport.newKey('revoked-by-removal')
  expect(await works(removed)).toBe(true)
  passport.keyward.remove('revoked-by-removal.yaml')
  await until('a key whose manifest is gone is refused', async () => (await get(removed)).status === 401, AT_ONCE_MS)

  const paths = ['/v1/workspaces', '/v1/apps', '/v1/whoami', '/v1/nothing']
  for (const key of [unused, suspended, removed]) {
    const answers = await Promise.all(paths.map((path) => get(key, path)))
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401])
  }
})

test('API keys can be revoked whether or not they have an expiry date set.', async () => {
  for (const [name, expiry] of [
    ['revoked-with', { expiresAt: '2100-01-01T00:00:00Z' }],
    ['revoked-without', {}],
  ] as const) {
    const key = await passport.newKey(name, expiry)
    passport.declare(name, { ...expiry, state: 'Revoked' })
    await soon('401 key_inactive', () => get(key))
  }
})

test('Note that previously created API keys will not be revoked.', async () => {
  const before = passport.keyward.keys().length
  const earlier = await passport.key('shop-eu-key')
  await passport.newKey('one-more')
  expect(await works(earlier)).toBe(true)
  expect(passport.keyward.keys()).toHaveLength(before + 1)
})

test('The newly generated API keys will now be displayed, listed in the API Key ID and Secret fields.', async () => {
  await passport.newKey('displayed')
  expect(passport.keyward.keys().at(-1)).toEqual({
    namespace: 'passport',
    name: 'displayed',
    id: expect.stringMatching(/^kw_prod_[0-9A-Za-z]{12}$/),
    secret: expect.stringMatching(/^[0-9A-Za-z]{49}$/),
    key: expect.stringMatching(/^kw_prod_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/),
  })
})
