/** Requests that once did harm, each kept for good beside the series that found it. */
import type { Credentials } from './oracle.ts'

export type Found = {
  readonly what: string
  readonly bytes: (credentials: Credentials) => string
  /** What comes back, and what the upstream may see. */
  readonly statuses: readonly number[]
  readonly targets: readonly string[]
}

const head = (start: string, key: string | undefined): string =>
  `${start} HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${key}\r\n`

export const FOUND: readonly Found[] = [
  ...['Content-Length: 0\r\n\r\n', 'Content-Length: 20\r\n\r\nab', 'Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n'].map(
    (body): Found => ({
      what: `a request behind an answer that closes the connection is not carried out: ${JSON.stringify(body)}`,
      bytes: ({ KEY_OK }) =>
        `${head('GET /api/first', KEY_OK)}Expect: 200-ok\r\n\r\n${head('POST /api/orders', KEY_OK)}${body}`,
      statuses: [417],
      targets: [],
    }),
  ),
]
