/** The headers of a CheckRequest taken apart, or why they are not those of one request. */
import { UPSTREAM_HEADERS } from '../core/headers.ts'
import { isReserved, RESERVED_PREFIX } from '../core/reserved.ts'
import type { WireRequest } from './check-request-wire.ts'
import type { Untold } from './forward-auth.ts'

export type EnvoyHead = {
  /** Every claim of the authority that differs from the others. */
  readonly hosts: readonly string[]
  /** Name, value, name, value … without the pseudo headers. */
  readonly headers: readonly string[]
  /** Where there is exactly one. */
  readonly requestId: string | undefined
  /** `x-keyward-*` names that Keyward does not set, so that nothing replaces them. */
  readonly clientsOwn: readonly string[]
}

export type NoHead = Untold & { readonly code: 'ambiguous_path' | 'ambiguous_request' }

type Growing = {
  readonly hosts: string[]
  headers: string[]
  readonly requestIds: string[]
  readonly clientsOwn: string[]
}

// what no HTTP/1 parser would have let through; protobuf carries anything
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/

const COLON = 0x3a
const SET_BY_US: ReadonlySet<string> = new Set(UPSTREAM_HEADERS)

export function readEnvoyHead(wire: WireRequest): EnvoyHead | NoHead {
  // Envoy gives the query with the path, and no fragment at all
  if (wire.query !== '' || wire.fragment !== '') {
    return { untold: 'a query or fragment beside the path', upTo: 'proxy', code: 'ambiguous_path' }
  }
  if (!wire.pathAsBytes && (wire.path.split('?', 1)[0] ?? '').includes('!')) {
    const untold = 'a ! in the path, which may stand for any byte unless encode_raw_headers is on'
    return { untold, upTo: 'caller', code: 'ambiguous_path' }
  }
  const into: Growing = { hosts: wire.host === '' ? [] : [wire.host], headers: [], requestIds: [], clientsOwn: [] }
  const { headers } = wire
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? ''
    const value = headers[i + 1] ?? ''
    const untold = name.charCodeAt(0) === COLON ? takePseudo(into, wire, { name, value }) : take(into, name, value)
    if (untold !== undefined) return refused(untold)
  }
  const { hosts, requestIds, clientsOwn } = into
  return { hosts, headers: into.headers, requestId: requestIds.length === 1 ? requestIds[0] : undefined, clientsOwn }
}

const refused = (untold: string): NoHead => ({
  ...{ untold, upTo: 'caller' },
  code: untold === NO_TEXT ? 'ambiguous_path' : 'ambiguous_request',
})

// of bytes that are no text Envoy makes another path than the one that it tells beside it
const NO_TEXT = 'a path that is no text'
const isVisible = (text: string): boolean => /^[!-~]*$/.test(text)

function takePseudo(
  into: Growing,
  { path, method }: WireRequest,
  { name, value }: { readonly name: string; readonly value: string },
): string | undefined {
  switch (name) {
    case ':authority':
      claim(into, value)
      return undefined
    case ':path':
      if (value === path) return undefined
      return isVisible(value) && isVisible(path) ? 'two paths' : NO_TEXT
    case ':method':
      return value === method ? undefined : 'two methods'
    case ':scheme':
    case ':protocol':
      return undefined
    default:
      return 'a pseudo header that there is not'
  }
}

function take(into: Growing, name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return 'a header name that is none'
  if (CONTROL.test(value)) return 'a control character in a header'
  into.headers.push(name, value)
  switch (name.length) {
    case 'host'.length:
      if (name.toLowerCase() === 'host') claim(into, value)
      break
    case 'x-request-id'.length:
      if (name.toLowerCase() === 'x-request-id') into.requestIds.push(value)
      break
  }
  if (name.length >= RESERVED_PREFIX.length && name.charCodeAt(1) === 0x2d) takeReserved(into, name.toLowerCase())
  return undefined
}

function takeReserved({ clientsOwn }: Growing, name: string): void {
  if (isReserved(name) && !SET_BY_US.has(name)) clientsOwn.push(name)
}

function claim({ hosts }: Growing, host: string): void {
  if (!hosts.includes(host)) hosts.push(host)
}
