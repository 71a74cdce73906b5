/** The upstream's response head as the caller gets it: nothing of its hop, nothing that only Keyward says. */
import type { Fields } from '../core/headers.ts'
import { namedByConnection, roleInResponse } from './field-roles.ts'

/** As undici gives them: lower-case names, a list where one stands more than once. */
export type UpstreamFields = Readonly<Record<string, string | readonly string[] | undefined>>

export type CallerHead = {
  readonly requestId: string
  /** RateLimit fields. */
  readonly caller: Fields
  /** What Keep-Alive says; undefined: the connection ends behind this response. */
  readonly keepAlive: string | undefined
}

/** The head of a response that passes as it is. */
export function callerHead(upstream: UpstreamFields, status: number, head: CallerHead): string[] {
  const named = namedOf(upstream)
  const fields: string[] = []
  let length: string | undefined
  for (const name in upstream) {
    if (named?.has(name)) continue
    const role = roleInResponse(name)
    if (role === 'length') length = only(upstream[name])
    else if (role !== 'drop' && role !== 'connection') add(fields, name, upstream[name])
  }
  addOwn(fields, head)
  // last: node rewrites the bytes of a Content-Disposition that comes after a length
  if (length !== undefined && status !== 204) fields.push('content-length', length)
  return fields
}

/** The head of a response whose body is cut: nothing in it speaks of the bytes that were. */
export function filteredHead(upstream: UpstreamFields, head: CallerHead): string[] {
  const named = namedOf(upstream)
  const fields: string[] = []
  for (const name in upstream) {
    if (!named?.has(name) && roleInResponse(name) === 'pass') add(fields, name, upstream[name])
  }
  fields.push('cache-control', privateCacheControl(upstream['cache-control']))
  addOwn(fields, head)
  return fields
}

function namedOf({ connection }: UpstreamFields): ReadonlySet<string> | undefined {
  if (connection === undefined) return undefined
  return namedByConnection(typeof connection === 'string' ? connection : connection.join(','))
}

const only = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined

function add(fields: string[], name: string, value: string | readonly string[] | undefined): void {
  if (typeof value === 'string') fields.push(name, value)
  else for (const one of value ?? []) fields.push(name, one)
}

function addOwn(fields: string[], { requestId, caller, keepAlive }: CallerHead): void {
  fields.push('x-request-id', requestId)
  for (const field of caller) fields.push(field)
  if (keepAlive === undefined) fields.push('connection', 'close')
  else fields.push('keep-alive', keepAlive)
}

/** Never wider than the upstream allows: what forbids keeping stays. */
function privateCacheControl(value: string | readonly string[] | undefined): string {
  const text = (typeof value === 'string' ? value : (value ?? []).join(',')).toLowerCase()
  const kept = ['no-store', 'no-cache', 'must-revalidate', 'no-transform'].filter((directive) =>
    text.split(',').some((one) => one.trim() === directive),
  )
  return ['private', ...kept].join(', ')
}
