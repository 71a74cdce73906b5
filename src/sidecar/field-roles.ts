/** What becomes of a header by its name: the only list of names that the proxy drops, reads or lets pass. */

import { RESERVED_PREFIX } from '../core/reserved.ts'

export type RequestRole =
  | 'pass'
  | 'drop'
  | 'host'
  | 'connection'
  | 'length'
  | 'encoding'
  | 'forwardedFor'
  | 'forwardedProto'
  | 'requestId'
  /** Dropped where the answer is filtered: its other forms could not be cut. */
  | 'negotiation'

export type ResponseRole =
  | 'pass'
  | 'drop'
  | 'connection'
  | 'length'
  | 'cacheControl'
  /** Says something about bytes that a filter changes. */
  | 'validator'

/** Of one hop only (RFC 9110 §7.6.1), and what was once taken for it. */
const HOP_BY_HOP = [
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
]

const REQUEST_ROLES: Readonly<Record<string, RequestRole>> = {
  host: 'host',
  connection: 'connection',
  'content-length': 'length',
  'transfer-encoding': 'encoding',
  'x-forwarded-for': 'forwardedFor',
  'x-forwarded-proto': 'forwardedProto',
  'x-request-id': 'requestId',
  'accept-encoding': 'negotiation',
  range: 'negotiation',
  'if-match': 'negotiation',
  'if-modified-since': 'negotiation',
  'if-none-match': 'negotiation',
  'if-range': 'negotiation',
  'if-unmodified-since': 'negotiation',
}

const DROPPED_REQUEST = new Set([
  ...HOP_BY_HOP,
  // the credential is for us
  'authorization',
  'x-api-key',
  // answered by us (100) or refused (417)
  'expect',
  // where the caller claims to be: only what we saw ourselves goes on
  'forwarded',
  'x-real-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-pseudo-ipv4',
  'client-ip',
  'fastly-client-ip',
  'fly-client-ip',
  'x-appengine-user-ip',
  'x-azure-clientip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-originating-ip',
  'x-remote-addr',
  'x-remote-ip',
  // another path, host or method than the one that was decided on
  'x-host',
  'x-http-host-override',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-rewrite-uri',
  'x-rewrite-url',
  'x-url-scheme',
  // CGI servers hand it to the process as HTTP_PROXY
  'proxy',
])

const DROPPED_REQUEST_PREFIXES = [RESERVED_PREFIX, 'x-forwarded', 'x-original-', 'x-envoy-']

const RESPONSE_ROLES: Readonly<Record<string, ResponseRole>> = {
  connection: 'connection',
  'content-length': 'length',
  'cache-control': 'cacheControl',
  'accept-ranges': 'validator',
  'content-digest': 'validator',
  'content-md5': 'validator',
  'content-range': 'validator',
  digest: 'validator',
  etag: 'validator',
  'last-modified': 'validator',
  'repr-digest': 'validator',
  // shared caches that have directives of their own would not see `private`
  'cdn-cache-control': 'validator',
  'surrogate-control': 'validator',
}

const DROPPED_RESPONSE = new Set([...HOP_BY_HOP, 'transfer-encoding', 'x-request-id'])

// limits are Keyward's to tell: a caller could not know whose they are
const DROPPED_RESPONSE_PREFIXES = [RESERVED_PREFIX, 'ratelimit']

/** Servers fold other characters to `-` or `_`, each in its own way; such names do not go on. */
const PLAIN_NAME = /^[a-z0-9-]+$/

function requestRole(name: string): RequestRole {
  const lower = name.toLowerCase()
  if (!PLAIN_NAME.test(lower)) return 'drop'
  if (Object.hasOwn(REQUEST_ROLES, lower)) return REQUEST_ROLES[lower] ?? 'drop'
  if (DROPPED_REQUEST.has(lower)) return 'drop'
  return DROPPED_REQUEST_PREFIXES.some((prefix) => lower.startsWith(prefix)) ? 'drop' : 'pass'
}

function responseRole(name: string): ResponseRole {
  const lower = name.toLowerCase()
  if (Object.hasOwn(RESPONSE_ROLES, lower)) return RESPONSE_ROLES[lower] ?? 'drop'
  if (DROPPED_RESPONSE.has(lower)) return 'drop'
  return DROPPED_RESPONSE_PREFIXES.some((prefix) => lower.startsWith(prefix)) ? 'drop' : 'pass'
}

/** As many spellings as clients commonly have; a flood of made-up names is worked out each time and takes no memory. */
const MAX_REMEMBERED = 512

function remembered<Role>(roleOf: (name: string) => Role): (name: string) => Role {
  const known = new Map<string, Role>()
  return (name) => {
    const role = known.get(name)
    if (role !== undefined) return role
    const worked = roleOf(name)
    if (known.size < MAX_REMEMBERED) known.set(name, worked)
    return worked
  }
}

/** Of a request header, in any case of letters. */
export const roleInRequest = remembered(requestRole)

/** Of a response header, in any case of letters. */
export const roleInResponse = remembered(responseRole)

const ORDINARY_OPTION = new Set(['', 'close', 'keep-alive', 'upgrade', 'te', 'http2-settings', 'proxy-connection'])

/** Lower-case names of headers that a Connection header makes hop-by-hop, beyond those that always are. */
export function namedByConnection(value: string): Set<string> | undefined {
  if (value === 'keep-alive' || value === 'close' || value === 'Keep-Alive' || value === 'Upgrade') return undefined
  const named = value
    .split(',')
    .map((option) => option.trim().toLowerCase())
    .filter((option) => !ORDINARY_OPTION.has(option))
  return named.length === 0 ? undefined : new Set(named)
}
