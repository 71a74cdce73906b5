/** What the commands on a cluster share: kubectl's own flags, and how each of them begins and ends. */
import { type Command, Option } from 'commander'
import type { Cluster } from './cluster.ts'
import { ending, isUnread } from './ending.ts'
import { type ClusterFlags, type Opening, openingOf, timeOf } from './port-flags.ts'
import { wrongly } from './refused.ts'
import type { Terminal } from './terminal.ts'

export type KeyCommandParts = {
  readonly terminal: Terminal
  readonly open: (opening: Opening) => Promise<Cluster>
  readonly exit: (code: number) => void
}

export type Flags = Readonly<Record<string, unknown>> & ClusterFlags

export const gathered = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
]

/** kubectl's own, of every command. */
export const onCluster = (command: Command): Command =>
  command
    .option('--kubeconfig <file>', 'how to reach the API server; default: as kubectl finds it')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--server <url>', 'instead of a kubeconfig: an API server, or a standalone')
    .option('--token-file <file>', 'with --server: the file with its token')
    .option('--certificate-authority <file>', 'with --server: the CA of its certificate, PEM')
    .option('-n, --namespace <name>', "Kubernetes namespace; default: the context's, or default")
    .option('--as <user>', 'act as this user')
    .option('--as-group <group>', 'act as a member of this group too; may be repeated', gathered)
    .option('--request-timeout <time>', 'how long one request may take, such as 30s, or 0 for no limit; default: 10s')

/** The first of them unless it is said. */
export const output = (choices: readonly string[]): Option =>
  new Option('-o, --output <form>', 'form of the output').choices(choices).default(choices[0] ?? '')

export const dryRun = (): Option =>
  new Option('--dry-run <mode>', 'server: ask the API server, and change nothing').choices(['none', 'server'])

export const timeout = (): Option => new Option('--timeout <time>', 'how long to wait for the operator').default('60s')

export const isDryRun = ({ dryRun }: Flags): boolean => dryRun === 'server'

export function timeoutOf({ timeout }: Flags): number {
  const timeoutMs = timeOf(String(timeout))
  if (timeoutMs === undefined || timeoutMs === 0)
    throw wrongly(`--timeout: ${JSON.stringify(timeout)} is not a time such as 60s`)
  return timeoutMs
}

/** Where a command is carried out; a person who is asked may still choose another Kubernetes namespace. */
export type At = { namespace: string }

/** Opens the cluster, does it, and says why not; 0, 1 or 2. */
export function attempt(
  name: string,
  flags: Flags,
  parts: KeyCommandParts,
  act: (cluster: Cluster, at: At) => Promise<number>,
): Promise<void> {
  const at = { namespace: flags.namespace ?? 'default' }
  return unlessEnded(name, parts, at, async () => {
    const opening = openingOf(flags)
    if (!opening.ok) throw wrongly(opening.problem)
    const cluster = await parts.open(opening.value)
    at.namespace = flags.namespace ?? cluster.namespace
    try {
      return await act(cluster, at)
    } finally {
      await cluster.close()
    }
  })
}

/** @param at looked at when it ends */
export async function unlessEnded(
  name: string,
  { terminal, exit }: Omit<KeyCommandParts, 'open'>,
  at: At,
  act: () => Promise<number>,
): Promise<void> {
  try {
    exit(await act())
  } catch (error) {
    if (isUnread(error)) return exit(1)
    const { words, code } = await ending(error, { ...at, self: terminal.self })
    terminal.err(`${terminal.self} ${name}: ${words}\n`)
    exit(code)
  }
}
