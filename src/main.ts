#!/usr/bin/env node
/** Subcommand to the code behind it, loaded when it is asked for; the only file with process.env, process.argv and process.exit. */
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { calledAs } from './cli/command-line.ts'
import { addKeyCommands } from './cli/commands.ts'
import { personAt } from './cli/person.ts'
import { printableLines } from './cli/printable.ts'
import { Trouble } from './core/trouble.ts'
import { readConfigFile } from './runtime/config.ts'
import { mask } from './runtime/mask.ts'
import { pause } from './runtime/pause.ts'
import type { RunParts } from './runtime/running.ts'
import { jitter, nowMs, random, steadyMs } from './runtime/system.ts'

// Halves the time of a start, most of which goes into compiling. In the user's own cache, not in a temporary folder that
// others can write to; where it can not be written, nothing is lost.
const cacheHome = process.env.XDG_CACHE_HOME ?? (process.env.HOME && join(process.env.HOME, '.cache'))
if (cacheHome) enableCompileCache(join(cacheHome, 'keyward', 'compiled'))

/** 0: done; 1: it went wrong, or what was checked is not right; 2: it was called wrongly. */
const USAGE = 2

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

// whoever reads us may go (a pager, a log shipper): that must not take the enforcement of an API down with it
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

const io = {
  out: (text: string): void => {
    process.stdout.write(text)
  },
  err: (text: string): void => {
    // an argument that can't be understood is repeated there, and may be a key
    process.stderr.write(mask(text))
  },
}

/** Within this time a signal is the same one once more: npm passes on what the whole process group was sent already. */
const SAME_SIGNAL_MS = 500

/** Aborts at the first SIGTERM or SIGINT; a second one ends the process at once, as a terminal's user expects. */
function stopSignal(): AbortSignal {
  const controller = new AbortController()
  let firstMs = 0
  const stop = () => {
    if (!controller.signal.aborted) {
      firstMs = steadyMs()
      controller.abort()
    } else if (steadyMs() - firstMs > SAME_SIGNAL_MS) process.exit(130)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return controller.signal
}

const outputForm = () =>
  new Option('-o, --output <form>', 'form of the output').choices(['text', 'json', 'yaml']).default('text')

type Runs = (parts: RunParts) => Promise<number>

/** Resolves when the text is on its way. */
const print = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
  })

/** A part that runs until it is stopped. */
async function run(runs: Runs, { config, ...flags }: Record<string, unknown>): Promise<void> {
  const file = readConfigFile(typeof config === 'string' ? config : process.env.KEYWARD_CONFIG)
  process.exitCode = await runs({ flags, env: process.env, file, out: print, err: io.err, version, stop: stopSignal() })
}

/** Options of everything that listens. */
const listening = (command: Command, ports: string): Command =>
  command
    .option('--port-offset <n>', `add this to the ports ${ports}`)
    .option('--listen <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--tls-cert <file>', 'certificate for the checks, PEM; exchanged when the file changes')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--client-ca <file>', 'only clients with a certificate of this CA may ask')
    .option('--trusted-hops <n>', 'proxies in front whose X-Forwarded-For entries are believed (default: 0)')
    .option('--log-level <level>', 'debug, info, warn or error (default: info)')
    .option('--config <file>', 'YAML file with the same options, named in camelCase')

/** Options of everything that talks to the API server. */
const onCluster = (command: Command): Command =>
  command
    .option('--kubeconfig <file>', 'how to reach the API server; in a pod its service account is what counts')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--service-account <dir>', "folder with the service account's token, ca.crt and namespace")
    .option(
      '--namespace <name>',
      "Keyward's own Kubernetes namespace (default: the service account's, or keyward-system)",
    )

const program = new Command('keyward')
  .description('API keys for Kubernetes: declared as resources, handed over once, enforced everywhere')
  .version(version)
  .exitOverride()
  .showHelpAfterError('keyward COMMAND --help says what it takes')
  // it repeats what it can't read
  .configureOutput({ writeOut: io.out, writeErr: (text) => io.err(printableLines(text)) })

listening(
  program
    .command('standalone')
    .description('protect an API with keys that a folder of manifests declares: no cluster, no Redis')
    .option('--manifests <dir>', 'folder with AccessNamespaces, ApiKeys and ProtectedApis; watched')
    .option('--data <dir>', 'where digests and accepted manifests are kept (default: .keyward)')
    .option('--upstream <url>', 'the API to protect; without it only the checks are served')
    .option('--new-keys <file>', 'append new keys to this file as JSON lines; - for standard output'),
  '8080 (proxy), 8088 (API), 9000 (HTTP check), 9001 (gRPC check) and 9090 (metrics, health)',
).action(async (flags: Record<string, unknown>) => {
  const { runStandalone } = await import('./standalone/run.ts')
  await run(runStandalone, flags)
})

listening(
  onCluster(
    program.command('authz').description('answer the checks of proxies, with the keys of a cluster or of a standalone'),
  )
    .option('--manifests <dir>', 'folder with the manifests of a standalone, instead of a cluster; watched')
    .option('--data <dir>', 'data folder of that standalone; only read')
    .option(
      '--redis <url>',
      'where all replicas count limits: redis[s]://, redis[s]+sentinel:// or redis[s]+cluster://',
    )
    .option('--redis-password-file <file>', 'its password')
    .option('--redis-sentinel-password-file <file>', 'the password of the Sentinels')
    .option('--redis-ca <file>', 'CA of its certificate, PEM')
    .option('--redis-cert <file>', 'certificate to show to it, PEM')
    .option('--redis-key <file>', 'private key of that certificate, PEM')
    .option('--redis-prefix <text>', 'before every key in it (default: keyward:)')
    .option('--replicas <n>', 'how many of these there are, where Redis can not tell (default: 1)')
    .option('--replica <n>', 'which of them this one is, from 0, where Redis can not tell'),
  '9000 (HTTP check), 9001 (gRPC check) and 9090 (metrics, health)',
).action(async (flags: Record<string, unknown>) => {
  const { runAuthz } = await import('./authz/run.ts')
  await run(runAuthz, flags)
})

onCluster(
  program
    .command('operator')
    .description('bring the keys of a cluster to where their manifests want them: one replica leads, the others wait')
    .option('--lease-duration <time>', 'how long a leader that is gone keeps the others waiting (default: 15s)')
    .option('--identity <name>', 'what this replica is called in the Lease (default: the host name, and a part drawn)')
    .option('--operator-namespace <name>', 'where its own certificates and keys lie (default: keyward-operator)')
    .option('--webhook-certificate <dir>', 'tls.crt and tls.key that somebody else renews, as cert-manager does')
    .option('--webhook-client-ca <file>', 'answer webhooks only to holders of a certificate of these authorities, PEM')
    .option('--webhook-hosts <names>', 'as which the API server calls the webhooks, besides their Service')
    .option('--drain <time>', 'how long webhooks are still answered once it is to stop (default: 3s)')
    .option('--max-attestation-age <time>', "how long a user's groups count as they were (default: for ever)"),
)
  .option('--port-offset <n>', 'add this to the ports 9090 (metrics, health) and 9443 (webhooks)')
  .option('--listen <address>', 'address to listen on (default: 127.0.0.1)')
  .option('--log-level <level>', 'debug, info, warn or error (default: info)')
  .option('--config <file>', 'YAML file with the same options, named in camelCase')
  .action(async (flags: Record<string, unknown>) => {
    const { runOperator } = await import('./operator/run.ts')
    await run(runOperator, flags)
  })

program
  .command('verify')
  .description('name every problem of a folder of manifests, with file, line and field')
  .argument('<dir>', 'folder with the manifests')
  .option('--data <dir>', 'data folder of standalone: name also the edits that it would refuse')
  .addOption(outputForm())
  .action(async (dir: string, { data, output }: { data?: string; output: string }) => {
    const { runVerify } = await import('./cli/verify.ts')
    const readForms = async (folder: string) => (await import('./folder/store.ts')).readForms(folder)
    process.exitCode = await runVerify({ dir, data, output }, { ...io, nowMs, readForms })
  })

program
  .command('generate')
  .description('make a key offline: the key once, and the digest that a manifest imports')
  .requiredOption('--environment <name>', 'production, staging or development')
  .option('--out <file>', 'write the key to a new file (mode 0600) instead of printing it')
  .addOption(outputForm())
  .action(async (flags: { environment: string; out?: string; output: string }) => {
    const { runGenerate } = await import('./cli/generate.ts')
    process.exitCode = await runGenerate(flags, { ...io, random })
  })

const { self, args } = calledAs(process.argv)
let stopping: AbortSignal | undefined
addKeyCommands(program, {
  terminal: {
    out: print,
    err: io.err,
    // where there are none, for NO_COLOR or whatever reason, this says so
    colours: process.stdout.isTTY && process.stdout.hasColors(),
    person:
      process.stdin.isTTY && process.stderr.isTTY
        ? personAt({ input: process.stdin, output: process.stderr })
        : undefined,
    self,
    clock: { nowMs, steadyMs },
    stop: () => {
      stopping ??= stopSignal()
      return stopping
    },
    pause,
  },
  open: async (opening) => {
    const { openCluster } = await import('./cli/run.ts')
    return openCluster(opening, { env: process.env, steadyMs, jitter })
  },
  look: async (wanted) => {
    const { look } = await import('./folder/look.ts')
    return look(wanted)
  },
  exit: (code) => {
    process.exitCode = code
  },
})

try {
  await program.parseAsync(args, { from: 'user' })
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : USAGE
  else if (error instanceof Trouble) {
    const { code, cause } = error
    io.err(`keyward: ${code.replaceAll('_', ' ')}${cause instanceof Error ? `: ${cause.message}` : ''}\n`)
    process.exitCode = 1
  } else throw error
}
