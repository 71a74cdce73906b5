/** A real Redis, in a process of its own on a free port. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ServerCertificate } from './certificates.ts'
import { part } from './parts.ts'
import { freePort, type Running, startProcess, temporaryFolder, untilReady } from './process.ts'

export type RedisServer = Running & {
  /** Of 127.0.0.1; a TLS port where `tls` was given. */
  readonly port: number
  /** `redis://127.0.0.1:PORT`, or `rediss://` with TLS. Holds no password. */
  readonly url: string
  /** Its working folder, removed at the end of the test file. */
  readonly dir: string
  /** SIGSTOP: connections stay open, and even new ones are accepted by the kernel, but nothing is answered. */
  readonly pause: () => void
  /** SIGCONT: what was asked meanwhile is answered now. */
  readonly resume: () => void
  /** What redis-cli prints, an error reply too ("NOAUTH Authentication required."). Rejects where there is no answer. */
  readonly cli: (...args: readonly string[]) => Promise<string>
  /** Ends this one where it still runs, and starts the next: same port, same options, the data that was kept (see `persist`). */
  readonly restart: () => Promise<RedisServer>
}

export type RedisOptions = {
  readonly port?: number
  /** Further arguments of redis-server, last: `['--user', 'keyward', 'on', '>secret', '~keyward:*', '+@all']`, `['--requirepass', 'x']`. */
  readonly args?: readonly string[]
  /** Serves TLS only. */
  readonly tls?: ServerCertificate
  /** With `tls`: asks clients for a certificate of the same authority. */
  readonly clientCertificates?: boolean
  /** true: every write is on disk before it is answered, so that even kill() and restart() lose nothing. false: a restart is empty. */
  readonly persist?: boolean
  /** Before the arguments of every cli(): `['--user', 'admin', '--pass', 'x', '--no-auth-warning']`. */
  readonly cliArgs?: readonly string[]
}

/** Ready within some 50 ms. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort())
  const { tls, clientCertificates = false, persist = false, args = [], cliArgs = [] } = options
  const cliTls =
    tls === undefined ? [] : ['--tls', '--cacert', tls.caFile, '--cert', tls.certFile, '--key', tls.keyFile]
  return launchRedis({
    port,
    scheme: tls === undefined ? 'redis' : 'rediss',
    dir: temporaryFolder(),
    args: [
      ...['--bind', '127.0.0.1', '--enable-debug-command', 'local'],
      ...(tls === undefined ? ['--port', String(port)] : tlsArgs({ port, tls, clientCertificates })),
      ...['--save', '', '--appendonly', persist ? 'yes' : 'no', '--appendfsync', 'always'],
      ...args,
    ],
    cliArgs: [...cliTls, ...cliArgs],
  })
}

export type RedisLaunch = {
  readonly port: number
  readonly scheme: 'redis' | 'rediss'
  readonly dir: string
  /** Every argument of redis-server. */
  readonly args: readonly string[]
  readonly cliArgs: readonly string[]
}

export async function launchRedis(launch: RedisLaunch): Promise<RedisServer> {
  const { port, scheme, dir, args } = launch
  const started = startProcess(part('redis-server'), args, { cwd: dir })
  await untilReady(`redis-server on port ${port} is ready`, {
    process: started,
    ready: () => /Ready to accept connections|Sentinel ID is/.test(started.output()),
  })
  return {
    ...started,
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    dir,
    pause: () => started.signal('SIGSTOP'),
    resume: () => started.signal('SIGCONT'),
    cli: (...command) => askCli(launch, command),
    restart: async () => {
      await started.stop()
      return launchRedis(launch)
    },
  }
}

const CLI_WITHIN_MS = 30_000

async function askCli({ port, cliArgs }: RedisLaunch, command: readonly string[]): Promise<string> {
  const args = ['-h', '127.0.0.1', '-p', String(port), ...cliArgs, ...command]
  const { stdout } = await promisify(execFile)(part('redis-cli'), args, { timeout: CLI_WITHIN_MS })
  return stdout.trimEnd()
}

type TlsParts = { readonly port: number; readonly tls: ServerCertificate; readonly clientCertificates: boolean }

function tlsArgs({ port, tls, clientCertificates }: TlsParts): readonly string[] {
  return [
    ...['--port', '0', '--tls-port', String(port)],
    ...['--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile, '--tls-ca-cert-file', tls.caFile],
    ...['--tls-auth-clients', clientCertificates ? 'yes' : 'no'],
  ]
}
