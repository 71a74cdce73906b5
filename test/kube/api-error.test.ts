import { expect, test } from 'vitest'
import { ApiError, refusalFrom } from '../../src/kube/api-error.ts'
import { API_KEYS, EVENTS, keyOf, NAMESPACES, pathOf, SECRETS } from '../../src/kube/objects.ts'

const errorOf = (status: number, body?: unknown, retryAfter?: string) =>
  new ApiError(refusalFrom(status, body, retryAfter))

test.each([
  [404, { reason: 'NotFound' }, 'kube_not_found', 'retry'],
  [409, { reason: 'Conflict' }, 'kube_conflict', 'retry'],
  [409, { reason: 'AlreadyExists' }, 'kube_already_exists', 'retry'],
  [410, {}, 'kube_gone', 'retry'],
  [403, { reason: 'Forbidden' }, 'kube_forbidden', 'wait'],
  [
    403,
    { reason: 'Forbidden', details: { causes: [{ reason: 'NamespaceTerminating' }] } },
    'kube_namespace_terminating',
    'stop',
  ],
  [422, { reason: 'Invalid' }, 'kube_invalid', 'wait'],
  [429, '<html>', 'kube_throttled', 'retry'],
  [503, undefined, 'kube_unavailable', 'retry'],
  [302, undefined, 'kube_refused', 'wait'],
])('%i with %j is %s', (status, body, code, fate) => {
  expect(errorOf(status, body)).toMatchObject({ status, code, fate })
})

test('a refusal names fields and quotes no text of the server', () => {
  const error = errorOf(422, {
    reason: 'Invalid',
    message: 'spec.word: Invalid value: "marked"',
    details: {
      causes: [{ field: 'spec.words[0]', reason: 'FieldValueInvalid', message: 'marked' }, { field: 'a "marked" one' }],
    },
  })
  expect(error.fields).toEqual(['spec.words[0]'])
  expect(`${error.stack} ${String(error.cause)} ${JSON.stringify(error)}`).not.toContain('marked')
})

test('how long to wait comes from the header or from the answer, and is bounded', () => {
  expect(errorOf(429, undefined, '2').retryAfterMs).toBe(2000)
  expect(errorOf(429, { details: { retryAfterSeconds: 3 } }).retryAfterMs).toBe(3000)
  expect(errorOf(429, undefined, '9999999').retryAfterMs).toBe(3_600_000)
  for (const bad of ['', '-1', 'soon', undefined]) expect(errorOf(429, undefined, bad).retryAfterMs).toBeUndefined()
})

test('paths lead to what they name and nowhere else', () => {
  const status = { namespace: 'team', name: 'main', subresource: 'status' }
  expect(pathOf(API_KEYS, status)).toBe('/apis/keyward.dev/v1alpha1/namespaces/team/apikeys/main/status')
  expect(pathOf(API_KEYS, {})).toBe('/apis/keyward.dev/v1alpha1/apikeys')
  expect(pathOf(SECRETS, { namespace: 'team' })).toBe('/api/v1/namespaces/team/secrets')
  expect(pathOf(NAMESPACES, { name: 'team' })).toBe('/api/v1/namespaces/team')
  expect(pathOf(EVENTS, { namespace: 'a b', name: 'x?y#z' })).toBe(
    '/apis/events.k8s.io/v1/namespaces/a%20b/events/x%3Fy%23z',
  )
  for (const name of ['', '.', '..', 'a/status', 'a%2Fstatus'])
    expect(() => pathOf(SECRETS, { namespace: 'team', name })).toThrow(TypeError)
  expect([keyOf({ metadata: { name: 'a', namespace: 'team' } }), keyOf({ metadata: { name: 'a' } })]).toEqual([
    'team/a',
    'a',
  ])
})
