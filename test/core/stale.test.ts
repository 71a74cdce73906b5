import { expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { aKey, anApi, anIndex, aRate, aRequest, NOON } from '../support/make.ts'

const key = aKey({ accessNamespace: 'acme-web-eu' })
const metered = aKey({ limits: [aRate()] })
const ROUTES = [
  { methods: ['GET' as const], path: '/v1/things', permission: 'workspace:read' as const },
  { methods: ['GET' as const], path: '/open', public: true as const },
]

const outcome = (refusedWhenStaleMs: number | undefined, staleMs: number | undefined, request = aRequest({ key })) => {
  const index = {
    ...anIndex({ apis: [anApi({ refusedWhenStaleMs, routes: ROUTES })], keys: [key, metered] }),
    ...(staleMs !== undefined && { staleMs: () => staleMs }),
  }
  const ruling = decide(request, index, NOON)
  return ruling.kind === 'deny' ? ruling.code : ruling.kind
}

test.each([
  ['as old as is allowed', 60_000, 60_000, 'allow'],
  ['older than is allowed', 60_000, 60_001, 'unavailable'],
  ['old where that is served', undefined, 86_400_000, 'allow'],
  ['never old, as a folder is', 60_000, undefined, 'allow'],
])('what is in force is %s', (_what, allowed, age, expected) => {
  expect(outcome(allowed, age)).toBe(expected)
})

test('what would be refused anyway is refused for its own reason, what is public passes, and no limit is spent', () => {
  expect(outcome(1, 2, aRequest())).toBe('missing_credential')
  expect(outcome(1, 2, aRequest({ key: aKey() }))).toBe('invalid_key')
  expect(outcome(1, 2, aRequest({ key, target: '/nowhere' }))).toBe('no_route')
  expect(outcome(1, 2, aRequest({ target: '/open' }))).toBe('allow')
  expect([outcome(1, 1, aRequest({ key: metered })), outcome(1, 2, aRequest({ key: metered }))]).toEqual([
    'metered',
    'unavailable',
  ])
})
