/** A caller's head taken apart in one pass, or why it can not be one request; and the head that the upstream gets. */
import type { Fields } from '../core/headers.ts'
import { canonicalHost } from '../core/host.ts'
import { namedByConnection, roleInRequest } from './field-roles.ts'

export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }

export type RequestHead = {
  /** As received, without what belongs to this hop alone: what is decided on. */
  readonly seen: readonly string[]
  readonly hosts: readonly string[]
  readonly framing: Framing
  readonly forwardedFor: readonly string[]
  readonly forwardedProto: string | undefined
  /** Where there is exactly one. */
  readonly requestId: string | undefined
  /** What may go on, as received. */
  readonly pass: readonly string[]
  /** What goes on unless the answer is filtered. */
  readonly negotiation: readonly string[]
}

export type BadHead = { readonly bad: string }

const NO_BODY: Framing = { kind: 'none' }
const CHUNKED: Framing = { kind: 'chunked' }

class Reading {
  readonly hosts: string[] = []
  readonly pass: string[] = []
  readonly negotiation: string[] = []
  readonly forwardedFor: string[] = []
  readonly requestIds: string[] = []
  forwardedProto: string | undefined
  framing = NO_BODY
  named: Set<string> | undefined
  bad: string | undefined

  take(name: string, value: string): void {
    switch (roleInRequest(name)) {
      case 'pass':
        this.pass.push(name, value)
        break
      case 'drop':
        break
      case 'host':
        this.hosts.push(value)
        break
      case 'connection':
        this.#connection(value)
        break
      case 'length':
        this.#length(value)
        break
      case 'encoding':
        // node's parser takes more than the one coding that every server reads alike
        if (value !== 'chunked' || this.framing !== NO_BODY) this.bad ??= 'a Transfer-Encoding other than chunked'
        this.framing = CHUNKED
        break
      case 'forwardedFor':
        this.forwardedFor.push(value)
        break
      case 'forwardedProto':
        this.forwardedProto = value
        break
      case 'requestId':
        this.requestIds.push(value)
        break
      case 'negotiation':
        this.negotiation.push(name, value)
        break
    }
  }

  #connection(value: string): void {
    const named = namedByConnection(value)
    if (named === undefined) return
    if (this.named === undefined) this.named = named
    else for (const name of named) this.named.add(name)
    if (FRAMING_NAMES.some((name) => named.has(name))) this.bad ??= 'Connection names a header that frames the message'
  }

  #length(value: string): void {
    if (!/^\d{1,15}$/.test(value) || this.framing !== NO_BODY) this.bad ??= 'not one well-formed Content-Length'
    const bytes = Number(value)
    if (bytes > 0) this.framing = { kind: 'length', bytes }
  }
}

const FRAMING_NAMES = ['host', 'content-length', 'transfer-encoding']

/** @param raw name, value, name, value … as received */
export function readRequestHead(raw: readonly string[]): RequestHead | BadHead {
  const reading = new Reading()
  for (let i = 0; i + 1 < raw.length; i += 2) reading.take(raw[i] ?? '', raw[i + 1] ?? '')
  const { bad, named, requestIds } = reading
  if (bad !== undefined) return { bad }
  // what belongs to this hop goes before anything is decided, or a caller could have what we add removed behind us
  if (named !== undefined) return readRequestHead(without(raw, named))
  return {
    seen: raw,
    hosts: reading.hosts,
    framing: reading.framing,
    forwardedFor: reading.forwardedFor,
    forwardedProto: reading.forwardedProto,
    requestId: requestIds.length === 1 ? requestIds[0] : undefined,
    pass: reading.pass,
    negotiation: reading.negotiation,
  }
}

function without(raw: readonly string[], named: ReadonlySet<string>): readonly string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const lower = (raw[i] ?? '').toLowerCase()
    if (lower !== 'connection' && !named.has(lower)) kept.push(raw[i] ?? '', raw[i + 1] ?? '')
  }
  return kept
}

export type Onward = {
  readonly forwardedFor: string
  readonly proto: string
  readonly requestId: string
  /** `x-keyward-*`. */
  readonly identity: Fields
  readonly filtered: boolean
}

/** The head for the upstream: what may pass, then what only we say, the identity last. */
export function upstreamHead(
  head: RequestHead,
  { forwardedFor, proto, requestId, identity, filtered }: Onward,
): string[] {
  const host = canonicalAuthority(head.hosts[0] ?? '')
  const fields = ['host', host, ...head.pass]
  if (filtered) fields.push('accept-encoding', 'identity')
  else if (head.negotiation.length > 0) fields.push(...head.negotiation)
  fields.push('x-forwarded-for', forwardedFor, 'x-forwarded-host', host, 'x-forwarded-proto', proto)
  fields.push('x-request-id', requestId)
  if (head.framing.kind === 'length') fields.push('content-length', String(head.framing.bytes))
  for (const field of identity) fields.push(field)
  return fields
}

/** The one spelling of the host that was decided on, with the port that the caller wrote. */
function canonicalAuthority(authority: string): string {
  const port = /:[0-9]+$/.exec(authority)?.[0] ?? ''
  return `${canonicalHost(authority) ?? ''}${port}`
}
