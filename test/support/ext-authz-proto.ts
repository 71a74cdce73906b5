/** Envoy's messages by a protobuf library and the published numbers: what our own reader and writer are held against. */
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

export const protoFile = (name: 'ext_authz' | 'health'): string =>
  fileURLToPath(new URL(`../proto/${name}.proto`, import.meta.url))

const root = protobuf.loadSync(protoFile('ext_authz'))

export const CheckRequestProto = root.lookupType('envoy.service.auth.v3.CheckRequest')
const CheckResponseProto = root.lookupType('envoy.service.auth.v3.CheckResponse')

export type HeaderOption = {
  readonly header: { readonly key: string; readonly value: string; readonly rawValue: string }
  readonly appendAction: number
  readonly keepEmptyValue: boolean
}

export type Answered = {
  readonly status: { readonly code: number } | null
  readonly okResponse?: {
    readonly headers: readonly HeaderOption[]
    readonly headersToRemove: readonly string[]
    readonly responseHeadersToAdd: readonly HeaderOption[]
  }
  readonly deniedResponse?: {
    readonly status: { readonly code: number }
    readonly headers: readonly HeaderOption[]
    readonly body: string
  }
}

export const encodeRequest = (request: object): Uint8Array =>
  CheckRequestProto.encode(CheckRequestProto.fromObject(request)).finish()

/** With the defaults written out. */
export const decodeResponse = (bytes: Uint8Array): Answered =>
  CheckResponseProto.toObject(CheckResponseProto.decode(bytes), {
    defaults: true,
    bytes: String,
    arrays: true,
  }) as Answered

/** Name, value, name, value … of what replaces a name and is sent even if it is empty; throws on any other option. */
export function overwriting(options: readonly HeaderOption[]): readonly string[] {
  return options.flatMap(({ header, appendAction, keepEmptyValue }) => {
    if (appendAction !== 2 || !keepEmptyValue) throw new Error(`${header.key} would not replace`)
    if (header.value !== '' && header.rawValue !== '') throw new Error(`${header.key} has two values`)
    return [
      header.key,
      header.rawValue === '' ? header.value : Buffer.from(header.rawValue, 'base64').toString('latin1'),
    ]
  })
}
