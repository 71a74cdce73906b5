/** The webhooks' HTTP face: what is no AdmissionReview gets no yes, and what fails gets none either. */

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { pause } from '../../src/runtime/pause.ts'
import type { AdmissionRequest, Answer } from '../../src/webhook/admission-request.ts'
import { admissionListener } from '../../src/webhook/serve.ts'
import { until } from '../support/until.ts'

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
/** For what takes long on purpose. */
let patient: Server
type Act = (request: AdmissionRequest, gone: AbortSignal) => Promise<Answer> | Answer
const state: { act: Act; said: string[] } = {
  act: () => ({ allowed: true }),
  said: [],
}

async function serving(deadlineMs: number): Promise<Server> {
  const made = createServer(
    admissionListener({
      endpoints: { '/validate': (request, gone) => state.act(request, gone) },
      deadlineMs,
      pause,
      counted: (endpoint, answer) => state.said.push(`${endpoint} ${answer}`),
      steadyMs: () => 0,
      trouble: (code) => state.said.push(code),
      bounds: { bytes: 1_000_000, values: 1000, bytesOfAll: 1_500_000, requests: 3 },
    }),
  )
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  return made
}

beforeAll(async () => {
  server = await serving(50)
  patient = await serving(30_000)
})

afterAll(() => {
  server.close()
  patient.close()
})

async function send(body: unknown, { path = '/validate?timeout=3s', method = 'POST', to = server } = {}) {
  state.said = []
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await fetch(`http://127.0.0.1:${(to.address() as AddressInfo).port}${path}`, {
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
    ['nobody here can answer', () => Promise.reject(new Trouble('kube_forbidden', 'wait')), 'kube_forbidden'],
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

test('a refusal says whether another try helps', async () => {
  const words = async (error: Error) => {
    state.act = () => Promise.reject(error)
    return (await send(REVIEW)).body.response?.status
  }
  expect(await words(new Trouble('kube_unreachable', 'retry'))).toMatchObject({
    message: 'Keyward could not ask the API server what you may grant, so nothing was changed; try again.',
  })
  for (const [error, code] of [
    [new Trouble('kube_forbidden', 'wait'), 'kube_forbidden'],
    [new Error('hunter2'), 'admission_failed'],
  ] as const) {
    expect(await words(error)).toMatchObject({
      message: `Keyward could not judge this (${code}), so nothing was changed. Trying again will not help: whoever runs Keyward finds this code in the operator's log.`,
    })
  }
})

describe('reviews that come at once', () => {
  const answered = () => {
    const { promise, resolve } = Promise.withResolvers<Answer>()
    state.act = () => promise
    return () => resolve({ allowed: true })
  }
  const statuses = async (bodies: readonly unknown[]) => {
    const answer = answered()
    const all = bodies.map(async (body) => {
      const { status } = await send(body, { to: patient })
      if (status === 503) answer()
      return status
    })
    return (await Promise.all(all)).toSorted()
  }

  test('are so many at most', async () => {
    expect(await statuses(Array(4).fill(REVIEW))).toEqual([200, 200, 200, 503])
    expect((await send(REVIEW, { to: patient })).status, 'and there is room again').toBe(200)
  })

  test('are so large at most, all together', async () => {
    const large = { ...REVIEW, request: { ...REVIEW.request, object: { spec: 'x'.repeat(800_000) } } }
    expect(await statuses([large, large])).toEqual([200, 503])
    expect((await send(large, { to: patient })).status).toBe(200)
  })

  /** Of which no end comes. */
  const stalled = async (bytes: number) => {
    const socket = connect((patient.address() as AddressInfo).port, '127.0.0.1')
    const holder = { said: '', end: () => socket.destroy() }
    socket.on('error', () => {})
    socket.on('data', (data) => {
      holder.said ||= String(data).split('\r\n')[0] ?? ''
    })
    const seen = once(patient, 'request')
    socket.write(`POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes + 1}\r\n\r\n`)
    await seen
    socket.write(Buffer.alloc(bytes, ' '))
    return holder
  }
  const answeredUntil = async (review: object, told: () => boolean) => {
    state.act = () => ({ allowed: true })
    await until('one is told', async () => {
      expect((await send(review, { to: patient })).status).toBe(200)
      return told()
    })
    // and they are not kept out by those who are left either
    for (let i = 0; i < 5; i++) expect((await send(review, { to: patient })).status).toBe(200)
  }

  test('make room where they hold much and come no further: the largest is refused, not the small one', async () => {
    const holders = [await stalled(499_999), await stalled(999_000)]
    const small = { ...REVIEW, request: { ...REVIEW.request, object: { spec: 'x'.repeat(5000) } } }
    await answeredUntil(small, () => holders[1]?.said !== '')
    expect(holders.map(({ said }) => said)).toEqual(['', 'HTTP/1.1 503 Service Unavailable'])
    for (const { end } of holders) end()
  })

  test('make room where they are many and come no further: the oldest is refused', async () => {
    const holders = [await stalled(1), await stalled(1), await stalled(1)]
    await answeredUntil(REVIEW, () => holders[0]?.said !== '')
    expect(holders.map(({ said }) => said)).toEqual(['HTTP/1.1 503 Service Unavailable', '', ''])
    for (const { end } of holders) end()
  })

  test('have to come whole in the time of an answer', async () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const ended = new Promise((resolve) => socket.on('close', () => resolve('closed')))
    socket.on('error', () => {})
    socket.write('POST /validate HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{')
    expect(await ended).toBe('closed')
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
  const by = (userInfo: object) => ({ ...REVIEW, request: { ...request, userInfo } })
  test.each<[string, unknown, number]>([
    ['nothing', '', 400],
    ['no JSON', '{', 400],
    ['no review', {}, 400],
    ['an older review', { ...REVIEW, apiVersion: 'admission.k8s.io/v1beta1' }, 400],
    ['another group', { ...REVIEW, request: { ...request, kind: { group: '', version: 'v1', kind: 'Pod' } } }, 400],
    ['a deletion', { ...REVIEW, request: { ...request, operation: 'DELETE' } }, 400],
    ['a status', { ...REVIEW, request: { ...request, subResource: 'status' } }, 400],
    ['a user name of more than 1 KiB', by({ username: 'x'.repeat(1025) }), 400],
    ['a uid of more than 1 KiB', by({ username: 'ana', uid: 'x'.repeat(1025) }), 400],
    ['a group of more than 1 KiB', by({ username: 'ana', groups: ['x'.repeat(1025)] }), 400],
    ['more than 256 KiB of groups', by({ username: 'ana', groups: Array(300).fill('x'.repeat(1024)) }), 400],
    ['more than 24 KiB of extra fields', by({ username: 'ana', extra: { a: ['x'.repeat(24 * 1024)] } }), 400],
    ['too many values', `[${'[],'.repeat(500)}[]]`, 413],
    ['too much', `"${'x'.repeat(1_000_000)}"`, 413],
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
    ['/validate/', 'POST', 404],
    ['/Validate', 'POST', 404],
    ['/validate', 'GET', 405],
    ['/validate', 'OPTIONS', 405],
  ])('%s by %s', async (path, method, status) => {
    expect((await send(REVIEW, { path, method })).status).toBe(status)
  })
})
