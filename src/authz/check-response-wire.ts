/** envoy.service.auth.v3.CheckResponse on the wire, written in one pass into bytes of just the right length. */
import type { Fields } from '../core/headers.ts'
import { BYTES, tagOf, VARINT, varintLength, writeVarint } from './protobuf-wire.ts'
import { SteadyOptions } from './steady-options.ts'

export type OkResponse = {
  /** For the upstream; each replaces all of its name, and is sent even if it is empty. */
  readonly headers: Fields
  /** So many of the headers, from the first, are nearly always the same for this owner. */
  readonly steady?: { readonly owner: object; readonly count: number } | undefined
  /** Names that do not go on to the upstream. */
  readonly remove: readonly string[]
  /** For the caller; each replaces all of its name. */
  readonly responseHeaders: Fields
}

export type DeniedResponse = {
  /** google.rpc.Code; Envoy takes a denial with 0 for a yes. */
  readonly code: number
  readonly status: number
  readonly headers: Fields
  readonly body: string
}

const OK_RESPONSE = tagOf(3, BYTES)
const OK_HEADERS = tagOf(2, BYTES)
const OK_REMOVE = tagOf(5, BYTES)
const OK_RESPONSE_HEADERS = tagOf(6, BYTES)
const RPC_STATUS = tagOf(1, BYTES)
const RPC_CODE = tagOf(1, VARINT)
const DENIED_RESPONSE = tagOf(2, BYTES)
const DENIED_STATUS = tagOf(1, BYTES)
const DENIED_CODE = tagOf(1, VARINT)
const DENIED_HEADERS = tagOf(2, BYTES)
const DENIED_BODY = tagOf(3, BYTES)
const HEADER = tagOf(1, BYTES)
const KEY = tagOf(1, BYTES)
const VALUE = tagOf(2, BYTES)
const RAW_VALUE = tagOf(3, BYTES)
const APPEND_ACTION = tagOf(3, VARINT)
const KEEP_EMPTY_VALUE = tagOf(4, VARINT)
const OVERWRITE_IF_EXISTS_OR_ADD = 2

/** What follows the header in every option. */
const OPTION_END = Uint8Array.of(APPEND_ACTION, OVERWRITE_IF_EXISTS_OR_ADD, KEEP_EMPTY_VALUE, 1)

/** Every tag here is one byte long. */
const framed = (length: number): number => 1 + varintLength(length) + length

const STEADY = new SteadyOptions()

export function okResponse({ headers, steady, remove, responseHeaders }: OkResponse): Uint8Array {
  const written = steady === undefined ? NOTHING : steadyOptions(headers, steady)
  const varying = steady?.count ?? 0
  let length = written.length + optionsLength(headers, varying) + optionsLength(responseHeaders, 0)
  for (const name of remove) length += framed(name.length)
  // an empty status is code 0
  const bytes = Buffer.allocUnsafe(2 + framed(length))
  bytes[0] = RPC_STATUS
  bytes[1] = 0
  let at = writeHead(bytes, 2, OK_RESPONSE, length)
  bytes.set(written, at)
  at = writeOptions(bytes, at + written.length, OK_HEADERS, headers.slice(varying))
  for (const name of remove) at = writeText(bytes, at, OK_REMOVE, name)
  writeOptions(bytes, at, OK_RESPONSE_HEADERS, responseHeaders)
  return bytes
}

const NOTHING = new Uint8Array(0)

function steadyOptions(headers: Fields, { owner, count }: NonNullable<OkResponse['steady']>): Uint8Array {
  const known = STEADY.find(owner, headers, count)
  if (known !== undefined) return known
  const fields = headers.slice(0, count)
  // of its own: a piece of node's pool would keep all of that
  const bytes = Buffer.from(new ArrayBuffer(optionsLength(fields, 0)))
  writeOptions(bytes, 0, OK_HEADERS, fields)
  STEADY.keep(owner, fields, bytes)
  return bytes
}

export function deniedResponse({ code, status, headers, body }: DeniedResponse): Uint8Array {
  const bodyLength = Buffer.byteLength(body)
  const statusLength = 1 + varintLength(status)
  const length = framed(statusLength) + optionsLength(headers, 0) + framed(bodyLength)
  const rpcLength = 1 + varintLength(code)
  const bytes = Buffer.allocUnsafe(framed(rpcLength) + framed(length))
  let at = writeHead(bytes, 0, RPC_STATUS, rpcLength)
  bytes[at] = RPC_CODE
  at = writeVarint(bytes, at + 1, code)
  at = writeHead(bytes, at, DENIED_RESPONSE, length)
  at = writeHead(bytes, at, DENIED_STATUS, statusLength)
  bytes[at] = DENIED_CODE
  at = writeVarint(bytes, at + 1, status)
  at = writeOptions(bytes, at, DENIED_HEADERS, headers)
  at = writeHead(bytes, at, DENIED_BODY, bodyLength)
  bytes.write(body, at, 'utf8')
  return bytes
}

function writeHead(bytes: Uint8Array, at: number, tag: number, length: number): number {
  bytes[at] = tag
  return writeVarint(bytes, at + 1, length)
}

/** A name; those are ASCII. */
function writeText(bytes: Buffer, at: number, tag: number, text: string): number {
  const start = writeHead(bytes, at, tag, text.length)
  for (let i = 0; i < text.length; i++) bytes[start + i] = text.charCodeAt(i)
  return start + text.length
}

/** What repeats in every answer: a name as it stands in an option, with its tag, and the whole option where the value is empty. */
type Known = { readonly key: Uint8Array; readonly empty: Uint8Array }
const NAMES = new Map<string, Known>()
const MAX_NAMES = 64

function known(name: string): Known {
  const before = NAMES.get(name)
  if (before !== undefined) return before
  const key = Buffer.alloc(framed(name.length))
  writeText(key, 0, KEY, name)
  const length = framed(key.length) + OPTION_END.length
  const empty = new Uint8Array(1 + varintLength(length) + length)
  const at = writeHead(empty, writeVarint(empty, 1, length), HEADER, key.length)
  copy(OPTION_END, empty, copy(key, empty, at))
  const made = { key, empty }
  if (NAMES.size < MAX_NAMES) NAMES.set(name, made)
  return made
}

/** A loop: for so few bytes a call into the engine costs more. */
function copy(from: Uint8Array, to: Uint8Array, at: number): number {
  for (let i = 0; i < from.length; i++) to[at + i] = from[i] ?? 0
  return at + from.length
}

function optionsLength(fields: Fields, from: number): number {
  let length = 0
  for (let i = from; i + 1 < fields.length; i += 2) {
    const { key, empty } = known(fields[i] ?? '')
    const value = fields[i + 1] ?? ''
    if (value === '') length += empty.length
    else length += framed(framed(key.length + framed(value.length)) + OPTION_END.length)
  }
  return length
}

function writeOptions(bytes: Buffer, start: number, tag: number, fields: Fields): number {
  let at = start
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const { key, empty } = known(fields[i] ?? '')
    const value = fields[i + 1] ?? ''
    if (value === '') {
      const end = copy(empty, bytes, at)
      bytes[at] = tag
      at = end
      continue
    }
    const header = key.length + framed(value.length)
    at = writeHead(bytes, at, tag, framed(header) + OPTION_END.length)
    at = writeHead(bytes, at, HEADER, header)
    at = writeValue(bytes, copy(key, bytes, at), value)
    at = copy(OPTION_END, bytes, at)
  }
  return at
}

/** One character per byte. What is beyond ASCII is no UTF-8, which a protobuf string has to be, so it goes as bytes. */
function writeValue(bytes: Buffer, at: number, value: string): number {
  const start = writeHead(bytes, at, VALUE, value.length)
  let beyond = 0
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    bytes[start + i] = code
    beyond |= code
  }
  if (beyond > 0x7f) bytes[at] = RAW_VALUE
  return start + value.length
}
