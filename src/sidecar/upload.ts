/** A request's body on its way to undici, which takes a stream and destroys it in the end: it gets this, not the request. */
import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'

/**
 * As much of a stream as undici uses. Destroying it only lets go of the request: destroying the request itself would take
 * the caller's connection with it, and the answer that is still to be given.
 */
export class Upload extends EventEmitter {
  destroyed = false
  /** The upstream takes no more for now. */
  isPaused = true
  readonly #request: IncomingMessage
  readonly #passed: (bytes: number) => void
  readonly #onData = (chunk: Buffer) => {
    this.#passed(chunk.length)
    this.emit('data', chunk)
  }
  readonly #onEnd = () => void this.emit('end')
  readonly #onError = (error: Error) => void this.emit('error', error)

  constructor(request: IncomingMessage, passed: (bytes: number) => void) {
    super()
    this.#request = request
    this.#passed = passed
    // paused first: the data listener would start the flow before anybody listens here
    request.pause()
    request.on('data', this.#onData)
    request.on('end', this.#onEnd)
    request.on('error', this.#onError)
    // undici takes its own error listener away when it is done
    this.on('error', () => undefined)
  }

  pause(): this {
    this.isPaused = true
    this.#request.pause()
    return this
  }

  resume(): this {
    this.isPaused = false
    if (!this.destroyed) this.#request.resume()
    return this
  }

  destroy(): this {
    this.destroyed = true
    // the error listener stays: an error that node has already set out to emit would find nobody and end the process
    this.#request.off('data', this.#onData).off('end', this.#onEnd)
    return this
  }

  /** Only its being there tells undici that this is a stream. */
  pipe(): never {
    throw new Error('an upload is read by its events')
  }
}
