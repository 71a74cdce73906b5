/** Which requests may become a tunnel: a GET without a body that asks for one protocol, and not for another HTTP. */
import type { IncomingMessage } from 'node:http'

const PROTOCOL = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\/[A-Za-z0-9!#$%&'*+.^_`|~-]+)?$/
// h2c would carry requests past us that nobody decides on; TLS and HTTP likewise
const OTHER_HTTP = /^(?:h2c?|h3|http|tls)(?:$|[/-])/i

/** The protocol, or undefined: then the request is answered as the ordinary request that it also is. */
export function upgradeOf({ method, httpVersion, rawHeaders }: IncomingMessage): string | undefined {
  if (method !== 'GET' || httpVersion !== '1.1') return undefined
  let protocol: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase()
    if (name === 'content-length' || name === 'transfer-encoding' || name === 'http2-settings') return undefined
    if (name === 'upgrade') {
      if (protocol !== undefined) return undefined
      protocol = rawHeaders[i + 1] ?? ''
    }
  }
  return protocol !== undefined && PROTOCOL.test(protocol) && !OTHER_HTTP.test(protocol) ? protocol : undefined
}
