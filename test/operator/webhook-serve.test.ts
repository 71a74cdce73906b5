/** The webhooks' HTTP face: what is no AdmissionReview gets no yes, and what fails gets none either. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import type { AdmissionRequest, Answer } from '../../src/webhook/admission-request.ts'
import { admissionListener } from '../../src/webhook/serve.ts'

const REVIEW = {
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'r-1',
    kind: { group: 'keyward.dev', version: 'v1alpha1', kind: 'ApiKey' },
    namespace: 'team-web',
    name: 'main',
    operation: 'CREATE',
    userInfo: { username: 'ana@example.com' },
    object: { spec: { secret: 'hunter2' } },
    oldObject: null,
  },
}

let server: Server
type Act = (request: AdmissionRequest, gone: AbortSignal) => Promise<Answer> | Answer
const state: { act: Act; said: string[] } = {
  act: () => ({ allowed: true }),
  said: [],
}

beforeAll(async () => {
  server = createServer(
    admissionListener({
      endpoints: { '/validate': (request, gone) => state.act(request, gone) },
      deadlineMs: 50,
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      counted: (endpoint, answer) => state.said.push(`${endpoint} ${answer}`),
      steadyMs: () => 0,
      trouble: (code) => state.said.push(code),
    }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(() => server.close())

async function send(body: unknown, { path = '/validate?timeout=3s', method = 'POST' } = {}) {
  state.said = []
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
    method,
    ...(method === 'GET' ? {} : { body: text }),
  })
  return {
    status: answer.status,
    body: (await answer.json()) as { response?: Record<string, unknown>; problem?: string },
  }
}

describe('a review', () => {
  test('is answered under its uid', async () => {
    state.act = () => ({ allowed: true })
    expect(await send(REVIEW)).toEqual({
      status: 200,
      body: { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: 'r-1', allowed: true } },
    })
    expect(state.said).toEqual(['/validate allowed'])
  })

  test('carries a patch in base64', async () => {
    state.act = () => ({ allowed: true, patch: [{ op: 'remove', path: '/a' }] })
    const { response } = (await send(REVIEW)).body
    expect(response).toMatchObject({ patchType: 'JSONPatch' })
    expect(Buffer.from(String(response?.patch), 'base64').toString()).toBe('[{"op":"remove","path":"/a"}]')
  })

  test('is refused with a reason that clients of the API server know', async () => {
    state.act = () => ({ allowed: false, code: 403, message: 'no' })
    expect((await send(REVIEW)).body.response).toMatchObject({
      allowed: false,
      status: { code: 403, reason: 'Forbidden', message: 'no', status: 'Failure' },
    })
  })

  test.each<[string, () => Promise<Answer>, string]>([
    ['can not be asked about', () => Promise.reject(new Trouble('kube_unreachable', 'retry')), 'kube_unreachable'],
    ['meets a defect', () => Promise.reject(new Error('hunter2')), 'admission_failed'],
    ['takes too long', () => new Promise(() => undefined), 'admission_late'],
  ])('that %s is refused, and only a code is told', async (_what, act, code) => {
    state.act = act
    const { status, body } = await send(REVIEW)
    expect([status, body.response?.allowed]).toEqual([200, false])
    expect(body.response?.status).toMatchObject({ code: 503, reason: 'ServiceUnavailable' })
    expect(state.said).toEqual([code, '/validate unavailable'])
    expect(JSON.stringify(body)).not.toContain('hunter2')
  })
})

test('what is still asked for an answer that is too late is told so', async () => {
  let gone: AbortSignal | undefined
  state.act = (_request, signal) => {
    gone = signal
    return new Promise(() => undefined)
  }
  await send(REVIEW)
  expect(gone?.aborted).toBe(true)
})

describe('anything else gets no yes', () => {
  const { request } = REVIEW
  test.each<[string, unknown, number]>([
    ['nothing', '', 400],
    ['no JSON', '{', 400],
    ['no review', {}, 400],
    ['an older review', { ...REVIEW, apiVersion: 'admission.k8s.io/v1beta1' }, 400],
    ['another group', { ...REVIEW, request: { ...request, kind: { group: '', version: 'v1', kind: 'Pod' } } }, 400],
    ['a deletion', { ...REVIEW, request: { ...request, operation: 'DELETE' } }, 400],
    ['a status', { ...REVIEW, request: { ...request, subResource: 'status' } }, 400],
    ['too much', `"${'x'.repeat(7 * 1024 * 1024)}"`, 413],
  ])('%s', async (_what, body, status) => {
    state.act = () => ({ allowed: true })
    const answer = await send(body)
    expect(answer.status).toBe(status)
    expect(answer.body.response).toBeUndefined()
    expect(state.said).toEqual(['/validate bad_request'])
  })

  test.each([
    ['/', 'POST', 404],
    ['/constructor', 'POST', 404],
    ['/validate', 'GET', 405],
  ])('%s by %s', async (path, method, status) => {
    expect((await send(REVIEW, { path, method })).status).toBe(status)
  })
})
