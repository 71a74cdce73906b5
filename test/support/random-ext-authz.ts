/** Random ext_authz messages on the wire, and what a protobuf library makes of them beside what we do. */
import { isDeepStrictEqual } from 'node:util'
import { readCheckRequest, type WireRequest } from '../../src/authz/check-request-wire.ts'
import { deniedResponse, okResponse } from '../../src/authz/check-response-wire.ts'
import { Malformed } from '../../src/authz/protobuf-wire.ts'
import { type Draw, seeded } from '../corpus/seeded.ts'
import { CheckRequestProto, decodeResponse, overwriting } from './ext-authz-proto.ts'

// --- any field of any wire type, in any order, as often as chance has it

const varint = (value: number): Buffer => {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}
const tag = (field: number, type: number): Buffer => varint(field * 8 + type)
const delimited = (field: number, content: Uint8Array): Buffer =>
  Buffer.concat([tag(field, 2), varint(content.length), content])

const TEXTS = [
  '',
  'a',
  'GET',
  '/api/x?y=1',
  'api.test',
  'authorization',
  'x-api-key',
  ':path',
  'ü',
  '10.0.0.1',
  '\u{1f511}',
]
const text = (draw: Draw): Buffer => Buffer.from(draw.chance(0.02) ? 'long '.repeat(draw.below(60)) : draw.pick(TEXTS))
const bytes = (draw: Draw): Buffer => Buffer.from(Array.from({ length: draw.below(6) }, () => draw.below(256)))

function unknown(draw: Draw, depth = 0): Buffer {
  const field = draw.pick([14, 15, 16, 99, 2047, 2048, 536_870_911])
  switch (draw.below(depth > 3 ? 4 : 5)) {
    case 0:
      return Buffer.concat([tag(field, 0), varint(draw.below(2 ** 30) * draw.pick([1, 2 ** 20]))])
    case 1:
      return Buffer.concat([tag(field, 1), Buffer.alloc(8, draw.below(256))])
    case 2:
      return delimited(field, bytes(draw))
    case 3:
      return Buffer.concat([tag(field, 5), Buffer.alloc(4, draw.below(256))])
    default: {
      const within = Array.from({ length: draw.below(3) }, () => unknown(draw, depth + 1))
      return Buffer.concat([tag(field, 3), ...within, tag(field, 4)])
    }
  }
}

type Make = (draw: Draw) => Buffer

/** A message of some of these fields; one that is no submessage may be written as another wire type, which makes it unknown. */
const message =
  (fields: readonly Make[], most: number): Make =>
  (draw) =>
    Buffer.concat(
      Array.from({ length: draw.below(most + 1) }, () => (draw.chance(0.12) ? unknown(draw) : draw.pick(fields)(draw))),
    )

const sub =
  (field: number, content: Make): Make =>
  (draw) =>
    delimited(field, content(draw))
const texts = (field: number): Make => sub(field, text)
const numbers =
  (field: number): Make =>
  (draw) =>
    Buffer.concat([tag(field, 0), varint(draw.below(70_000))])

const entry = message([texts(1), texts(2)], 3)
const headerValue = message([texts(1), texts(2), sub(3, bytes)], 4)
const headerMap = message([sub(1, headerValue)], 4)
const http = message(
  [
    ...[1, 2, 2, 4, 4, 5, 5, 6, 7, 8, 10, 11].map(texts),
    ...Array.from({ length: 8 }, () => sub(3, entry)),
    numbers(9),
    sub(12, bytes),
    sub(13, headerMap),
    sub(13, headerMap),
    // known numbers, other wire types
    ...[2, 3, 4, 13].map(numbers),
  ],
  24,
)
const socketAddress = message([numbers(1), texts(2), texts(2), numbers(3), texts(4), numbers(6)], 5)
const pipe = message([texts(1), numbers(2)], 2)
const address = message([sub(1, socketAddress), sub(1, socketAddress), sub(2, pipe), sub(3, message([texts(1)], 1))], 3)
const peer = message([sub(1, address), sub(1, address), texts(2), sub(3, entry), texts(4), texts(5)], 4)
const request = message([sub(1, message([numbers(1), numbers(2)], 2)), sub(2, http), sub(2, http)], 3)
const metadata = sub(1, texts(1))
const attributes = message(
  [
    ...[peer, peer].map((one) => sub(1, one)),
    sub(2, peer),
    sub(4, request),
    sub(4, request),
    sub(10, entry),
    sub(11, metadata),
  ],
  8,
)
const checkRequest = message([sub(1, attributes), sub(1, attributes), sub(1, attributes), numbers(1)], 3)

// --- what a library makes of them

type Proto = {
  readonly attributes?: {
    readonly source?: {
      readonly address?: { readonly address?: string; readonly socketAddress?: { readonly address: string } }
    }
    readonly request?: { readonly http?: ProtoHttp }
    readonly contextExtensions?: Readonly<Record<string, string>>
  }
}
type ProtoHttp = {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly query: string
  readonly fragment: string
  readonly headers: Readonly<Record<string, string>>
  readonly headerMap?: { readonly headers: readonly { key: string; value: string; rawValue: Uint8Array }[] }
}

type Read = Omit<WireRequest, 'headers' | 'extensions' | 'tooMany'> & {
  readonly mapped: ReadonlyMap<string, string>
  readonly listed: readonly string[]
  readonly extensions: ReadonlyMap<string, string>
}

const latin1 = (value: string | Uint8Array): string => Buffer.from(value as string).toString('latin1')
const latin1Map = (map: Readonly<Record<string, string>> = {}): ReadonlyMap<string, string> =>
  new Map(Object.entries(map).map(([key, value]) => [latin1(key), latin1(value)]))

function byLibrary(wire: Uint8Array): Read {
  const { attributes: told } = CheckRequestProto.decode(wire) as unknown as Proto
  const of = told?.request?.http
  const listed = of?.headerMap?.headers ?? []
  const source = told?.source?.address
  return {
    method: latin1(of?.method ?? ''),
    path: latin1(of?.path ?? ''),
    pathAsBytes: listed.some(({ key, rawValue }) => key === ':path' && rawValue.length > 0),
    host: latin1(of?.host ?? ''),
    query: latin1(of?.query ?? ''),
    fragment: latin1(of?.fragment ?? ''),
    address: source?.address === 'socketAddress' ? latin1(source.socketAddress?.address ?? '') : '',
    mapped: latin1Map(of?.headers),
    listed: listed.flatMap(({ key, value, rawValue }) => [latin1(key), latin1(rawValue.length > 0 ? rawValue : value)]),
    extensions: latin1Map(told?.contextExtensions),
  }
}

const pairs = (list: readonly string[]): readonly (readonly [string, string])[] =>
  Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i] ?? '', list[2 * i + 1] ?? ''])

function byUs(wire: Uint8Array, mappedCount: number): Read {
  const { method, path, pathAsBytes, host, query, fragment, address: source, ...rest } = readCheckRequest(wire)
  const { headers, extensions, tooMany } = rest
  if (tooMany) throw new Error('more than chance gives')
  return {
    ...{ method, path, pathAsBytes, host, query, fragment },
    address: source ?? '',
    mapped: new Map(pairs(headers.slice(0, 2 * mappedCount))),
    listed: headers.slice(2 * mappedCount),
    extensions: new Map(pairs(extensions)),
  }
}

const show = (wire: Uint8Array): string => Buffer.from(wire).toString('hex')

/** Reads so many random messages both ways; throws, with its bytes, on one that is read differently. */
export function compareRequests(count: number, seed: number): void {
  const draw = seeded(seed)
  for (let i = 0; i < count; i++) {
    const whole = checkRequest(draw)
    same(whole)
    if (i % 4 === 0) damaged(whole, draw)
  }
}

function same(wire: Uint8Array): void {
  const expected = byLibrary(wire)
  const read = byUs(wire, expected.mapped.size)
  if (!isDeepStrictEqual(read, expected)) {
    throw new Error(`read differently: ${show(wire)}\n${JSON.stringify([read, expected], undefined, 1)}`)
  }
}

/** What we call malformed a library does too; it looks into more than we do, so not the other way round. */
function damaged(whole: Buffer, draw: Draw): void {
  const wire = Buffer.from(whole.subarray(0, draw.chance(0.5) ? draw.below(whole.length + 1) : whole.length))
  if (wire.length > 0) wire[draw.below(wire.length)] = draw.below(256)
  let expected: Read
  try {
    expected = byLibrary(wire)
  } catch {
    try {
      readCheckRequest(wire)
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause
    }
    return
  }
  if (!isDeepStrictEqual(byUs(wire, expected.mapped.size), expected)) throw new Error(`read differently: ${show(wire)}`)
}

// --- and the answers

const NAMES = ['x-keyward-key-id', 'x-keyward-visible', 'x-request-id', 'ratelimit', ':path', 'content-type']
const VALUES = ['', 'a', 'kw_prod_0123456789AB', 'caf\u00e9', '\u00ff\u0080', 'x'.repeat(127), 'y'.repeat(128)]
const fields = (draw: Draw): readonly string[] =>
  Array.from({ length: draw.below(18) }, () => [
    draw.chance(0.9) ? draw.pick(NAMES) : `x-${draw.below(500)}`,
    draw.chance(0.002) ? 'z'.repeat(17_000) : draw.pick(VALUES),
  ]).flat()

/** Writes so many random answers and has a library read them; throws on one that says something else than was meant. */
export function compareResponses(count: number, seed: number): void {
  const draw = seeded(seed)
  for (let i = 0; i < count; i++) {
    const ok = {
      headers: fields(draw),
      remove: Array.from({ length: draw.below(4) }, () => draw.pick(NAMES)),
      responseHeaders: fields(draw),
    }
    const allowed = decodeResponse(okResponse(ok))
    const read = allowed.okResponse && {
      headers: overwriting(allowed.okResponse.headers),
      remove: allowed.okResponse.headersToRemove,
      responseHeaders: overwriting(allowed.okResponse.responseHeadersToAdd),
    }
    if (allowed.status?.code !== 0 || allowed.deniedResponse || !isDeepStrictEqual(read, ok)) {
      throw new Error(`written differently: ${JSON.stringify([ok, allowed])}`)
    }
    const no = {
      code: draw.pick([3, 7, 8, 14, 16]),
      status: draw.pick([400, 401, 403, 429, 503]),
      headers: fields(draw),
      body: draw.pick(['', '{"code":"invalid_key"}', 'ü\u{1f511}'.repeat(100)]),
    }
    const { status, deniedResponse: denied, okResponse: yes } = decodeResponse(deniedResponse(no))
    const refused = denied && {
      code: status?.code,
      status: denied.status.code,
      headers: overwriting(denied.headers),
      body: denied.body,
    }
    if (yes || !isDeepStrictEqual(refused, no)) throw new Error(`written differently: ${JSON.stringify([no, denied])}`)
  }
}
