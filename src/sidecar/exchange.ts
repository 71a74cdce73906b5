/** One allowed request: the upstream is asked, and what becomes of it is said to the caller. Nothing in here decides. */
import type { ServerResponse } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Allow, Refusal } from '../core/decide.ts'
import type { CheckRequest } from '../core/request.ts'
import { type Answer, type AnswerKind, answerOf, answerOfRefusal } from './answers.ts'
import { Relay } from './relay.ts'
import { type RequestHead, upstreamHead } from './request-head.ts'
import { give, type Incoming, isUnread } from './respond.ts'
import { callerHead, type UpstreamFields } from './response-head.ts'
import type { Shared } from './shared.ts'
import { openTunnel, otherProtocol, type Tunnel } from './tunnel.ts'
import { Upload } from './upload.ts'
import { codeOf, kindOf } from './upstream.ts'
import type { Watched } from './watch.ts'

export type Allowed = {
  readonly incoming: Incoming
  readonly head: RequestHead
  readonly request: CheckRequest
  readonly verdict: Allow
  readonly forwardedFor: string
  readonly proto: string
  readonly tunnel: Tunnel | undefined
}

const CALLER_GONE = new Error('the caller has gone')
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'QUERY'])
const EVENT_STREAM = /^text\/event-stream(?:$|[\t ;,])/i

export class Exchange implements Dispatcher.DispatchHandler, Watched {
  readonly request: CheckRequest
  endless = false
  place = -1
  readonly #shared: Shared
  readonly #allowed: Allowed
  readonly #response: ServerResponse
  readonly #relay: Relay
  #controller: Dispatcher.DispatchController | undefined
  #upload: Upload | undefined
  /** Nothing more will be said to the caller. */
  #over = false
  /** The upstream has begun to answer. */
  #heard = false
  #retried = false

  constructor(shared: Shared, allowed: Allowed) {
    this.#shared = shared
    this.#allowed = allowed
    const { incoming, verdict, request } = allowed
    this.request = request
    this.#response = incoming.response
    this.#relay = new Relay(shared, { incoming, verdict, requestId: request.requestId })
  }

  start(): void {
    const { incoming } = this.#allowed
    if (incoming.expects === 'continue') this.#response.writeContinue()
    if (incoming.framing.kind !== 'none') this.#upload = new Upload(incoming.request, this.#shared.passed)
    this.#shared.watch.add(this)
    this.#send()
  }

  /** The caller has gone, or sends what is no HTTP. */
  abandon(): void {
    if (this.#over) return
    this.#end()
    this.#controller?.abort(CALLER_GONE)
  }

  /** The caller's connection has been still for too long: whose fault is it? */
  idle(): void {
    const waitsForCaller = isUnread(this.#allowed.incoming) && this.#upload?.isPaused === false
    if (this.#response.writableEnded || this.#response.writableNeedDrain) this.#response.destroy()
    // else it is the upstream that is slow, and there are other clocks for that
    else if (waitsForCaller && !this.#over) this.#fail('request_timeout', 'the body did not go on')
  }

  /** What was allowed no longer is: whatever has not been passed on yet is not. */
  cut(why: string, refusal: Refusal): void {
    if (this.#over) return
    this.#shared.note('cut', this.request.requestId, why)
    this.#stop(answerOfRefusal(refusal, this.request.requestId), true)
  }

  #send(): void {
    const { head, request, verdict, forwardedFor, proto, tunnel } = this.#allowed
    const { narrowing } = verdict
    const headers = upstreamHead(head, {
      forwardedFor,
      proto,
      requestId: request.requestId,
      identity: verdict.upstream,
      filtered: narrowing?.filter !== undefined,
    })
    this.#shared.upstream.pool.dispatch(
      {
        path: narrowing?.target ?? request.target,
        method: request.method as Dispatcher.HttpMethod,
        headers,
        // all that undici asks of a stream is what an upload has
        body: (this.#upload ?? null) as unknown as Readable | null,
        upgrade: tunnel?.protocol ?? null,
      },
      this,
    )
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over) controller.abort(CALLER_GONE)
    else this.#controller = controller
  }

  onResponseStarted(): void {
    this.#heard = true
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, fields: UpstreamFields): void {
    if (this.#over) return
    this.#heard = true
    if (status === 101) controller.abort(new Error('a 101 that nobody asked for'))
    else if (status < 200) this.#relay.inform(status, fields)
    else {
      this.endless = EVENT_STREAM.test(String(fields['content-type']))
      this.#failFilter(this.#relay.begin(status, fields))
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#failFilter(this.#relay.add(chunk, controller))
  }

  onResponseEnd(): void {
    if (this.#over) return
    const failed = this.#relay.end()
    if (failed === undefined) this.#end()
    else this.#failFilter(failed)
  }

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.#over) return
    if (this.#response.headersSent) {
      this.#end()
      this.#shared.note('upstream_lost', this.request.requestId, codeOf(error))
      // the length that was promised can not be kept: only a broken connection tells the caller
      this.#response.destroy()
    } else if (this.#mayRetry(error)) {
      this.#retried = true
      queueMicrotask(() => {
        if (!this.#over) this.#send()
      })
    } else this.#fail(kindOf(error), codeOf(error))
  }

  onRequestUpgrade(_controller: unknown, _status: number, fields: UpstreamFields, upstream: Duplex): void {
    const { tunnel, request } = this.#allowed
    const refused = this.#over || tunnel === undefined ? 'nobody asked for it' : otherProtocol(fields, tunnel)
    if (refused !== undefined || tunnel === undefined) {
      upstream.destroy()
      if (!this.#over) this.#fail('upstream_unavailable', refused ?? '')
      return
    }
    this.#end()
    this.#response.detachSocket(tunnel.connection.socket)
    const head = callerHead(fields, 101, this.#relay.ownHead())
    openTunnel(this.#shared, { tunnel, request, upstream, head })
  }

  #failFilter(why: string | undefined): void {
    if (why === undefined) return
    this.#fail('filter_failed', why, `The list can not be cut down to what this key may see: ${why}.`)
  }

  #fail(kind: AnswerKind, why: string, detail?: string): void {
    const { request, verdict } = this.#allowed
    this.#shared.note(kind, request.requestId, why)
    const answer = answerOf(kind, request.requestId, detail)
    // the request was spent all the same
    this.#stop({ ...answer, fields: [...answer.fields, ...verdict.caller] }, kind === 'request_timeout')
  }

  /** Ends both sides; the answer is for a caller that was not answered yet. */
  #stop(answer: Answer, close: boolean): void {
    this.#end()
    this.#controller?.abort(CALLER_GONE)
    if (this.#response.headersSent) this.#response.destroy()
    else give(this.#allowed.incoming, answer, { limits: this.#shared.limits, close: close || this.#shared.draining() })
  }

  #end(): void {
    this.#over = true
    this.#upload?.destroy()
    this.#shared.watch.remove(this)
  }

  #mayRetry(error: unknown): boolean {
    const { incoming, request, tunnel } = this.#allowed
    return (
      !this.#retried &&
      !this.#heard &&
      tunnel === undefined &&
      incoming.framing.kind === 'none' &&
      IDEMPOTENT.has(request.method) &&
      this.#shared.upstream.wasReused(error)
    )
  }
}
