/** `keyward explain`: which rule answers a request with a key, and why; of a server, or of a folder of manifests. */
import type { Command } from 'commander'
import { attempt, gathered, type KeyCommandParts, onCluster, output, unlessEnded } from './command-parts.ts'
import type { Explanation, Question } from './explain.ts'
import { callerOf, checkFolder, type ExplainFlags, type ExplainParts } from './explain-flags.ts'
import { refuseSecrets } from './object-name.ts'
import { wrongly } from './refused.ts'

export function addExplain(program: Command, parts: ExplainParts): void {
  onCluster(program.command('explain').description('which rule answers a request with a key, and why'))
    .option('--key <name>', 'an ApiKey, as namespace/name, or a key ID; never the key itself')
    .option('--method <method>', 'the method; default: GET')
    .option('--host <host>', 'the host that is called')
    .option('--path <path>', 'path and query that are called')
    .option('--header <header>', "such as 'X-Method: a'; may be repeated; no credentials", gathered)
    .option('--address <ip>', "the caller's address")
    .option('--request-id <id>', 'instead of key, method, host and path: a request that was answered a while ago')
    .option('--authz <url>', 'with --request-id: port 9090 of what answered; may be repeated', gathered)
    .option('--authz-namespace <name>', 'with --request-id: Kubernetes namespace of authz; default: keyward-system')
    .option('--manifests <dir>', 'instead of a server: a folder with manifests')
    .option('--data <dir>', 'with --manifests: data folder of standalone; needed to name a key by its ID')
    .addOption(output(['text', 'json', 'yaml']))
    .action(async (flags: ExplainFlags) => {
      if (flags.requestId !== undefined) {
        const { ofRequest } = await import('./request-command.ts')
        return ofRequest(flags.requestId, flags, parts)
      }
      return flags.manifests === undefined ? onServer(flags, parts) : inFolder(flags, parts)
    })
}

const onServer = (flags: ExplainFlags, parts: KeyCommandParts): Promise<void> =>
  attempt('explain', flags, parts, async (cluster, { namespace }) => {
    const { terminal } = parts
    const question = await questionOf(flags, parts)
    if (flags.data !== undefined) throw wrongly('--data: goes with --manifests only')
    const { explainKey } = await import('./explain-key.ts')
    const asked = { key: flags.key, namespace, apisIn: flags.namespace, question, self: terminal.self }
    return tell(await explainKey(cluster, asked), flags, parts)
  })

const inFolder = (flags: ExplainFlags, parts: ExplainParts): Promise<void> =>
  unlessEnded('explain', parts, { namespace: 'default' }, async () => {
    checkFolder(flags)
    const question = await questionOf(flags, parts)
    const { explainInFolder } = await import('./explain-folder.ts')
    return tell(await explainInFolder(parts.look, { ...flags, key: flags.key }, question), flags, parts)
  })

async function questionOf(flags: ExplainFlags, { terminal }: KeyCommandParts): Promise<Question> {
  const { key = '', method = 'GET', host = '', path = '', header = [] } = flags
  refuseSecrets([key, path, host, method, ...header])
  if (flags.authz !== undefined) throw wrongly('--authz: goes with --request-id only')
  if (flags.authzNamespace !== undefined) throw wrongly('--authz-namespace: goes with --request-id only')
  if (host === '' || path === '') throw wrongly('--host and --path are needed: what was called')
  return { method, host, target: path, ...callerOf(flags), now: terminal.clock.nowMs() }
}

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
