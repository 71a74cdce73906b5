/** What the proxy says for itself: refusals that are no decision, and failures of the upstream. The only such table. */
import { STATUS_CODES } from 'node:http'
import type { Refusal } from '../core/decide.ts'
import { challengeOf, DENIALS, problemOf, statusOf } from '../core/denial.ts'

type Words = { readonly status: number; readonly title: string; readonly detail: string; readonly code?: string }

/** Without a code: about the connection, before anything could be decided. */
export const ANSWERS = {
  bad_request: { status: 400, title: 'Bad request', detail: 'This is not one well-formed HTTP/1.1 request.' },
  request_timeout: { status: 408, title: 'Request timeout', detail: 'The request did not arrive in time.' },
  expectation_failed: { status: 417, title: 'Expectation failed', detail: 'Only 100-continue can be expected.' },
  head_too_large: { status: 431, title: 'Head too large', detail: 'The request has too many or too long headers.' },
  version_not_supported: { status: 505, title: 'Version not supported', detail: 'Only HTTP/1.1 is spoken here.' },
  upstream_unavailable: {
    status: 502,
    title: 'Upstream not available',
    detail: 'The upstream could not be reached, or its answer was not HTTP.',
    code: 'upstream_unavailable',
  },
  upstream_timeout: {
    status: 504,
    title: 'Upstream timeout',
    detail: 'The upstream did not answer in time.',
    code: 'upstream_timeout',
  },
  filter_failed: { ...DENIALS.filter_failed, code: 'filter_failed' },
} as const satisfies Record<string, Words>

export type AnswerKind = keyof typeof ANSWERS

/** A whole answer: its status, its headers but for framing and connection, its body. */
export type Answer = { readonly status: number; readonly fields: readonly string[]; readonly body: string }

/** @param detail instead of the table's, where more can be said */
export function answerOf(kind: AnswerKind, requestId: string, detail?: string): Answer {
  const words: Words = ANSWERS[kind]
  const body = JSON.stringify({
    type: 'about:blank',
    title: words.title,
    status: words.status,
    detail: detail ?? words.detail,
    ...(words.code === undefined ? {} : { code: words.code }),
    requestId,
  })
  return { status: words.status, fields: fieldsOf(requestId), body }
}

/** A refusal as its caller gets it. */
export function answerOfRefusal(refusal: Refusal, requestId: string): Answer {
  const challenge = challengeOf(refusal.code)
  return {
    status: statusOf(refusal.code),
    fields: [
      ...fieldsOf(requestId),
      ...(challenge === undefined ? [] : ['www-authenticate', challenge]),
      ...refusal.caller,
    ],
    body: problemOf(refusal, requestId),
  }
}

const fieldsOf = (requestId: string): readonly string[] => [
  'content-type',
  'application/problem+json',
  'x-request-id',
  requestId,
]

/** The bytes of an answer for a connection that has no response object any more; it closes behind them. */
export function rawAnswer({ status, fields, body }: Answer): string {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`]
  for (let i = 0; i + 1 < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`)
  lines.push('connection: close', `content-length: ${Buffer.byteLength(body)}`, '', body)
  return lines.join('\r\n')
}
