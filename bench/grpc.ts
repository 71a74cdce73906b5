/**
 * The gRPC check, asked directly: against a bare node:http2 server, by the number of keys, with limits leased from Redis,
 * and how long single calls take at 5,000 a second. The server has one core, the load the other.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkRequest } from './check-request.ts'
import { codeOf, grpcLoad, type Paced, pacedLoad } from './h2load.ts'
import { median } from './median.ts'
import { populate } from './population.ts'
import { type Start, start } from './server.ts'
import { ready, type Stored, storeFolder } from './stored.ts'

const SERVER_CORE = 0
const LOAD_CORE = 1
const ROUNDS = 3
const PORT = 31_083
const REDIS = 31_084
const OFFSET = 22_900
const PACE = 5000

const scratch = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
const [redisServer = ''] = execFileSync('bash', ['hack/parts.sh', 'redis-server'], { encoding: 'utf8' }).split('\n')

type Row = {
  readonly name: string
  readonly server: Omit<Start, 'core'>
  /** Its metrics and health, where it has them. */
  readonly health: number | undefined
  /** A credential that passes; undefined: any body will do. */
  readonly key: string | undefined
}

function populated(count: number): Row {
  const { samples } = populate(count)
  const env = { PORT: String(PORT), KEYS: String(count) }
  const command = [process.execPath, '--max-old-space-size=4096', 'bench/grpc-server.ts']
  const key = samples[Math.floor(samples.length / 2)]
  return { name: `${count} keys`, server: { command, port: PORT, env }, health: undefined, key }
}

function authz(name: string, { manifests, data, keys }: Stored, more: readonly string[]): Row {
  const where = ['--manifests', manifests, '--data', data, '--port-offset', String(OFFSET), '--log-level', 'warn']
  const command = [process.execPath, 'src/main.ts', 'authz', ...where, ...more]
  const key = keys[Math.floor(keys.length / 2)]
  return { name, server: { command, port: 9001 + OFFSET }, health: 9090 + OFFSET, key }
}

type Figure = Paced & { readonly perSecond: number; readonly cpuUs: number }

async function measure({ server, health, key }: Row): Promise<Figure> {
  const body = join(scratch, 'body')
  const message = await checkRequest(key ?? '')
  writeFileSync(body, message)
  const running = await start({ core: SERVER_CORE, ...server })
  try {
    if (health !== undefined) await ready(health)
    const code = key === undefined ? 0 : await codeOf(server.port, message)
    if (code !== 0) throw new Error(`the check says ${code} to a good key`)
    const load = { core: LOAD_CORE, port: server.port, body, scratch }
    await grpcLoad({ ...load, seconds: 2 })
    const from = running.cpuMs()
    const { calls, perSecond } = await grpcLoad({ ...load, seconds: 4 })
    const cpuUs = ((running.cpuMs() - from) * 1000) / calls
    const paced = await pacedLoad({ ...load, seconds: 6 }, PACE)
    return { perSecond, cpuUs, ...paced }
  } finally {
    await running.stop()
  }
}

const redisArgs = ['--port', String(REDIS), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
const redis = await start({ core: LOAD_CORE, command: [redisServer, ...redisArgs], port: REDIS })
try {
  const [plain, limited] = [join(scratch, 'plain'), join(scratch, 'limited')]
  const BARE = 'bare node:http2'
  const rows: readonly Row[] = [
    {
      name: BARE,
      server: { command: [process.execPath, 'bench/bare-grpc.ts'], port: PORT, env: { PORT: String(PORT) } },
      health: undefined,
      key: undefined,
    },
    authz('authz, 10,000 keys', await storeFolder(plain, 10_000, {}), []),
    authz('authz, 10,000 keys, leased', await storeFolder(limited, 10_000, { limited: true }), [
      '--redis',
      `redis://127.0.0.1:${REDIS}`,
    ]),
    populated(100),
    populated(10_000),
    populated(1_000_000),
  ]
  const figures = new Map<string, Figure[]>(rows.map(({ name }) => [name, []]))
  for (let round = 1; round <= ROUNDS; round++) {
    for (const row of rows) {
      const figure = await measure(row)
      figures.get(row.name)?.push(figure)
      const { perSecond, cpuUs, p50Us, p90Us, p99Us } = figure
      console.log(
        `round ${round}  ${row.name.padEnd(28)} ${perSecond.toFixed(0).padStart(7)}/s  cpu ${cpuUs.toFixed(1)} us  at ${PACE}/s: p50 ${p50Us}  p90 ${p90Us}  p99 ${p99Us} us`,
      )
    }
  }
  for (const [name, all] of figures) {
    const cpu = all.map(({ cpuUs }) => cpuUs)
    const p99 = all.map(({ p99Us }) => p99Us)
    console.log(
      `${name}: cpu median ${median(cpu).toFixed(1)} us (${cpu.map((us) => us.toFixed(1)).join(' ')}), p99 at ${PACE}/s median ${median(p99)} us (${p99.join(' ')})`,
    )
  }
} finally {
  await redis.stop()
  rmSync(scratch, { recursive: true, force: true })
}
