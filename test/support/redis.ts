/** Real Redis: one server (redis-server.ts), a master with replicas under Sentinels, a Cluster. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServerCertificate } from './certificates.ts'
import { freePort, temporaryFolder } from './process.ts'
import { launchRedis, type RedisOptions, type RedisServer, startRedis } from './redis-server.ts'
import { until } from './until.ts'

export { type RedisOptions, type RedisServer, startRedis } from './redis-server.ts'

export type Sentinels = {
  /** The first master; after a failover it is another one: see masterPort. */
  readonly master: RedisServer
  readonly replicas: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]
  /** What the Sentinels call the master. */
  readonly name: string
  /** Whom the Sentinels name as the master now (the first one that answers is asked). */
  readonly masterPort: () => Promise<number>
}

const NAME = 'keyward'
/** Different, for three that see it in the same moment all vote for themselves, and try again after seconds only. */
const DOWN_AFTER_MS = [400, 500, 1000]
/**
 * Redis's own periods, made short so that groups are complete and failovers done within a second or two. Not ping-period:
 * a replica that was silent for five of them is none to promote.
 */
const FAST = [
  ...['info-period', '200', 'publish-period', '100', 'ask-period', '100'],
  // a test machine is often too busy for a process to run on time, which Sentinel would take for a fault of the clock
  ...['tilt-period', '100', 'election-timeout', '1000'],
]

export type SentinelsOptions = {
  /** Everything speaks TLS only, the servers among themselves too. */
  readonly tls?: ServerCertificate
  /** Of the Sentinels, not of the servers. */
  readonly sentinelPassword?: string
}

/** 1 master, 2 replicas, 3 Sentinels that know of each other. A master that is gone for 500 ms is replaced, in some 1.5 s. */
export async function startSentinels(options: SentinelsOptions = {}): Promise<Sentinels> {
  const encrypted = encryptedBy(options.tls, ['--tls-replication', 'yes'])
  // a master waits 5 s for further replicas unless told
  const replicating = ['--repl-diskless-sync-delay', '0', ...encrypted.args]
  const master = await startRedis({ ...encrypted, args: replicating })
  const follow = [...replicating, '--replicaof', '127.0.0.1', String(master.port)]
  const [replicas, sentinels] = await Promise.all([
    Promise.all([1, 2].map(() => startRedis({ ...encrypted, args: follow }))),
    Promise.all(DOWN_AFTER_MS.map((downAfterMs) => startSentinel(master.port, downAfterMs, options))),
  ])
  await until(
    'both replicas follow the master',
    () => allSay(replicas, ['INFO', 'replication'], /master_link_status:up/),
    60_000,
  )
  for (const sentinel of sentinels) {
    // nothing else learns of replicas and Sentinels: pings and gossip with the short periods bring them
    await until(
      'every Sentinel knows both replicas and the two others',
      async () => {
        const { slaves, others } = await knownTo(sentinel)
        return slaves === 2 && others === 2
      },
      60_000,
    )
  }
  return { master, replicas, sentinels, name: NAME, masterPort: () => masterPort(sentinels) }
}

function encryptedBy(
  tls: ServerCertificate | undefined,
  args: readonly string[],
): RedisOptions & { readonly args: readonly string[] } {
  return tls === undefined ? { args: [] } : { tls, args }
}

async function startSentinel(
  masterPort: number,
  downAfterMs: number,
  { tls, sentinelPassword }: SentinelsOptions,
): Promise<RedisServer> {
  const [port, dir] = [await freePort(), temporaryFolder()]
  const file = join(dir, 'sentinel.conf')
  writeFileSync(
    file,
    `${portLines(port, tls)}
bind 127.0.0.1
dir ${dir}
sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 2
sentinel down-after-milliseconds ${NAME} ${downAfterMs}
sentinel failover-timeout ${NAME} 2000
sentinel parallel-syncs ${NAME} 2
${sentinelPassword === undefined ? '' : `requirepass ${sentinelPassword}\nsentinel sentinel-pass ${sentinelPassword}`}
`,
  )
  const sentinel = await launchRedis({
    port,
    scheme: tls === undefined ? 'redis' : 'rediss',
    dir,
    args: [file, '--sentinel'],
    cliArgs: [
      ...(tls === undefined ? [] : ['--tls', '--cacert', tls.caFile]),
      ...(sentinelPassword === undefined ? [] : ['--pass', sentinelPassword, '--no-auth-warning']),
    ],
  })
  // an older Sentinel does not know this, and is only slower
  await sentinel.cli('SENTINEL', 'DEBUG', ...FAST)
  return sentinel
}

function portLines(port: number, tls: ServerCertificate | undefined): string {
  if (tls === undefined) return `port ${port}`
  return `port 0
tls-port ${port}
tls-cert-file ${tls.certFile}
tls-key-file ${tls.keyFile}
tls-ca-cert-file ${tls.caFile}
tls-auth-clients no
tls-replication yes`
}

async function knownTo(sentinel: RedisServer): Promise<{ readonly slaves: number; readonly others: number }> {
  const lines = (await sentinel.cli('SENTINEL', 'MASTER', NAME)).split('\n')
  const field = (name: string) => Number(lines[lines.indexOf(name) + 1])
  return { slaves: field('num-slaves'), others: field('num-other-sentinels') }
}

async function masterPort(sentinels: readonly RedisServer[]): Promise<number> {
  const asked = sentinels.map(async ({ cli }) => {
    const [, port] = (await cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)).split('\n')
    return Number(port)
  })
  return Promise.any(asked)
}

const SLOTS = 16_384
const MASTERS = 3

/** 3 masters without replicas, each with a third of the slots; all of them say that the cluster is ok (some 2 s). */
export async function startRedisCluster(
  options: { readonly tls?: ServerCertificate } = {},
): Promise<{ readonly nodes: readonly RedisServer[] }> {
  const encrypted = encryptedBy(options.tls, ['--tls-cluster', 'yes'])
  const places = await Promise.all(
    Array.from({ length: MASTERS }, async () => ({ port: await freePort(), bus: await freePort() })),
  )
  const nodes = await Promise.all(
    places.map(({ port, bus }) =>
      startRedis({
        ...encrypted,
        port,
        args: [
          ...encrypted.args,
          // the bus is at port + 10000 unless told, which may be anybody's
          ...['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '2000'],
        ],
      }),
    ),
  )
  for (const [index, node] of nodes.entries()) {
    const first = Math.floor((SLOTS * index) / MASTERS)
    const last = Math.floor((SLOTS * (index + 1)) / MASTERS) - 1
    await saysOk(node, ['CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1)])
    await saysOk(node, ['CLUSTER', 'ADDSLOTSRANGE', String(first), String(last)])
  }
  // who knows others gets no number of its own any more, so all of them meet only now
  for (const node of nodes.slice(1)) {
    for (const { port, bus } of places) {
      if (port !== node.port) await saysOk(node, ['CLUSTER', 'MEET', '127.0.0.1', String(port), String(bus)])
    }
  }
  await until(
    'every node of the cluster is ok',
    () =>
      allSay(nodes, ['CLUSTER', 'INFO'], /cluster_state:ok[\s\S]*cluster_slots_ok:16384[\s\S]*cluster_known_nodes:3/),
    60_000,
  )
  return { nodes }
}

async function saysOk(node: RedisServer, command: readonly string[]): Promise<void> {
  const answer = await node.cli(...command)
  if (answer !== 'OK') throw new Error(`${command.join(' ')}: ${answer}`)
}

async function allSay(servers: readonly RedisServer[], command: readonly string[], expected: RegExp): Promise<boolean> {
  const answers = await Promise.all(servers.map(({ cli }) => cli(...command)))
  return answers.every((answer) => expected.test(answer))
}
