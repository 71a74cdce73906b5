/**
 * Envoy with our check against Envoy alone, everything on the server's core but the load and the upstream: without an
 * upstream, and with one and limits leased from Redis.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EnvoyShape, envoyConfig } from './envoy-config.ts'
import { load } from './load.ts'
import { median } from './median.ts'
import { nginxConfig } from './nginx-config.ts'
import { type Running, start } from './server.ts'
import { ready, type Stored, storeFolder } from './stored.ts'

const SERVER_CORE = 0
const LOAD_CORE = 1
const ROUNDS = 3
const KEYS = 10_000
/** Of keys that are used a few times a second at least, as those with limits worth leasing are. */
const LEASED_KEYS = 1000
const OFFSET = 22_900
const ENVOY = 31_085
const UPSTREAM = 31_086
const REDIS = 31_087

const scratch = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
const names = ['envoy', 'nginx', 'redis-server']
const found = execFileSync('bash', ['hack/parts.sh', ...names], { encoding: 'utf8' }).split('\n')
const [envoy = '', nginx = '', redisServer = ''] = found

type Row = {
  readonly name: string
  readonly shape: Omit<EnvoyShape, 'port'>
  readonly stored: Stored
  readonly redis: boolean
}

type Figure = { readonly perSecond: number; readonly cpuUs: number; readonly p99Us: number }

async function serversOf({ shape, stored, redis }: Row): Promise<readonly Running[]> {
  const servers: Running[] = []
  if (redis) {
    const args = ['--port', String(REDIS), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    servers.push(await start({ core: SERVER_CORE, command: [redisServer, ...args], port: REDIS }))
  }
  if (shape.check !== undefined) {
    const { manifests, data } = stored
    const where = ['--manifests', manifests, '--data', data, '--port-offset', String(OFFSET), '--log-level', 'warn']
    const command = [process.execPath, 'src/main.ts', 'authz', ...where]
    const limits = redis ? ['--redis', `redis://127.0.0.1:${REDIS}`] : []
    servers.push(await start({ core: SERVER_CORE, command: [...command, ...limits], port: shape.check }))
    await ready(9090 + OFFSET)
  }
  const conf = join(scratch, 'envoy.yaml')
  writeFileSync(conf, envoyConfig({ port: ENVOY, ...shape }))
  const command = [envoy, '-c', conf, '--concurrency', '1', '--log-level', 'error']
  servers.push(await start({ core: SERVER_CORE, command, port: ENVOY }))
  return servers
}

async function measure(row: Row): Promise<Figure> {
  const keys = join(scratch, 'keys')
  writeFileSync(keys, row.stored.keys.join('\n'))
  const servers = await serversOf(row)
  const cpuMs = () => servers.reduce((sum, server) => sum + server.cpuMs(), 0)
  const url = `http://127.0.0.1:${ENVOY}/v1/licenses/42`
  const asked = { core: LOAD_CORE, url, host: 'api.example.com', keys, connections: 64, scratch }
  try {
    await load({ ...asked, seconds: 2 })
    const from = cpuMs()
    const { requests, perSecond, p99Us, bad } = await load({ ...asked, seconds: 4 })
    if (bad > 0) throw new Error(`${bad} of ${requests} answers of ${row.name} were no 2xx`)
    return { perSecond, cpuUs: ((cpuMs() - from) * 1000) / requests, p99Us }
  } finally {
    for (const server of servers.toReversed()) await server.stop()
  }
}

const nginxConf = join(scratch, 'nginx.conf')
writeFileSync(nginxConf, nginxConfig({ port: UPSTREAM, scratch }))
const upstream = await start({ core: LOAD_CORE, command: [nginx, '-c', nginxConf], port: UPSTREAM })
try {
  const plain = await storeFolder(join(scratch, 'plain'), KEYS, {})
  const limited = await storeFolder(join(scratch, 'limited'), LEASED_KEYS, { limited: true })
  const check = 9001 + OFFSET
  const ALONE = 'Envoy alone'
  const rows: readonly Row[] = [
    { name: ALONE, shape: { check: undefined, upstream: undefined }, stored: plain, redis: false },
    { name: 'Envoy, gRPC check', shape: { check, upstream: undefined }, stored: plain, redis: false },
    { name: 'Envoy, upstream', shape: { check: undefined, upstream: UPSTREAM }, stored: plain, redis: false },
    { name: 'Envoy, gRPC check, leased, upstream', shape: { check, upstream: UPSTREAM }, stored: limited, redis: true },
  ]
  const figures = new Map<string, Figure[]>(rows.map(({ name }) => [name, []]))
  for (let round = 1; round <= ROUNDS; round++) {
    for (const row of rows) {
      const figure = await measure(row)
      figures.get(row.name)?.push(figure)
      const { perSecond, cpuUs, p99Us } = figure
      console.log(
        `round ${round}  ${row.name.padEnd(36)} ${perSecond.toFixed(0).padStart(7)}/s  cpu ${cpuUs.toFixed(1)} us  p99 ${(p99Us / 1000).toFixed(1)} ms`,
      )
    }
  }
  const alone = figures.get(ALONE) ?? []
  for (const [name, all] of figures) {
    const each = all.map(({ perSecond }, i) => perSecond / (alone[i]?.perSecond ?? Number.NaN))
    const shown = each.map((ratio) => ratio.toFixed(3)).join(' ')
    console.log(
      `${name} / ${ALONE}: throughput ${median(each).toFixed(3)} (${shown}), cpu ${median(all.map(({ cpuUs }) => cpuUs)).toFixed(1)} us`,
    )
  }
} finally {
  await upstream.stop()
  rmSync(scratch, { recursive: true, force: true })
}
