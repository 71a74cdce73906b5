/** The upstream's response on its way to the caller: passed on as it comes, or held back whole and cut down. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Allow } from '../core/decide.ts'
import { HeldBody, unfilterable } from './filtered-response.ts'
import { endBehindRequest, type Incoming, isUnread } from './respond.ts'
import { type CallerHead, callerHead, filteredHead, type UpstreamFields } from './response-head.ts'
import type { Shared } from './shared.ts'

export type Relayed = {
  readonly incoming: Incoming
  readonly verdict: Allow
  readonly requestId: string
}

/** What brings the response, and can be made to wait. */
export type Source = { readonly pause: () => void; readonly resume: () => void }

const SMALL_BODY = 4096

/** Its steps give why the response can not be passed on, where it can not. */
export class Relay {
  readonly #shared: Shared
  readonly #relayed: Relayed
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #held: HeldBody | undefined
  #heldFields: UpstreamFields = {}
  #bodyBegun = false
  /** What Content-Length says; NaN: nothing. */
  #length = Number.NaN
  #waitsForDrain = false

  constructor(shared: Shared, relayed: Relayed) {
    this.#shared = shared
    this.#relayed = relayed
    this.#request = relayed.incoming.request
    this.#response = relayed.incoming.response
  }

  /** An answer before the answer. */
  inform(status: number, { link }: UpstreamFields): void {
    if (status !== 103 || link === undefined || this.#relayed.verdict.narrowing?.filter !== undefined) return
    try {
      this.#response.writeEarlyHints({ link: typeof link === 'string' ? link : [...link] })
    } catch {
      // a Link that node does not take for one is a hint less
    }
  }

  begin(status: number, fields: UpstreamFields): string | undefined {
    const filter = this.#relayed.verdict.narrowing?.filter
    if (filter === undefined) {
      this.#length = Number(fields['content-length'])
      this.#writeHead(status, callerHead(fields, status, this.ownHead()))
      return undefined
    }
    if (this.#request.method === 'HEAD') {
      this.#writeHead(status, filteredHead(fields, this.ownHead()))
      return undefined
    }
    const failed = unfilterable(status, fields)
    if (failed !== undefined) return failed
    this.#held = new HeldBody(filter, this.#shared.limits.filterBytes)
    this.#response.once('close', this.#held.release)
    this.#heldFields = fields
    return undefined
  }

  add(chunk: Buffer, source: Source): string | undefined {
    if (this.#held !== undefined) {
      this.#shared.passed(chunk.length)
      return this.#held.add(chunk)
    }
    const whole = !this.#bodyBegun && chunk.length === this.#length && chunk.length <= SMALL_BODY
    this.#bodyBegun = true
    this.#shared.passed(chunk.length)
    if (whole) this.#writeWhole(chunk)
    else if (!this.#response.write(chunk)) this.#wait(source)
    return undefined
  }

  end(): string | undefined {
    if (this.#held !== undefined) {
      const whole = this.#held.end()
      if ('failed' in whole) return whole.failed
      const fields = filteredHead(this.#heldFields, this.ownHead())
      fields.push('content-length', String(whole.body.length))
      this.#response.writeHead(200, fields)
      this.#response.write(whole.body)
    }
    const { incoming } = this.#relayed
    // the connection may have to wait for the rest of the request
    if (isUnread(incoming)) endBehindRequest(incoming, { limits: this.#shared.limits, close: true })
    else this.#response.end()
    return undefined
  }

  /** What only we say in the head of a response. */
  ownHead(): CallerHead {
    const { requestId, verdict, incoming } = this.#relayed
    const closes = !this.#response.shouldKeepAlive || this.#shared.draining() || isUnread(incoming)
    return { requestId, caller: verdict.caller, keepAlive: closes ? undefined : this.#shared.keepAlive }
  }

  #writeHead(status: number, fields: string[]): void {
    this.#response.writeHead(status, fields)
    // node keeps the head back for the first bytes of the body; where none come with it, it goes alone
    queueMicrotask(() => {
      if (!this.#bodyBegun && !this.#response.writableEnded) this.#response.flushHeaders()
    })
  }

  /** Head and body as one text in one write: node would gather three pieces for the kernel to put together. */
  #writeWhole(body: Buffer): void {
    this.#response.write(body.toString('latin1'), 'latin1')
    this.#response.socket?.uncork()
  }

  #wait(source: Source): void {
    source.pause()
    if (this.#waitsForDrain) return
    this.#waitsForDrain = true
    this.#response.on('drain', () => source.resume())
  }
}
