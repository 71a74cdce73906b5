/** envoy.service.auth.v3.CheckRequest on the wire: the few fields that a decision looks at, read in one pass. */
import { BYTES, tagOf, WireReader } from './protobuf-wire.ts'

/** A request as the proxy tells it; a text that is not there is empty, as everywhere in proto3. */
export type WireRequest = {
  readonly method: string
  readonly path: string
  /** The path came as bytes: Envoy writes `!` for each that is no UTF-8 where it gives a text. */
  readonly pathAsBytes: boolean
  readonly host: string
  readonly query: string
  readonly fragment: string
  /** Name, value, name, value …: one character per byte, as node's HTTP parser gives them. */
  readonly headers: readonly string[]
  /** The IP address of the source; undefined where it has none. */
  readonly address: string | undefined
  /** Name, value, name, value … of the route's context extensions. */
  readonly extensions: readonly string[]
  /** There were more headers or extensions than these. */
  readonly tooMany: boolean
}

/** A hundred of the caller's, what its proxy adds, and the pseudo headers. */
const MAX_HEADERS = 136
const MAX_EXTENSIONS = 64

type Growing = { -readonly [Name in keyof WireRequest]: WireRequest[Name] } & {
  /** Of the map, where a name stands once. */
  readonly headers: string[]
  /** Of the list, as the caller sent them. */
  readonly rawHeaders: string[]
  readonly extensions: string[]
}

const ATTRIBUTES = tagOf(1, BYTES)
const SOURCE = tagOf(1, BYTES)
const REQUEST = tagOf(4, BYTES)
const CONTEXT_EXTENSIONS = tagOf(10, BYTES)
const ADDRESS = tagOf(1, BYTES)
const SOCKET_ADDRESS = tagOf(1, BYTES)
const PIPE = tagOf(2, BYTES)
const INTERNAL_ADDRESS = tagOf(3, BYTES)
const IP = tagOf(2, BYTES)
const HTTP = tagOf(2, BYTES)
const METHOD = tagOf(2, BYTES)
const HEADERS = tagOf(3, BYTES)
const PATH = tagOf(4, BYTES)
const HOST = tagOf(5, BYTES)
const QUERY = tagOf(7, BYTES)
const FRAGMENT = tagOf(8, BYTES)
const HEADER_MAP = tagOf(13, BYTES)
const HEADER_VALUES = tagOf(1, BYTES)
const KEY = tagOf(1, BYTES)
const VALUE = tagOf(2, BYTES)
const RAW_VALUE = tagOf(3, BYTES)

/**
 * Throws Malformed. A submessage that comes in pieces is merged, a text that comes twice is what came last, and so is the
 * value of a key in a map.
 */
export function readCheckRequest(message: Uint8Array): WireRequest {
  const into: Growing = {
    method: '',
    path: '',
    pathAsBytes: false,
    host: '',
    query: '',
    fragment: '',
    headers: [],
    rawHeaders: [],
    address: undefined,
    extensions: [],
    tooMany: false,
  }
  const reader = new WireReader(message)
  const { end } = reader
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === ATTRIBUTES) readAttributes(reader, reader.lengthDelimited(end), into)
    else reader.skip(tag, end)
  }
  for (const text of into.rawHeaders) into.headers.push(text)
  return into
}

function readAttributes(reader: WireReader, end: number, into: Growing): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === SOURCE) readPeer(reader, reader.lengthDelimited(end), into)
    else if (tag === REQUEST) readRequest(reader, reader.lengthDelimited(end), into)
    else if (tag === CONTEXT_EXTENSIONS) {
      if (!readEntry(reader, reader.lengthDelimited(end), into.extensions, MAX_EXTENSIONS)) into.tooMany = true
    } else reader.skip(tag, end)
  }
}

function readPeer(reader: WireReader, end: number, into: Growing): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === ADDRESS) readAddress(reader, reader.lengthDelimited(end), into)
    else reader.skip(tag, end)
  }
}

/** One of several forms, of which the last one counts. */
function readAddress(reader: WireReader, end: number, into: Growing): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === SOCKET_ADDRESS) readSocketAddress(reader, reader.lengthDelimited(end), into)
    else {
      if (tag === PIPE || tag === INTERNAL_ADDRESS) into.address = undefined
      reader.skip(tag, end)
    }
  }
}

function readSocketAddress(reader: WireReader, end: number, into: Growing): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === IP) into.address = reader.latin1(reader.lengthDelimited(end))
    else reader.skip(tag, end)
  }
}

function readRequest(reader: WireReader, end: number, into: Growing): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === HTTP) readHttp(reader, reader.lengthDelimited(end), into)
    else reader.skip(tag, end)
  }
}

function readHttp(reader: WireReader, end: number, into: Growing): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    switch (tag) {
      case HEADERS:
        if (!readEntry(reader, reader.lengthDelimited(end), into.headers, MAX_HEADERS)) into.tooMany = true
        break
      case METHOD:
        into.method = reader.latin1(reader.lengthDelimited(end))
        break
      case PATH:
        into.path = reader.latin1(reader.lengthDelimited(end))
        break
      case HOST:
        into.host = reader.latin1(reader.lengthDelimited(end))
        break
      case QUERY:
        into.query = reader.latin1(reader.lengthDelimited(end))
        break
      case FRAGMENT:
        into.fragment = reader.latin1(reader.lengthDelimited(end))
        break
      case HEADER_MAP:
        readHeaderMap(reader, reader.lengthDelimited(end), into)
        break
      default:
        reader.skip(tag, end)
    }
  }
}

/** An entry of a map from text to text; whether there was room for it. */
function readEntry(reader: WireReader, end: number, entries: string[], room: number): boolean {
  let key = ''
  let value = ''
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === KEY) key = reader.latin1(reader.lengthDelimited(end))
    else if (tag === VALUE) value = reader.latin1(reader.lengthDelimited(end))
    else reader.skip(tag, end)
  }
  for (let i = 0; i < entries.length; i += 2) {
    if (entries[i] === key) {
      entries[i + 1] = value
      return true
    }
  }
  if (entries.length >= 2 * room) return false
  entries.push(key, value)
  return true
}

function readHeaderMap(reader: WireReader, end: number, into: Growing): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === HEADER_VALUES) readHeaderValue(reader, reader.lengthDelimited(end), into)
    else reader.skip(tag, end)
  }
}

function readHeaderValue(reader: WireReader, end: number, into: Growing): void {
  let key = ''
  let value = ''
  let raw = ''
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === KEY) key = reader.latin1(reader.lengthDelimited(end))
    else if (tag === VALUE) value = reader.latin1(reader.lengthDelimited(end))
    else if (tag === RAW_VALUE) raw = reader.latin1(reader.lengthDelimited(end))
    else reader.skip(tag, end)
  }
  if (raw !== '' && key === ':path') into.pathAsBytes = true
  if (into.rawHeaders.length >= 2 * MAX_HEADERS) into.tooMany = true
  // where both are given, which they never should be, the bytes are nearer to what the caller sent
  else into.rawHeaders.push(key, raw === '' ? value : raw)
}
