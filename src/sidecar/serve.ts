/** From a request on the wire to the one question, and from its verdict to an answer or an exchange. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ADAPTERS } from '../core/adapter.ts'
import type { Verdict } from '../core/decide.ts'
import { deny } from '../core/denial.ts'
import { type CheckRequest, usableRequestId } from '../core/request.ts'
import type { Check } from '../enforce/check.ts'
import { type AnswerKind, answerOf, answerOfRefusal } from './answers.ts'
import { callerOf } from './caller-address.ts'
import { Exchange } from './exchange.ts'
import { type BadHead, type Framing, type RequestHead, readRequestHead } from './request-head.ts'
import { give, type Incoming } from './respond.ts'
import type { Shared } from './shared.ts'
import type { Tunnel } from './tunnel.ts'
import type { Turns } from './turns.ts'

export type Serving = Shared & {
  readonly check: Check
  readonly newRequestId: () => string
  readonly trustedHops: number
  readonly turns: Turns
}

export type Arrival = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly expects: Incoming['expects']
  /** The connection serves nothing but this: an upgrade or a CONNECT, answered or not. */
  readonly last: boolean
  readonly tunnel: Tunnel | undefined
}

const NO_BODY: Framing = { kind: 'none' }

export function serve(serving: Serving, arrival: Arrival): void {
  const { request, response, expects, last } = arrival
  const head = readRequestHead(request.rawHeaders)
  const framing = last || 'bad' in head ? NO_BODY : head.framing
  const incoming: Incoming = { request, response, framing, expects }
  const objection = objectionTo(serving, arrival, head)
  if (objection !== undefined || 'bad' in head) {
    const requestId = serving.newRequestId()
    const kind = objection ?? 'bad_request'
    serving.note(kind, requestId, 'bad' in head ? head.bad : '')
    give(incoming, answerOf(kind, requestId), { limits: serving.limits, close: true })
    return
  }
  const { forwardedFor, forwardedProto } = head
  const peer = request.socket.remoteAddress ?? ''
  const caller = callerOf({ peer, forwardedFor, forwardedProto }, serving.trustedHops)
  const asked: CheckRequest = {
    method: request.method ?? '',
    target: request.url ?? '',
    hosts: head.hosts,
    headers: head.seen,
    address: caller.address,
    requestId: usableRequestId(head.requestId) ?? serving.newRequestId(),
    pin: undefined,
    ability: ADAPTERS.ReverseProxy,
  }
  const act = (verdict: Verdict): void => {
    if (response.destroyed) return
    if (verdict.kind !== 'allow') {
      give(incoming, answerOfRefusal(verdict, asked.requestId), {
        limits: serving.limits,
        close: last || serving.draining(),
      })
      return
    }
    const { forwardedFor, proto } = caller
    const { tunnel } = arrival
    const exchange = new Exchange(serving, { incoming, head, request: asked, verdict, forwardedFor, proto, tunnel })
    const turn = serving.turns.at(request.socket)
    if (turn !== undefined) turn.current = exchange
    exchange.start()
  }
  const verdict = serving.check(asked)
  if (!(verdict instanceof Promise)) {
    act(verdict)
    return
  }
  inTime(verdict, serving.limits.checkMs, {
    act,
    fail: (why) => {
      serving.note('unavailable', asked.requestId, why)
      act({ ...deny('unavailable', why), caller: [] })
    },
  })
}

type Then = { readonly act: (verdict: Verdict) => void; readonly fail: (why: string) => void }

/** A check that does not come to an end is not waited for: nobody may pass, and nobody may hang. */
function inTime(verdict: Promise<Verdict>, withinMs: number, { act, fail }: Then): void {
  let late = false
  const timer = setTimeout(() => {
    late = true
    fail('the check did not answer in time')
  }, withinMs)
  const first = (then: () => void) => {
    if (late) return
    clearTimeout(timer)
    then()
  }
  verdict.then(
    (answer) => first(() => act(answer)),
    () => first(() => fail('the check failed')),
  )
}

/** What is wrong with the connection itself, whatever the request asks. */
function objectionTo({ limits }: Serving, arrival: Arrival, head: RequestHead | BadHead): AnswerKind | undefined {
  const { request, expects } = arrival
  // node runs its handlers for HTTP/1.0 and for the impossible HTTP/2.0 as well
  if (request.httpVersion !== '1.1') {
    return request.httpVersionMajor === 1 ? 'bad_request' : 'version_not_supported'
  }
  if (request.rawHeaders.length > 2 * limits.headerLines) return 'head_too_large'
  if ('bad' in head) return 'bad_request'
  return expects === 'other' ? 'expectation_failed' : undefined
}
