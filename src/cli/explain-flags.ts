/** The flags of `keyward explain`, and what several of its forms read of them. */
import { parseAddress } from '../core/address.ts'
import type { Index } from '../core/decide.ts'
import type { KeyRecord } from '../core/record.ts'
import type { Flags, KeyCommandParts } from './command-parts.ts'
import type { Question } from './explain.ts'
import { wrongly } from './refused.ts'

/** What is in force in a folder; a sentence where that can't be looked at. */
export type FolderLook = (wanted: {
  readonly manifests: string
  readonly data: string | undefined
  readonly key: string | undefined
  readonly nowMs: number
}) => Promise<{ readonly index: Index; readonly record: KeyRecord | undefined } | string>

export type ExplainFlags = Flags & {
  readonly manifests?: string
  readonly data?: string
  readonly key?: string
  readonly requestId?: string
  readonly authz?: readonly string[]
  readonly authzNamespace?: string
  readonly method?: string
  readonly host?: string
  readonly path?: string
  readonly header?: readonly string[]
  readonly address?: string
  readonly output: 'text' | 'json' | 'yaml'
}

export type ExplainParts = KeyCommandParts & { readonly look: FolderLook }

const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/
const CREDENTIALS = /^(authorization|proxy-authorization|x-api-key|cookie)$/i

/** What there is of a caller besides the request. */
export function callerOf({ header = [], address }: ExplainFlags): Pick<Question, 'headers' | 'address'> {
  if (address !== undefined && parseAddress(address) === undefined) throw wrongly('--address: is no IP address')
  const headers = header.flatMap((one) => {
    const [, name, value = ''] = HEADER.exec(one) ?? []
    if (name === undefined) throw wrongly("--header: a name, a colon and a value are needed, such as 'X-Method: a'")
    if (CREDENTIALS.test(name))
      throw wrongly(`--header: ${name} may be a credential, and others read arguments: name the key with --key`)
    return [name, value.trim()]
  })
  return { headers, address }
}

export function checkFolder({ kubeconfig, context, server }: ExplainFlags): void {
  if ((kubeconfig ?? context ?? server) !== undefined)
    throw wrongly('--manifests: or --kubeconfig, --context and --server: one of them')
}
