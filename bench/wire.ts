/**
 * HTTP check against a bare node:http handler, reverse proxy against Envoy as a plain reverse proxy without any check.
 * The server has one core, load and upstream the other; rows are interleaved round by round.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { envoyConfig } from './envoy-config.ts'
import { writeFolder } from './folder.ts'
import { load } from './load.ts'
import { median } from './median.ts'
import { nginxConfig } from './nginx-config.ts'
import { start } from './server.ts'

const SERVER_CORE = 0
const LOAD_CORE = 1
const ROUNDS = 3
const SECONDS = 4
const KEYS = 10_000
const OFFSET = 22_300
const UPSTREAM = 31_080
const ENVOY = 31_081
const BARE = 31_082

const scratch = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
const manifests = join(scratch, 'manifests')
const keyFile = join(scratch, 'keys')
writeFileSync(keyFile, writeFolder(manifests, KEYS).join('\n'))

const nginxConf = join(scratch, 'nginx.conf')
writeFileSync(nginxConf, nginxConfig({ port: UPSTREAM, scratch }))

const envoyConf = join(scratch, 'envoy.yaml')
writeFileSync(envoyConf, envoyConfig({ port: ENVOY, check: undefined, upstream: UPSTREAM }))

type Row = {
  readonly name: string
  readonly command: readonly string[]
  readonly port: number
  readonly path: string
  readonly env?: Readonly<Record<string, string>>
}

const node = process.execPath
const [envoy = '', nginx = ''] = execFileSync('bash', ['hack/parts.sh', 'envoy', 'nginx'], { encoding: 'utf8' }).split(
  '\n',
)
const standalone = [
  node,
  'src/main.ts',
  'standalone',
  ...['--manifests', manifests, '--data', join(scratch, 'data'), '--port-offset', String(OFFSET)],
  ...['--upstream', `http://127.0.0.1:${UPSTREAM}`, '--log-level', 'warn'],
]

const ROWS: readonly Row[] = [
  { name: 'bare node:http', command: [node, 'bench/bare.ts'], port: BARE, path: '/', env: { PORT: String(BARE) } },
  { name: 'HTTP check', command: standalone, port: OFFSET + 9000, path: '/check/envoy/v1/licenses/42' },
  {
    name: 'Envoy, no check',
    command: [envoy, '-c', envoyConf, '--concurrency', '1', '--log-level', 'error'],
    port: ENVOY,
    path: '/v1/licenses/42',
  },
  { name: 'reverse proxy', command: standalone, port: OFFSET + 8080, path: '/v1/licenses/42' },
]

type Figure = { readonly perSecond: number; readonly cpuUs: number; readonly p99Us: number; readonly rssMib: number }

async function measure({ command, port, path, env }: Row): Promise<Figure> {
  const server = await start({ core: SERVER_CORE, command, port, ...(env === undefined ? {} : { env }) })
  try {
    const asked = { core: LOAD_CORE, url: `http://127.0.0.1:${port}${path}`, host: 'api.example.com', keys: keyFile }
    const shape = { connections: 64, scratch }
    await readyOrThrow(asked.url)
    await load({ ...asked, ...shape, seconds: 2 })
    const from = server.cpuMs()
    const measured = await load({ ...asked, ...shape, seconds: SECONDS })
    if (measured.bad > 0)
      throw new Error(`${measured.bad} of ${measured.requests} answers of ${command.join(' ')} were no 2xx`)
    const cpuUs = ((server.cpuMs() - from) * 1000) / measured.requests
    return { perSecond: measured.perSecond, cpuUs, p99Us: measured.p99Us, rssMib: server.rssMib() }
  } finally {
    await server.stop()
  }
}

/** Standalone listens before its keys are loaded and answers 503 until then. */
async function readyOrThrow(url: string): Promise<void> {
  for (const until = Date.now() + 20_000; Date.now() < until; ) {
    const { status } = await fetch(url)
    if (status !== 503) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${url} was not ready after 20 s`)
}

const upstream = await start({ core: LOAD_CORE, command: [nginx, '-c', nginxConf], port: UPSTREAM })
const figures = new Map<string, Figure[]>(ROWS.map(({ name }) => [name, []]))
try {
  for (let round = 1; round <= ROUNDS; round++) {
    for (const row of ROWS) {
      const figure = await measure(row)
      figures.get(row.name)?.push(figure)
      console.log(
        `round ${round}  ${row.name.padEnd(16)} ${figure.perSecond.toFixed(0).padStart(7)}/s  cpu ${figure.cpuUs.toFixed(1)} us  p99 ${(figure.p99Us / 1000).toFixed(1)} ms  rss ${figure.rssMib.toFixed(0)} MiB`,
      )
    }
  }
} finally {
  await upstream.stop()
  rmSync(scratch, { recursive: true, force: true })
}

function ratio(name: string, to: string): void {
  const [mine, theirs] = [figures.get(name) ?? [], figures.get(to) ?? []]
  const each = mine.map((figure, i) => figure.perSecond / (theirs[i]?.perSecond ?? Number.NaN))
  console.log(
    `${name} / ${to}: throughput ${median(each).toFixed(2)} (${each.map((value) => value.toFixed(2)).join(' ')}), cpu ${median(mine.map(({ cpuUs }) => cpuUs)).toFixed(1)} us to ${median(theirs.map(({ cpuUs }) => cpuUs)).toFixed(1)} us`,
  )
}
ratio('HTTP check', 'bare node:http')
ratio('reverse proxy', 'Envoy, no check')
