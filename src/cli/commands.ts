/** The commands on the keys of a cluster, as commander knows them; what they do is loaded when it is asked for. */
import { Argument, type Command } from 'commander'
import {
  attempt,
  dryRun,
  type Flags,
  gathered,
  isDryRun,
  type KeyCommandParts,
  onCluster,
  output,
  timeout,
  timeoutOf,
  unlessEnded,
} from './command-parts.ts'
import { addExplain } from './explain-command.ts'
import type { FolderLook } from './explain-flags.ts'
import type { ShownForm } from './hand-out.ts'
import type { Act } from './key-state.ts'
import type { ListForm } from './list-keys.ts'
import type { NewKeyFlags } from './new-key.ts'
import { openingOf } from './port-flags.ts'
import { wrongly } from './refused.ts'

const handingOver = (command: Command): Command =>
  command
    .option('--out <file>', 'write the credential to a new file (mode 0600) instead of printing it')
    .option('--out-secret <name>', 'put the credential into a new Secret of the namespace instead of printing it')
    .addOption(timeout())

export function addKeyCommands(program: Command, parts: KeyCommandParts & { readonly look: FolderLook }): void {
  program.name(parts.terminal.self)
  addCreate(program, parts)
  addLooking(program, parts)
  addClaiming(program, parts)
  for (const [act, about] of [
    ['suspend', 'keep keys from working until they are resumed; at once'],
    ['resume', 'let suspended keys work again'],
    ['revoke', 'end keys for good, and keep their history; asks'],
  ] as const) {
    addAct(program, { act, about }, parts)
  }
  addExplain(program, parts)
  addCompletion(program, parts)
}

function addCreate(program: Command, parts: KeyCommandParts): void {
  const command = handingOver(
    onCluster(program.command('create').description('make a key, and show its credential once')),
  )
  command
    .argument('[name]', 'name of the ApiKey; without it all is asked for, on a terminal')
    .option('--access-namespace <name>', 'the AccessNamespace that it is bound to')
    .option('--environment <name>', 'production, staging or development')
    .option('--permissions <list>', 'what it may do, such as license:manage,customer:read; may be repeated', gathered)
    .option('--display-name <text>', 'its name for people')
    .option('--customers <list>', 'the customers that it is limited to', gathered)
    .option('--expires-at <time>', 'when it ends by itself, such as 2027-03-01T00:00:00Z')
    .option('--expires-in <time>', 'the same from now on, such as 90d')
    .option('--rate-limit <rate>', 'such as 600/1m')
    .option('--burst <n>', 'how many of them at once')
    .option('--quota <amount>', 'such as 1000000/month')
    .option('--allowed-cidrs <list>', 'the address blocks that it may be used from', gathered)
    .option('--overlap <time>', 'how long a replaced secret still works, such as 1h')
    .option(
      '--secret-name <name>',
      'the operator keeps the credential in this Secret, for a workload; nothing is claimed',
    )
    .option('--rotate-every <time>', 'with --secret-name: a new secret by itself, such as 720h')
    .option('--wait', 'wait for the credential (default)')
    .option('--no-wait', 'make the key, and leave its credential to be claimed later (also --wait=false)')
    .addOption(dryRun())
    .addOption(output(['text', 'json', 'yaml', 'name']))
    .action((name: string | undefined, flags: Flags) =>
      attempt('create', flags, parts, async (cluster, at) => {
        const { createKey } = await import('./create-key.ts')
        return createKey(
          cluster,
          {
            ...handOverOf(flags),
            name,
            namespace: flags.namespace,
            placed: (namespace) => {
              at.namespace = namespace
            },
            flags: flags as NewKeyFlags,
            dryRun: isDryRun(flags),
            wait: flags.wait !== false,
          },
          parts.terminal,
        )
      }),
    )
}

function addLooking(program: Command, parts: KeyCommandParts): void {
  onCluster(program.command('list').description('the keys of a Kubernetes namespace, or of all'))
    .option('-A, --all-namespaces', 'of all Kubernetes namespaces')
    .option('-l, --selector <labels>', 'only those with these labels, such as team=web')
    .option('--no-headers', 'without the line of titles')
    .addOption(output(['table', 'wide', 'json', 'yaml', 'name']))
    .action((flags: Flags) =>
      attempt('list', flags, parts, async (cluster, { namespace }) => {
        const { listKeys } = await import('./list-keys.ts')
        const options = {
          namespace: flags.allNamespaces === true ? undefined : namespace,
          selector: flags.selector as string | undefined,
          output: flags.output as ListForm,
          headers: flags.headers !== false,
        }
        return listKeys(cluster, options, parts.terminal)
      }),
    )
  onCluster(program.command('get').description('all about one key: what is in force, and why something is not'))
    .argument('<name>', 'name of the ApiKey')
    .option('--no-headers', 'without the line of titles')
    .addOption(output(['text', 'table', 'wide', 'json', 'yaml', 'name']))
    .action((name: string, flags: Flags) =>
      attempt('get', flags, parts, async (cluster, { namespace }) => {
        const { getKey } = await import('./describe-key.ts')
        const options = { namespace, name, output: flags.output as 'text' | ListForm, headers: flags.headers !== false }
        return getKey(cluster, options, parts.terminal)
      }),
    )
}

function addClaiming(program: Command, parts: KeyCommandParts): void {
  handingOver(onCluster(program.command('claim').description('receive the credential of a key that nobody has yet')))
    .argument('<name>', 'name of the ApiKey')
    .addOption(dryRun())
    .addOption(output(['text', 'json', 'yaml', 'name']))
    .action((name: string, flags: Flags) =>
      attempt('claim', flags, parts, async (cluster, { namespace }) => {
        const { claimKey } = await import('./claim-key.ts')
        const options = { ...handOverOf(flags), key: { namespace, name }, dryRun: isDryRun(flags) }
        return claimKey(cluster, options, parts.terminal)
      }),
    )
  handingOver(
    onCluster(
      program.command('regenerate').description('a new secret for a key, and receive it; everything else stays'),
    ),
  )
    .argument('<name>', 'name of the ApiKey')
    .option(
      '--overlap <time>',
      'how long the old secret still works once the new one is handed over, such as 1h; default: what the key says',
    )
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'wait for the credential (default)')
    .option('--no-wait', 'leave the new credential to be claimed later (also --wait=false)')
    .addOption(dryRun())
    .addOption(output(['text', 'json', 'yaml', 'name']))
    .action((name: string, flags: Flags) =>
      attempt('regenerate', flags, parts, async (cluster, { namespace }) => {
        const { regenerateKey } = await import('./claim-key.ts')
        const options = {
          ...handOverOf(flags),
          key: { namespace, name },
          overlap: flags.overlap as string | undefined,
          dryRun: isDryRun(flags),
          yes: flags.yes === true,
          wait: flags.wait !== false,
        }
        return regenerateKey(cluster, options, parts.terminal)
      }),
    )
}

function addAct(
  program: Command,
  { act, about }: { readonly act: Act; readonly about: string },
  parts: KeyCommandParts,
): void {
  const command = onCluster(program.command(act).description(about))
    .argument('<names...>', 'names of ApiKeys')
    .option('--wait', 'until the operator has seen it; enforcement does not wait for that')
    .option('--no-wait', 'return as soon as the API server has it (default)')
    .addOption(timeout())
    .addOption(dryRun())
    .addOption(output(['text', 'json', 'yaml', 'name']))
  if (act === 'revoke') command.option('-y, --yes', 'do not ask')
  command.action((names: readonly string[], flags: Flags) =>
    attempt(act, flags, parts, async (cluster, { namespace }) => {
      const { changeStates } = await import('./key-state.ts')
      const options = {
        act,
        namespace,
        names,
        output: flags.output as ShownForm,
        dryRun: isDryRun(flags),
        wait: flags.wait === true,
        timeoutMs: timeoutOf(flags),
        yes: flags.yes === true,
      }
      return changeStates(cluster, options, parts.terminal)
    }),
  )
}

function addCompletion(program: Command, parts: KeyCommandParts): void {
  const { terminal, open } = parts
  program
    .command('completion')
    .description('what a shell needs to complete these commands; source <(keyward completion bash)')
    .addArgument(new Argument('<shell>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']))
    .action((shell: 'bash' | 'zsh' | 'fish') =>
      unlessEnded('completion', parts, NOWHERE, async () => {
        const { completionScript } = await import('./completion-scripts.ts')
        await terminal.out(completionScript(shell))
        return 0
      }),
    )
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .helpOption(false)
    .action((words: readonly string[]) =>
      unlessEnded('__complete', parts, NOWHERE, async () => {
        const { complete, completionText } = await import('./completion.ts')
        const opened = async (said: Readonly<Record<string, string>>) => {
          const opening = openingOf({
            ...said,
            requestTimeout: COMPLETE_WITHIN,
            asGroup: said.asGroup === undefined ? [] : [said.asGroup],
          })
          if (!opening.ok) throw wrongly(opening.problem)
          return open(opening.value)
        }
        const found = await complete(words, { program, open: opened, nowMs: terminal.clock.nowMs() })
        await terminal.out(completionText(found))
        return 0
      }),
    )
}

/** They are about no Kubernetes namespace. */
const NOWHERE = { namespace: '' }

/** Nobody waits longer for a Tab. */
const COMPLETE_WITHIN = '3s'

const handOverOf = (flags: Flags) => ({
  out: flags.out as string | undefined,
  outSecret: flags.outSecret as string | undefined,
  output: flags.output as ShownForm,
  timeoutMs: timeoutOf(flags),
})
