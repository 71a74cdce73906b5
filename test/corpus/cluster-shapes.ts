/** Cases about what a manifest may say: refused by the API server with the field's name, or stored and harmless. */
import { expect } from 'vitest'
import { type KeyObject, untilReady } from '../support/cluster-keys.ts'
import { runKeyward } from '../support/run-keyward.ts'
import {
  aKey,
  type ClusterCase,
  create,
  EDITOR,
  expectAbsent,
  type Fields,
  KEYS,
  keyInForce,
  MANY,
  messageOf,
  TEAM,
} from './cluster-world.ts'

/** Nothing but this is wrong with the key, and it is refused for it, naming the field. */
const refused =
  (name: string, spec: Fields, ...said: readonly string[]): ClusterCase =>
  async (world) => {
    const answer = await create(world, aKey(name, spec))
    expect([answer.status, messageOf(answer)]).toEqual([422, expect.stringContaining(said[0] ?? '')])
    for (const words of said) expect(messageOf(answer)).toContain(words)
    await expectAbsent(world, name)
  }

/** The same instant in the words of another zone. */
function inZone(at: number, hours: number): string {
  const sign = hours < 0 ? '-' : '+'
  return `${new Date(at + hours * 3_600_000).toISOString().slice(0, 19)}${sign}${String(Math.abs(hours)).padStart(2, '0')}:00`
}

const HOUR_MS = 3_600_000

export const SHAPES: Readonly<Record<string, ClusterCase>> = {
  'CRD-name-long': refused('name-long', { displayName: 'a'.repeat(300) }, 'spec.displayName', '128'),
  'CRD-name-html': async (world) => {
    const displayName = '<img src=x onerror=alert(1)>'
    expect((await create(world, aKey('html', { displayName }))).status).toBe(201)
    const { stdout } = await runKeyward(world.cluster, ['get', 'html', '-n', TEAM])
    expect(stdout).toContain(displayName)
  },
  'CRD-name-bidi': async (world) => {
    const made = await create(world, aKey('bidi', { displayName: 'prod\u202Eyek' }))
    const { uid } = (made.body as KeyObject).metadata
    // an escape in a name is refused by the API server; in the text of an event it is not
    const told = await world.cluster.request('POST', `/apis/events.k8s.io/v1/namespaces/${TEAM}/events`, {
      metadata: { name: 'bidi.1', namespace: TEAM },
      regarding: { apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', name: 'bidi', namespace: TEAM, uid },
      ...{ eventTime: new Date().toISOString().replace('Z', '000Z'), type: 'Warning', reason: 'Told', action: 'Told' },
      ...{ reportingController: 'x.example', reportingInstance: 'x', note: '\u001b[2J\u001b]0;owned\u0007 gone' },
    })
    expect([made.status, told.status]).toEqual([201, 201])
    const { stdout } = await runKeyward(world.cluster, ['get', 'bidi', '-n', TEAM])
    expect(stdout).toContain('prod\\u202eyek')
    expect(stdout).toContain('owned')
    expect([...stdout].filter((one) => one === '\u202e' || (one < ' ' && one !== '\n'))).toEqual([])
  },
  'CRD-env-bad': refused('env-bad', { environment: 'Production' }, 'spec.environment', 'production'),
  'CRD-env-empty': refused('env-empty', { environment: undefined }, 'spec.environment', 'Required'),
  'CRD-expiry-past': async (world) => {
    const answer = await create(world, aKey('past', { expiresAt: '2001-01-01T00:00:00Z' }))
    expect([answer.status, messageOf(answer)]).toEqual([422, expect.stringContaining('it lies in the past')])
    await expectAbsent(world, 'past')
  },
  'CRD-expiry-year-10000': refused('year-10000', { expiresAt: '10000-01-01T00:00:00Z' }, 'spec.expiresAt'),
  'CRD-expiry-leap': refused('leap', { expiresAt: '2016-12-31T23:59:60Z' }, 'spec.expiresAt'),
  'CRD-expiry-tz': async (world) => {
    const now = Date.now()
    // of the first the text looks past, of the second it looks to come
    const later = await create(world, aKey('west', { expiresAt: inZone(now + HOUR_MS, -12) }))
    expect(later.status).toBe(201)
    const over = await create(world, aKey('east', { expiresAt: inZone(now - HOUR_MS, 14) }))
    expect(messageOf(over)).toContain('it lies in the past')
    await untilReady(world.cluster, `${TEAM}/west`, 'AwaitingClaim')
  },
  'CRD-perm-dot-literal': async (world) => {
    await refused('dot', { permissions: ['v1.0:read'] }, 'spec.permissions[0]')(world)
    const { cluster, authz } = world
    await cluster.apply(`apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: dotted, namespace: team}
spec:
  environments: [{name: production, hosts: [dotted.test]}]
  routes: [{methods: [GET], path: /v1.0/x, permission: "thing:read"}]
`)
    const key = await keyInForce(world, 'dotted')
    await authz.comesTo({ key, host: 'dotted.test', path: '/v1.0/x' }, '200')
    expect(await authz.outcome({ key, host: 'dotted.test', path: '/v1X0/x' })).toBe('403 no_route')
  },
  'CRD-perm-10k': refused('many', { permissions: MANY }, 'spec.permissions', '64'),
  'CRD-perm-null': refused('null', { permissions: null }, 'spec.permissions'),
  'CRD-rate-zero': refused('zero', { rateLimit: { requests: 0, per: '1s' } }, 'spec.rateLimit.requests'),
  'CRD-rate-neg': refused('negative', { rateLimit: { requests: -1, per: '1s' } }, 'spec.rateLimit.requests'),
  'CRD-rate-overflow': refused(
    'overflow',
    { rateLimit: { requests: 9007199254740992, per: '1ns' } },
    'spec.rateLimit.requests',
    'spec.rateLimit.per',
  ),
  // there is no limit that nobody wrote: it would come as a surprise to some and be too high for others
  'CRD-rate-absent': async (world) => {
    expect((await create(world, aKey('unlimited'))).status).toBe(201)
    const told = await untilReady(world.cluster, `${TEAM}/unlimited`, 'AwaitingClaim')
    expect(told.status).not.toHaveProperty('limitsSummary')
    const { stdout } = await runKeyward(world.cluster, ['get', 'unlimited', '-n', TEAM])
    expect(stdout).toMatch(/^Rate: +none\nQuota: +none$/m)
  },
  'CRD-unknown-field': async (world) => {
    const object = aKey('unknown', { isAdmin: true, createdBy: 'admin' })
    const strict = await create(world, object)
    expect([strict.status, messageOf(strict)]).toEqual([400, expect.stringContaining('unknown field "spec.isAdmin"')])
    const pruned = await create(world, object, 'Ignore')
    expect(pruned.status).toBe(201)
    expect((pruned.body as { spec: object }).spec).toMatchObject(aKey('unknown').spec)
    expect(JSON.stringify(pruned.body)).not.toMatch(/isAdmin|createdBy/)
  },
  'CRD-dry-run': async (world) => {
    const { cluster } = world
    const input = JSON.stringify(aKey('dry', { delivery: { secretName: 'dry' } }))
    const { status, stderr } = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], { input, as: EDITOR })
    expect([status, stderr]).toEqual([0, ''])
    await expectAbsent(world, 'dry')
    expect((await cluster.request('GET', `/api/v1/namespaces/${TEAM}/secrets/dry`)).status).toBe(404)
    for (const kind of ['mutating', 'validating']) {
      const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/keyward`
      const { webhooks } = (await cluster.request('GET', path)).body as { webhooks: { sideEffects: string }[] }
      expect(new Set(webhooks.map(({ sideEffects }) => sideEffects))).toEqual(new Set(['None']))
    }
    expect((await cluster.request('GET', KEYS)).status).toBe(200)
  },
}
