/** What node's parser refuses on the listener of the HTTP check: a refusal that each family of proxies can hand on. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { httpCheck } from '../../src/authz/http-check.ts'
import { unreadableCheck } from '../../src/authz/unreadable-check.ts'
import { deny } from '../../src/core/denial.ts'
import { type Listening, listen } from '../../src/runtime/listen.ts'
import { makeAuthority } from '../support/certificates.ts'
import { sendRaw } from '../support/raw-client.ts'

const SECRET = 'kw_prod_AAAAAAAAAAAA_c2VjcmV0'
const problem = (requestId: string) =>
  `{"type":"about:blank","title":"Ambiguous request","status":400,"detail":"Two servers could read this request differently, or it is of a form that is not answered here.","code":"ambiguous_request","requestId":"${requestId}"}`

const counted: unknown[] = []
let release: () => void
let server: Listening

beforeAll(async () => {
  const parts = {
    check: () =>
      new Promise<never>((_resolve, reject) => {
        release = () => reject(new Error('the check failed'))
      }),
    untold: (...told: readonly unknown[]) => void counted.push(told),
    trustedHops: 0,
    newRequestId: () => 'drawn-id',
    date: () => 'Sun, 22 Nov 2026 12:00:00 GMT',
  }
  server = await listen(httpCheck(parts), { host: '127.0.0.1', port: 0, unreadable: unreadableCheck(parts) })
})

beforeEach(() => {
  counted.length = 0
})

afterAll(() => server.stop(0))

const send = (target: string, ...lines: readonly string[]) =>
  sendRaw(server.port, [`GET ${target} HTTP/1.1`, 'Host: a', `X-API-Key: ${SECRET}`, ...lines, '', ''].join('\r\n'))

describe('a header line that is no HTTP', () => {
  test('in a check of nginx is 403 with the true answer in headers, which nginx hands on', async () => {
    const answer = await send('/check/nginx', 'X-Request-Id: of-nginx', 'X(a: v')
    expect(answer?.status).toBe(403)
    expect(answer?.header('x-keyward-status')).toBe('400')
    expect(answer?.header('x-keyward-problem')).toBe(problem('of-nginx'))
    expect(answer?.header('connection')).toBe('close')
  })

  test('is answered so over HTTP/1.0 too, which nginx speaks unless it is told otherwise', async () => {
    const answer = await sendRaw(server.port, 'GET /check/nginx HTTP/1.0\r\nHost: a\r\nX(a: v\r\n\r\n')
    expect([answer?.status, answer?.header('x-keyward-status')]).toEqual([403, '400'])
  })

  test.each(['/check/forwarded', '/check/envoy/v1/a?b', '/elsewhere'])('in %s is 400', async (target) => {
    const answer = await send(target, 'X-A: a\x01b')
    expect(answer?.status).toBe(400)
    expect(answer?.header('content-type')).toBe('application/problem+json')
    expect(answer?.header('connection')).toBe('close')
    expect([answer?.header('x-keyward-status'), answer?.header('x-keyward-problem')]).toEqual([undefined, undefined])
    expect(answer?.text).toBe(problem('drawn-id'))
  })

  test('is counted, and nothing of the request is repeated', async () => {
    const answer = await send('/check/nginx', `X-Request-Id: ${SECRET} x`, `X(${SECRET}: ${SECRET}`)
    expect(JSON.stringify([answer?.headers, answer?.text])).not.toContain(SECRET)
    expect(answer?.header('x-request-id')).toBe('drawn-id')
    const why = 'header lines that are no HTTP, or too long'
    expect(counted).toEqual([
      ['nginx', { kind: 'deny', code: deny('ambiguous_request', why).code, why, caller: [] }, 'caller'],
    ])
  })

  test('in a HEAD is answered without a body', async () => {
    const answer = await sendRaw(server.port, 'HEAD /check/envoy/ HTTP/1.1\r\nHost: a\r\nX(a: v\r\n\r\n', {
      toHead: true,
    })
    expect([answer?.status, Number(answer?.header('content-length'))]).toEqual([400, problem('drawn-id').length])
  })
})

test('a head that is too long is refused likewise', async () => {
  const answer = await send('/check/nginx', `X-Long: ${'v'.repeat(40_000)}`)
  expect([answer?.status, answer?.header('x-keyward-status')]).toEqual([403, '400'])
})

test('nothing is said in the place of an answer that is under way', async () => {
  const question = 'GET /check/forwarded HTTP/1.1\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /\r\nHost: a\r\n\r\n'
  const socket = connect(server.port, '127.0.0.1')
  let came = ''
  socket.on('data', (data) => {
    came += String(data)
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined)
  socket.write(`${question}GET /check/nginx HTTP/1.1\r\nX(a: v\r\n\r\n`)
  await closed
  release()
  expect(came).toBe('')
})

test('who breaks off in the middle of a head gets no answer', async () => {
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  let came = ''
  socket.on('data', (data) => {
    came += String(data)
  })
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('end', resolve).once('close', resolve))
  socket.end('GET /check/nginx HTTP/1.1\r\nHost: a\r\nX-A')
  await closed
  socket.destroy()
  expect([came, counted]).toEqual(['', []])
})

test('over TLS it is the same, and who speaks no TLS gets no answer', async () => {
  const authority = await makeAuthority()
  const { cert, key } = await authority.issue(['127.0.0.1'])
  const material = { cert: Buffer.from(cert), key: Buffer.from(key), ca: Buffer.from(authority.ca) }
  const options = { ...material, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const
  const tls = { options: () => options, onChange: () => undefined }
  const parts = { newRequestId: () => 'drawn-id', untold: () => undefined, date: () => '' }
  const at = { host: '127.0.0.1', port: 0, unreadable: unreadableCheck(parts) }
  const secure = await listen(() => undefined, at, tls)
  const heard = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      let came = ''
      socket.on('data', (data) => {
        came += String(data)
      })
      socket.on('error', () => undefined)
      socket.once('close', () => resolve(came))
      socket.write('GET /check/nginx HTTP/1.1\r\nHost: a\r\nX(a: v\r\n\r\n')
    })
  const { port } = secure
  const answer = await heard(connectTls({ port, host: '127.0.0.1', ...material }))
  expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
  expect(await heard(connect(port, '127.0.0.1'))).not.toContain('HTTP/1.1')
  await secure.stop(0)
})
