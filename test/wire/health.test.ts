/** Port 9090 by a listener of its own: what it tells, and what it does not. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deny } from '../../src/core/denial.ts'
import { health } from '../../src/runtime/health.ts'
import { type Listening, listen } from '../../src/runtime/listen.ts'
import { makeRecentChecks } from '../../src/runtime/recent-checks.ts'
import { aKeyRecord, aRequest, NOON } from '../support/make.ts'

const metrics = { text: async () => 'a_metric 1\n', contentType: 'text/plain; version=0.0.4' }
const recent = makeRecentChecks()
const of: Record<string, Listening> = {}

beforeAll(async () => {
  const verdict = { ...deny('key_inactive', 'the key is suspended'), record: aKeyRecord(), caller: [] }
  recent.keep('http', aRequest({ requestId: 'r-1' }), verdict, NOON)
  const at = { host: '127.0.0.1', port: 0 }
  const missing = () => undefined
  of.authz = await listen(health({ metrics, missing, answered: recent.find }), at)
  of.operator = await listen(health({ metrics, missing }), at)
})
afterAll(() => Promise.all(Object.values(of).map(({ stop }) => stop(0))))

async function get(path: string, who = 'authz', method = 'GET') {
  const answer = await fetch(`http://127.0.0.1:${of[who]?.port}${path}`, { method })
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
}

test('tells what was answered to a request ID', async () => {
  const { status, type, text } = await get('/checks/r-1')
  expect([status, type]).toEqual([200, 'application/json'])
  expect(JSON.parse(text)).toMatchObject({
    checks: [{ requestId: 'r-1', code: 'key_inactive', status: 401, why: 'the key is suspended' }],
  })
})

test.each(['/checks/r-2', '/checks/r-', '/checks/R-1', '/checks/unknown?x=r-1'])(
  '%s is known to nobody',
  async (path) => {
    expect(await get(path)).toEqual({ status: 404, type: 'application/json', text: '{"checks":[]}\n' })
  },
)

test.each(['/checks/', '/checks/r-1/', '/checks/%2e', '/checks/*', `/checks/${'x'.repeat(129)}`])(
  '%s is no request ID',
  async (path) => {
    expect(await get(path)).toEqual({
      status: 400,
      type: 'text/plain',
      text: 'a request ID is 1 to 128 characters of A-Z, a-z, 0-9, ".", "_" and "-"\n',
    })
  },
)

test('nothing lists them, and nobody else knows of any', async () => {
  expect(await get('/checks')).toMatchObject({
    status: 404,
    text: 'not here: /metrics, /livez, /readyz, /checks/{request ID}\n',
  })
  expect(await get('/checks/r-1', 'operator')).toMatchObject({
    status: 404,
    text: 'not here: /metrics, /livez, /readyz\n',
  })
  expect((await get('/checks/r-1', 'authz', 'DELETE')).status).toBe(405)
})

test('goes on telling of metrics and health', async () => {
  expect(await get('/metrics')).toMatchObject({ status: 200, text: 'a_metric 1\n' })
  expect([(await get('/livez')).status, (await get('/readyz')).status]).toEqual([200, 200])
})
