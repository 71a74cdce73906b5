/** Requests to start a mutation from: plain good ones of every kind, beside the filled cases of the corpus. */
import { RAW_CASES } from './cases.ts'
import { fill } from './fill.ts'
import type { Credentials } from './oracle.ts'
import type { Draw } from './seeded.ts'

const HOST = 'Host: api.test\r\n'
const BODY = '{"item":"x","amount":2}'
const CHUNKED = `Transfer-Encoding: chunked\r\n\r\n8\r\n{"item":\r\n4\r\n"x"}\r\n0\r\n\r\n`
const BROWSER =
  'User-Agent: test/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nCookie: a=b; c=d\r\nX-Forwarded-For: 10.0.0.1\r\n' +
  'X-Forwarded-Proto: https\r\nX-Request-Id: abc-123\r\nX-Keyward-Key-Id: kw_prod_AAAAAAAAAAAA\r\nX-Keyward-Permissions: admin:all\r\n'

type Template = (auth: string) => string

/** The credential stands in an `Authorization` or `X-API-Key` line. */
const TEMPLATES: readonly Template[] = [
  (auth) => `GET /api/x HTTP/1.1\r\n${HOST}${auth}\r\n`,
  (auth) => `GET /api/things/1?page=2&sort=a%20b HTTP/1.1\r\n${HOST}${BROWSER}${auth}\r\n`,
  (auth) => `GET /api/caf%C3%A9/%E2%82%AC HTTP/1.1\r\n${auth}${HOST}Connection: close\r\n\r\n`,
  (auth) => `HEAD /api/x HTTP/1.1\r\n${HOST}${auth}\r\n`,
  (auth) => `POST /api/orders HTTP/1.1\r\n${HOST}${auth}Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
  (auth) => `POST /api/orders HTTP/1.1\r\n${HOST}${auth}${CHUNKED}`,
  (auth) => `POST /api/orders HTTP/1.1\r\n${HOST}${auth}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab`,
  (auth) => `DELETE /api/orders/1 HTTP/1.1\r\n${HOST}${auth}${CHUNKED}`,
  (auth) => `GET /public/status HTTP/1.1\r\n${HOST}${auth}\r\n`,
  (auth) => `GET /admin/users HTTP/1.1\r\n${HOST}${auth}\r\n`,
  (auth) => `PUT /admin/users/7 HTTP/1.1\r\n${HOST}${auth}Content-Length: 2\r\n\r\nab`,
  (auth) => `GET /api/workspaces/shop-eu HTTP/1.1\r\n${HOST}${auth}\r\n`,
  (auth) => `GET /api/workspaces/billing-eu HTTP/1.1\r\n${HOST}${auth}\r\n`,
  (auth) =>
    `GET /api/ws HTTP/1.1\r\n${HOST}${auth}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  (auth) => `GET /api/a HTTP/1.1\r\n${HOST}${auth}\r\nGET /api/b HTTP/1.1\r\n${HOST}${auth}\r\n`,
]

const OFTEN = ['KEY_OK', 'KEY_ADMIN', 'KEY_RO', 'KEY_OTHER_NS'] as const

/** A line that presents a key: in one of the three forms, sometimes not at all. */
export function authLine(draw: Draw, credentials: Credentials): string {
  const name = draw.chance(0.8) ? draw.pick(OFTEN) : draw.pick(Object.keys(credentials))
  const key = credentials[name] ?? ''
  const cut = key.lastIndexOf('_')
  switch (draw.below(8)) {
    case 0:
      return ''
    case 1:
      return `Authorization: Basic ${Buffer.from(`${key.slice(0, cut)}:${key.slice(cut + 1)}`).toString('base64')}\r\n`
    case 2:
    case 3:
      return `X-API-Key: ${key}\r\n`
    default:
      return `Authorization: Bearer ${key}\r\n`
  }
}

/** Where a mutation starts; cases above 4 KB are left to their own test, since most of what is mutated there is padding. */
export function makeBases(credentials: Credentials): (draw: Draw) => string {
  const cases = RAW_CASES.map(({ input }) => fill(input, credentials)).filter((text) => text.length < 4096)
  return (draw) => (draw.chance(0.3) ? draw.pick(cases) : draw.pick(TEMPLATES)(authLine(draw, credentials)))
}
