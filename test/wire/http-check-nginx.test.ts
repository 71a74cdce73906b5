/** What nginx's auth_request can not pass on, the answer for its family says in headers. */
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { httpCheck } from '../../src/authz/http-check.ts'
import type { Verdict } from '../../src/core/decide.ts'
import { type Code, DENIALS, deny } from '../../src/core/denial.ts'
import { type Listening, listen } from '../../src/runtime/listen.ts'

let server: Listening
let verdict: Verdict

beforeAll(async () => {
  const parts = {
    check: () => verdict,
    untold: () => undefined,
    trustedHops: 0,
    newRequestId: () => 'drawn-id',
    date: () => 'Sun, 22 Nov 2026 12:00:00 GMT',
  }
  server = await listen(httpCheck(parts), { host: '127.0.0.1', port: 0 })
})

afterAll(() => server.stop(0))

function asked(path: string): Promise<{ readonly header: (name: string) => unknown; readonly body: string }> {
  const headers = {
    host: 'a',
    ...{ 'x-original-method': 'GET', 'x-original-uri': '/' },
    ...{ 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/', 'x-forwarded-host': 'a' },
  }
  return new Promise((resolve, reject) => {
    const sent = request({ port: server.port, host: '127.0.0.1', path, headers }, (response) => {
      let body = ''
      response.setEncoding('latin1').on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () => resolve({ header: (name) => response.headers[name], body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

describe('a refusal for nginx', () => {
  test('says its body in a header, so that nobody has to ask a second time', async () => {
    verdict = { ...deny('missing_permission', 'secret reason'), permission: 'license:manage', caller: [] }
    const answer = await asked('/check/nginx')
    expect(answer.header('x-keyward-status')).toBe('403')
    expect(answer.header('x-keyward-problem')).toBe(
      '{"type":"about:blank","title":"Permission missing","status":403,"detail":"This API key does not have the permission that this endpoint requires: license:manage.","code":"missing_permission","requestId":"drawn-id","permission":"license:manage"}',
    )
  })

  test.each(Object.keys(DENIALS) as readonly Code[])('%s: byte for byte the body, in printable ASCII', async (code) => {
    verdict = { ...deny(code, 'why'), caller: [] }
    const answer = await asked('/check/nginx')
    expect(answer.header('x-keyward-problem')).toBe(answer.body)
    expect(answer.body).toMatch(/^[ -~]+$/)
  })
})

test('no other family gets these headers', async () => {
  verdict = { ...deny('no_route', 'why'), caller: [] }
  for (const path of ['/check/forwarded', '/check/envoy/']) {
    const answer = await asked(path)
    expect([path, answer.header('x-keyward-status'), answer.header('x-keyward-problem')]).toEqual([
      path,
      undefined,
      undefined,
    ])
  }
})
