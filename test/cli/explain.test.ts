import { describe, expect, test } from 'vitest'
import { explain, formatExplanation } from '../../src/cli/explain.ts'
import { decide } from '../../src/core/decide.ts'
import { aKey, anApi, anIndex, aRate, aRequest, NOON } from '../support/make.ts'

const routes = [
  { path: '/healthz', public: true },
  { methods: ['GET'], path: '/v1/licenses', permission: 'license:read' },
  { methods: ['PUT'], path: '/v1/licenses/{id}', permission: 'license:manage' },
] as const

const api = anApi({ routes })
const [host = ''] = api.environments[0]?.hosts ?? []
const key = aKey({ asked: ['license:read'], held: ['license:read'], limits: [aRate()] })
const index = anIndex({ apis: [api], keys: [key] })
const shown = { kind: 'known', record: key.record, treeUnseen: false, cappedUnseen: false } as const
const asked = (method: string, target: string, more = {}) => ({
  method,
  host,
  target,
  headers: [],
  address: undefined,
  now: NOON,
  ...more,
})

describe('explain', () => {
  test('names the row that answers, and the route', () => {
    const explained = explain(index, shown, asked('PUT', '/v1/licenses/7'))
    expect(explained).toMatchObject({
      answer: 'missing_permission',
      status: 403,
      route: 'spec.routes[2] PUT /v1/licenses/{id}',
    })
    expect(explained.rows.at(-1)).toEqual({
      check: 'the permission is held',
      passed: false,
      why: 'license:manage: not among the permissions of the key',
      permission: 'license:manage',
    })
  })

  test.each([
    ['a path that two servers could read differently', 'GET', '/v1/../x', {}, 'ambiguous_path', 400],
    ['a host that nobody serves', 'GET', '/v1/licenses', { host: 'nobody.test' }, 'unknown_host', 403],
    ['a path without a route', 'GET', '/v2', {}, 'no_route', 403],
    ['an allowed request', 'GET', '/v1/licenses', {}, 'allow', 200],
    ['a public route', 'GET', '/healthz', {}, 'allow', 200],
  ])('%s', (_what, method, target, more, answer, status) => {
    expect(explain(index, shown, asked(method, target, more))).toMatchObject({ answer, status })
  })

  test('without a key says what is missing, and a public route needs none', () => {
    expect(explain(index, { kind: 'none' }, asked('GET', '/v1/licenses')).answer).toBe('missing_credential')
    expect(explain(index, { kind: 'none' }, asked('GET', '/healthz')).answer).toBe('allow')
  })

  test('agrees with the decision, request by request', () => {
    for (const method of ['GET', 'PUT', 'POST', 'TRACE', 'OPTIONS']) {
      for (const target of ['/v1/licenses', '/v1/licenses/7', '/v1/licenses/', '/healthz', '/a//b', '/%61']) {
        const ruling = decide(aRequest({ method, target, host, key }), index, NOON)
        const answer = ruling.kind === 'deny' ? ruling.code : 'allow'
        expect([method, target, explain(index, shown, asked(method, target)).answer]).toEqual([method, target, answer])
      }
    }
  })

  test('reads well in a terminal', () => {
    expect(formatExplanation(explain(index, shown, asked('PUT', '/v1/licenses/7')))).toContain(
      'NO  the permission is held: license:manage: not among the permissions of the key',
    )
  })
})
