/** HTTP check for nginx, Traefik, Caddy, HAProxy, APISIX and Envoy: one endpoint per family, never guessed from headers. */
import { ADAPTERS } from '../core/adapter.ts'
import type { CheckRequest } from '../core/request.ts'
import type { UpTo } from '../runtime/notes.ts'

/** Why there is no single request to decide about. */
export type Untold = { readonly untold: string; readonly upTo: UpTo }

/** What a proxy tells us of the caller's request, or why it can not be told. */
export type Told = CheckRequest | Untold

export type HttpIn = {
  readonly method: string
  /** Path and query as received. */
  readonly url: string
  /** Name, value, name, value … */
  readonly headers: readonly string[]
}

export type FamilyOptions = {
  /** Proxies of one's own in front of the one that asks. */
  readonly trustedHops: number
  readonly requestId: string
}

export type Family = {
  readonly name: 'envoy' | 'nginx' | 'forwarded'
  readonly read: (incoming: HttpIn, options: FamilyOptions) => Told
  /** nginx's auth_request passes 401 and 403 on and turns every other status into 500. */
  readonly onlyKnows401And403: boolean
  /** Headers that make the proxy drop the credential from what it forwards. */
  readonly onAllow: readonly string[]
}

const ENVOY: Family = {
  name: 'envoy',
  onlyKnows401And403: false,
  onAllow: ['x-envoy-auth-headers-to-remove', 'authorization,x-api-key'],
  read: ({ method, url, headers }, { trustedHops, requestId }) => ({
    method,
    target: url.slice('/check/envoy'.length),
    hosts: valuesOf(headers, 'host'),
    headers,
    address: beyondHops(valuesOf(headers, 'x-forwarded-for'), trustedHops),
    requestId,
    pin: undefined,
    ability: ADAPTERS.HTTPCheck,
  }),
}

const NGINX: Family = {
  name: 'nginx',
  onlyKnows401And403: true,
  onAllow: [],
  read: ({ headers }, { requestId }) => {
    const [method, target] = [only(headers, 'x-original-method'), only(headers, 'x-original-uri')]
    if (method === undefined || target === undefined)
      return { untold: 'not one X-Original-Method and one X-Original-URI', upTo: 'proxy' }
    const hosts = valuesOf(headers, 'host')
    return {
      method,
      target,
      hosts,
      headers,
      address: only(headers, 'x-real-ip'),
      requestId,
      pin: undefined,
      ability: ADAPTERS.HTTPCheck,
    }
  },
}

const FORWARDED: Family = {
  name: 'forwarded',
  onlyKnows401And403: false,
  onAllow: [],
  read: ({ headers }, { trustedHops, requestId }) => {
    const [method, target] = [only(headers, 'x-forwarded-method'), only(headers, 'x-forwarded-uri')]
    if (method === undefined || target === undefined)
      return { untold: 'not one X-Forwarded-Method and one X-Forwarded-Uri', upTo: 'proxy' }
    return {
      method,
      target,
      hosts: valuesOf(headers, 'x-forwarded-host'),
      headers,
      address: beyondHops(valuesOf(headers, 'x-forwarded-for'), trustedHops),
      requestId,
      pin: undefined,
      ability: ADAPTERS.HTTPCheck,
    }
  },
}

/** The family that a check's path names. */
export function familyOf(url: string): Family | undefined {
  if (url.startsWith('/check/envoy')) return ENVOY
  if (isPath(url, '/check/nginx')) return NGINX
  return isPath(url, '/check/forwarded') ? FORWARDED : undefined
}

// Caddy and others keep the caller's query on the check's own path
const isPath = (url: string, path: string): boolean => url === path || url.startsWith(`${path}?`)

/** Every value of a header; a list that a proxy joined with commas is not taken apart. */
function valuesOf(headers: readonly string[], name: string): readonly string[] {
  const values: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const candidate = headers[i] ?? ''
    if (candidate.length === name.length && candidate.toLowerCase() === name) values.push(headers[i + 1] ?? '')
  }
  return values
}

export function only(headers: readonly string[], name: string): string | undefined {
  const values = valuesOf(headers, name)
  return values.length === 1 ? values[0] : undefined
}

/** The right-most X-Forwarded-For entry beyond the trusted hops; undefined where there is none, or an empty one. */
function beyondHops(forwardedFor: readonly string[], trustedHops: number): string | undefined {
  const entry = forwardedFor
    .join(',')
    .split(',')
    .at(-1 - trustedHops)
    ?.trim()
  return entry === '' ? undefined : entry
}
