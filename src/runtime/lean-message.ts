/** A request as node's server hands it out, without the object of headers that nobody here reads: rawHeaders say it all. */
import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** For `createServer`. */
export class LeanMessage extends IncomingMessage {}

// node's own server asks for no more than these, and would have every header worked out for it
Object.defineProperty(LeanMessage.prototype, 'headers', {
  get(this: LeanMessage): IncomingHttpHeaders {
    const { rawHeaders } = this
    const headers: IncomingHttpHeaders = {}
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] ?? ''
      if (name.length !== 6 && name.length !== 14 && name.length !== 17) continue
      const lower = name.toLowerCase()
      if (lower === 'expect' || lower === 'content-length' || lower === 'transfer-encoding') {
        headers[lower] = rawHeaders[i + 1] ?? ''
      }
    }
    return headers
  },
})
