import { expect, test } from 'vitest'
import { type Code, challengeOf, DENIALS, deny, problemOf, statusOf } from '../../src/core/denial.ts'

// as published
const STATUS: Readonly<Record<Code, number>> = {
  ambiguous_path: 400,
  ambiguous_request: 400,
  ambiguous_credential: 400,
  missing_credential: 401,
  invalid_key: 401,
  invalid_token: 401,
  token_expired: 401,
  key_inactive: 401,
  key_expired: 401,
  wrong_environment: 401,
  unknown_host: 403,
  address_not_allowed: 403,
  no_route: 403,
  missing_permission: 403,
  creator_access_lost: 403,
  outside_namespace: 403,
  outside_customer: 403,
  narrowing_unavailable: 403,
  rate_limited: 429,
  quota_exhausted: 429,
  filter_failed: 502,
  unavailable: 503,
}
const CODES = Object.keys(STATUS) as Code[]

test('the table holds the published codes and no other', () => {
  expect(Object.keys(DENIALS).sort()).toEqual([...CODES].sort())
})

test.each(CODES)('%s has its published status', (code) => {
  expect(statusOf(code)).toBe(STATUS[code])
})

test.each(CODES)('%s is told to the caller as a problem, without our reason', (code) => {
  const body: unknown = JSON.parse(problemOf(deny(code, 'an inner reason'), 'request-1'))
  expect(body).toEqual({
    type: 'about:blank',
    title: expect.stringMatching(/^[A-Z][A-Za-z ]+$/),
    status: STATUS[code],
    detail: expect.stringMatching(/^[A-Z].*\.$/),
    code,
    requestId: 'request-1',
  })
})

test('a problem names the permission where one is missing, also in its text', () => {
  const body: unknown = JSON.parse(problemOf({ ...deny('missing_permission', 'x'), permission: 'license:manage' }, 'r'))
  expect(body).toEqual({
    type: 'about:blank',
    title: 'Permission missing',
    status: 403,
    detail: 'This API key does not have the permission that this endpoint requires: license:manage.',
    code: 'missing_permission',
    requestId: 'r',
    permission: 'license:manage',
  })
})

test('what stands in a problem can not break out of it', () => {
  const body: unknown = JSON.parse(problemOf({ ...deny('missing_permission', 'x'), permission: 'a"b\\:\n' }, 'r"'))
  expect(body).toMatchObject({ permission: 'a"b\\:\n', requestId: 'r"' })
})

test.each(CODES)('%s carries a challenge if and only if it is a 401', (code) => {
  const wanted =
    STATUS[code] !== 401
      ? undefined
      : code === 'missing_credential'
        ? 'Bearer realm="keyward"'
        : 'Bearer realm="keyward", error="invalid_token"'
  expect(challengeOf(code)).toBe(wanted)
})

test('nobody can tell from the words whether a key was unknown, replaced or had a wrong secret', () => {
  expect(DENIALS.invalid_key).toEqual({ status: 401, title: 'Invalid API key', detail: 'This API key is not known.' })
})
