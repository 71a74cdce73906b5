/**
 * The HTTP check asked as a proxy of each family asks it, and what such a proxy does with the answer. No proxy runs here:
 * these are emulations, of nothing more than what the documentation of each says of its question and of the answer.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { fieldValue, type RawResponse, sendRaw } from '../../support/raw-client.ts'
import { type Behind, bytesOf, type Front, type FrontName, type Got, type Sent } from './front.ts'

type Emulation = {
  readonly name: FrontName
  /** What is asked, as bytes. */
  readonly question: (request: Sent) => string
  readonly statusOf: (answer: RawResponse) => number
  /** Whether a header of an allowing answer replaces the caller's. */
  readonly takes: (lowerCase: string) => boolean
  /** Caller's headers that do not go on, of those that it passes. */
  readonly drops: (lowerCase: string, answer: RawResponse) => boolean
  readonly passes: (headers: readonly string[]) => readonly (readonly [string, string])[]
  /** Whether a header of an allowing answer goes to the caller. */
  readonly tells: (lowerCase: string) => boolean
  /** Whether the proxy answers 400 itself. */
  readonly refuses: (request: Sent) => boolean
}

const OF_A_CONNECTION = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'transfer-encoding',
]
const CALLER = '127.0.0.1'

const pairs = (flat: readonly string[]): readonly (readonly [string, string])[] =>
  flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []))

const lines = (flat: readonly (readonly [string, string])[]): readonly string[] =>
  flat.map(([name, value]) => `${name}: ${value}`)

/** What a proxy hands on of its caller's headers: nothing that belongs to the connection, by itself or because it is named there. */
function endToEnd(headers: readonly string[]): readonly (readonly [string, string])[] {
  const named = (fieldValue(headers, 'connection') ?? '').toLowerCase().split(/[\s,]+/)
  return pairs(headers).filter(([name]) => !isOfAConnection(name) && !named.includes(name.toLowerCase()))
}

const isOfAConnection = (name: string): boolean => OF_A_CONNECTION.includes(name.toLowerCase())

const others = (headers: readonly string[], ...own: readonly string[]) =>
  endToEnd(headers).filter(([name]) => !own.includes(name.toLowerCase()))

const request = (...head: readonly string[]): string => `${head.join('\r\n')}\r\n\r\n`

const isIdentity = (name: string): boolean => name.startsWith('x-keyward-')
const isForCallers = (name: string): boolean => name.startsWith('ratelimit') || name === 'x-request-id'
const isCredential = (name: string): boolean => name === 'authorization' || name === 'x-api-key'

/** ext_authz over HTTP: the caller's method, path and query behind a prefix. */
const ENVOY: Emulation = {
  name: 'asked-as-envoy',
  question: ({ method, target, host, headers }) =>
    request(
      `${method} /check/envoy${target} HTTP/1.1`,
      `Host: ${host}`,
      ...lines(others(headers, 'x-forwarded-for')),
      `X-Forwarded-For: ${[fieldValue(headers, 'x-forwarded-for'), CALLER].filter((one) => one !== undefined).join(', ')}`,
      'Content-Length: 0',
    ),
  statusOf: ({ status }) => status,
  takes: isIdentity,
  // the answer says what is to be removed
  drops: (name, answer) => (answer.header('x-envoy-auth-headers-to-remove') ?? '').split(',').includes(name),
  passes: endToEnd,
  tells: isForCallers,
  refuses: () => false,
}

/** auth_request: a GET with all of the caller's headers, and only 401 and 403 are passed on. */
const NGINX: Emulation = {
  name: 'asked-as-nginx',
  question: ({ method, target, host, headers }) =>
    request(
      'GET /check/nginx HTTP/1.1',
      `Host: ${host}`,
      ...lines(others(headers, 'x-original-method', 'x-original-uri', 'x-real-ip')),
      ...[`X-Original-Method: ${method}`, `X-Original-URI: ${target}`, `X-Real-IP: ${CALLER}`],
    ),
  statusOf: (answer) => Number(answer.header('x-keyward-status') ?? answer.status),
  takes: isIdentity,
  drops: isCredential,
  passes: endToEnd,
  tells: isForCallers,
  refuses: () => false,
}

type TraefikDynamic = {
  readonly http: {
    readonly middlewares: {
      readonly keyward: { readonly forwardAuth: { readonly authResponseHeaders: readonly string[] } }
      readonly 'keyward-strip': { readonly headers: { readonly customRequestHeaders: Readonly<Record<string, ''>> } }
    }
  }
}

/** The middlewares of the shipped configuration, as far as they are emulated. */
function shippedMiddlewares(): { readonly copied: readonly string[]; readonly dropped: readonly string[] } {
  const file = join(import.meta.dirname, '../../../examples/traefik/dynamic.yaml')
  const { middlewares } = (load(readFileSync(file, 'utf8')) as TraefikDynamic).http
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase())
  return {
    copied: lower(middlewares.keyward.forwardAuth.authResponseHeaders),
    dropped: lower(Object.keys(middlewares['keyward-strip'].headers.customRequestHeaders)),
  }
}

const { copied, dropped } = shippedMiddlewares()

/**
 * forwardAuth as Traefik documents it, with the middlewares that are shipped: a GET with all of the caller's headers but those of
 * the connection, its X-Forwarded-* replaced by Traefik's own; any answer but 2xx goes to the caller as it is; what is listed as
 * authResponseHeaders replaces the caller's, and nothing of an allowing answer goes to the caller.
 */
const TRAEFIK: Emulation = {
  name: 'traefik',
  question: ({ method, target, host, headers }) =>
    request(
      'GET /check/forwarded HTTP/1.1',
      'Host: keyward-authz:9000',
      ...lines(endToEnd(headers).filter(([name]) => !name.toLowerCase().startsWith('x-forwarded-'))),
      ...[`X-Forwarded-Method: ${method}`, 'X-Forwarded-Proto: http', `X-Forwarded-Host: ${host}`],
      ...[`X-Forwarded-Uri: ${target}`, `X-Forwarded-For: ${CALLER}`],
    ),
  statusOf: ({ status }) => status,
  takes: (name) => copied.includes(name),
  drops: (name) => copied.includes(name) || dropped.includes(name),
  // customRequestHeaders take Connection away before anybody reads it
  passes: dropped.includes('connection')
    ? (headers) => pairs(headers).filter(([name]) => !isOfAConnection(name))
    : endToEnd,
  tells: () => false,
  // as every server on the net/http of Go does
  refuses: ({ headers }) => fieldValue(headers, 'host') !== undefined,
}

/** Hop-by-hop fields and those that are between the proxy and Keyward. */
const NOT_FOR_CALLERS = /^(?:connection|keep-alive|x-keyward-.*|x-envoy-.*)$/i

const emulate =
  (emulation: Emulation) =>
  (behind: Behind): Front => ({
    name: emulation.name,
    send: (sent) => sendThrough(emulation, behind, sent),
    stop: async () => undefined,
  })

const REFUSED: Got = { status: 400, headers: [], body: '400 Bad Request', seen: [] }

async function sendThrough(emulation: Emulation, { upstream, checkPort }: Behind, sent: Sent): Promise<Got> {
  if (emulation.refuses(sent)) return REFUSED
  const answer = await sendRaw(checkPort, emulation.question(sent), {
    toHead: sent.method === 'HEAD' && emulation === ENVOY,
  })
  if (answer === undefined) return { status: 0, headers: [], body: '', seen: [] }
  const toCaller = pairs(answer.headers).filter(([name]) => !NOT_FOR_CALLERS.test(name))
  const status = emulation.statusOf(answer)
  if (status !== 200) {
    return { status, headers: toCaller.flat(), body: sent.method === 'HEAD' ? '' : answer.text, seen: [] }
  }
  const before = upstream.log.length
  const taken = pairs(answer.headers).filter(([name]) => emulation.takes(name.toLowerCase()))
  const replaced = new Set(taken.map(([name]) => name.toLowerCase()))
  const kept = emulation
    .passes(sent.headers)
    .filter(([name]) => !emulation.drops(name.toLowerCase(), answer) && !replaced.has(name.toLowerCase()))
  const headers = [...kept, ...taken].flat()
  const response = await sendRaw(upstream.port, bytesOf({ ...sent, headers }), { toHead: sent.method === 'HEAD' })
  const added = toCaller.filter(([name]) => emulation.tells(name.toLowerCase()))
  return {
    status: response?.status ?? 0,
    headers: [...(response?.headers ?? []), ...added.flat()],
    body: response?.text ?? '',
    seen: upstream.log.slice(before),
  }
}

export const askedAsEnvoy = emulate(ENVOY)
export const askedAsNginx = emulate(NGINX)
export const traefik = emulate(TRAEFIK)
