/** What came of a call over HTTP/2, in one word or two, and the frames of a call that is as it should be. */
import { decodeResponse } from '../support/ext-authz-proto.ts'
import type { Caller } from './h2-caller.ts'
import { data, type Field, framed, headers } from './h2-frames.ts'

export const CHECK = '/envoy.service.auth.v3.Authorization/Check'

export const PSEUDO: readonly Field[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', CHECK],
  [':authority', 'keyward'],
]

export const REGULAR: readonly Field[] = [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
]

export const GOOD: readonly Field[] = [...PSEUDO, ...REGULAR]

/** The fields of a good call, some of them with another value. */
export const goodBut = (changed: Readonly<Record<string, string>>): readonly Field[] =>
  GOOD.map(([name, value]) => [name, changed[name] ?? value])

export const goodWith = (...more: readonly Field[]): readonly Field[] => [...GOOD, ...more]

export const goodWithout = (...names: readonly string[]): readonly Field[] =>
  GOOD.filter(([name]) => !names.includes(name))

/** A call with these fields and this message. */
export const called = (fields: readonly Field[], message: Uint8Array, stream = 1): readonly Buffer[] => [
  headers(stream, fields),
  data(stream, framed(message), { end: true }),
]

/**
 * `allowed`, or how it was not: `denied 401`, `grpc 12`, `http 415`, `reset 1`, `goaway 1`, `closed`, `nothing`. A yes is
 * seen before anything else, whatever came behind it.
 */
export function outcomeOf(caller: Caller, id = 1): string {
  const { data, fields, reset } = caller.stream(id)
  const first = (name: string) => fields.find(([key]) => key === name)?.[1]
  if (data.length > 5) {
    const { okResponse, deniedResponse, status } = decodeResponse(data.subarray(5))
    if (okResponse !== undefined || deniedResponse === undefined || (status?.code ?? 0) === 0) return 'allowed'
    return `denied ${deniedResponse.status.code}`
  }
  if (reset !== undefined) return `reset ${reset}`
  const [http, grpc] = [first(':status'), first('grpc-status')]
  if (http !== undefined && http !== '200') return `http ${http}`
  if (grpc !== undefined) return `grpc ${grpc}`
  if (caller.goaway() !== undefined) return `goaway ${caller.goaway()}`
  return caller.isClosed() ? 'closed' : 'nothing'
}
