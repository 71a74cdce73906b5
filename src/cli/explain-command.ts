/** `keyward explain`: which rule answers a request with a key, and why; of a server, or of a folder of manifests. */
import type { Command } from 'commander'
import { parseAddress } from '../core/address.ts'
import type { Index } from '../core/decide.ts'
import type { KeyRecord } from '../core/record.ts'
import { attempt, type Flags, gathered, type KeyCommandParts, onCluster, output, unlessEnded } from './command-parts.ts'
import type { Explanation, Question } from './explain.ts'
import { Stop, wrongly } from './refused.ts'

/** What is in force in a folder; a sentence where that can't be looked at. */
export type FolderLook = (wanted: {
  readonly manifests: string
  readonly data: string | undefined
  readonly key: string | undefined
  readonly nowMs: number
}) => Promise<{ readonly index: Index; readonly record: KeyRecord | undefined } | string>

type ExplainFlags = Flags & {
  readonly manifests?: string
  readonly data?: string
  readonly key?: string
  readonly requestId?: string
  readonly method: string
  readonly host?: string
  readonly path?: string
  readonly header?: readonly string[]
  readonly address?: string
  readonly output: 'text' | 'json' | 'yaml'
}

export function addExplain(program: Command, parts: KeyCommandParts & { readonly look: FolderLook }): void {
  onCluster(program.command('explain').description('which rule answers a request with a key, and why'))
    .option('--key <name>', 'an ApiKey, as namespace/name, or a key ID; never the key itself')
    .option('--method <method>', 'the method', 'GET')
    .option('--host <host>', 'the host that is called')
    .option('--path <path>', 'path and query that are called')
    .option('--header <header>', "such as 'X-Method: a'; may be repeated; no credentials", gathered)
    .option('--address <ip>', "the caller's address")
    .option('--request-id <id>', 'of a request that was answered; requests are not recorded yet')
    .option('--manifests <dir>', 'instead of a server: a folder with manifests')
    .option('--data <dir>', 'with --manifests: data folder of standalone; needed to name a key by its ID')
    .addOption(output(['text', 'json', 'yaml']))
    .action((flags: ExplainFlags) => (flags.manifests === undefined ? onServer(flags, parts) : inFolder(flags, parts)))
}

const onServer = (flags: ExplainFlags, parts: KeyCommandParts): Promise<void> =>
  attempt('explain', flags, parts, async (cluster, { namespace }) => {
    const { terminal } = parts
    const question = await questionOf(flags, parts)
    if (flags.data !== undefined) throw wrongly('--data: goes with --manifests only')
    const { explainKey } = await import('./explain-key.ts')
    return tell(await explainKey(cluster, { key: flags.key, namespace, question, self: terminal.self }), flags, parts)
  })

const inFolder = (flags: ExplainFlags, parts: KeyCommandParts & { readonly look: FolderLook }): Promise<void> =>
  unlessEnded('explain', parts, { namespace: 'default' }, async () => {
    const { manifests = '', data, key, kubeconfig, context, server } = flags
    if ((kubeconfig ?? context ?? server) !== undefined)
      throw wrongly('--manifests: or --kubeconfig, --context and --server: one of them')
    const question = await questionOf(flags, parts)
    const looked = await parts.look({ manifests, data, key, nowMs: question.now })
    if (typeof looked === 'string') throw new Stop(looked)
    const { explain } = await import('./explain.ts')
    const { index, record } = looked
    const shown =
      record === undefined
        ? ({ kind: 'none' } as const)
        : { kind: 'known' as const, record, treeUnseen: false, cappedUnseen: false }
    return tell(explain(index, shown, question), flags, parts)
  })

const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/
const CREDENTIALS = /^(authorization|proxy-authorization|x-api-key|cookie)$/i

async function questionOf(flags: ExplainFlags, { terminal }: KeyCommandParts): Promise<Question> {
  const { key = '', method, host = '', path = '', header = [], address, requestId } = flags
  const { refuseSecrets } = await import('./explain-key.ts')
  refuseSecrets([key, path, host, method, ...header])
  if (requestId !== undefined) throw unrecorded(terminal.self)
  if (host === '' || path === '') throw wrongly('--host and --path are needed: what was called')
  if (address !== undefined && parseAddress(address) === undefined) throw wrongly('--address: is no IP address')
  const headers = header.flatMap((one) => {
    const [, name, value = ''] = HEADER.exec(one) ?? []
    if (name === undefined) throw wrongly("--header: a name, a colon and a value are needed, such as 'X-Method: a'")
    if (CREDENTIALS.test(name))
      throw wrongly(`--header: ${name} may be a credential, and others read arguments: name the key with --key`)
    return [name, value.trim()]
  })
  return { method, host, target: path, headers, address, now: terminal.clock.nowMs() }
}

const unrecorded = (self: string): Stop =>
  new Stop(
    `--request-id: requests are not recorded yet, so there is nothing to look it up in. With --log-level debug, what answers checks logs the keyId, code and why of each requestId.
To have a request explained, say what was asked: ${self} explain --key KEY --method METHOD --host HOST --path PATH`,
  )

async function tell(explained: Explanation, { output }: ExplainFlags, { terminal }: KeyCommandParts): Promise<number> {
  if (output === 'text') {
    const { formatExplanation } = await import('./explain.ts')
    await terminal.out(formatExplanation(explained))
  } else {
    const { valueText } = await import('./object-text.ts')
    await terminal.out(valueText(explained, output))
  }
  return 0
}
