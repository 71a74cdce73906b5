/** gRPC load by h2load on a core of its own: as many calls as the server answers with 64 under way, or so many a second. */
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { promisify } from 'node:util'
import protobuf from 'protobufjs'

export type GrpcLoad = {
  readonly core: number
  readonly port: number
  /** A file with one framed message, sent over and over. */
  readonly body: string
  readonly seconds: number
  readonly scratch: string
}

export type GrpcMeasured = { readonly calls: number; readonly perSecond: number }

const CONNECTIONS = 2
const HEADERS = ['-H', 'content-type: application/grpc', '-H', 'te: trailers']
const METHOD = '/envoy.service.auth.v3.Authorization/Check'
const h2load = execFileSync('bash', ['hack/parts.sh', 'h2load'], { encoding: 'utf8' }).trim()

export async function grpcLoad({ core, port, body, seconds, scratch }: GrpcLoad): Promise<GrpcMeasured> {
  const log = join(scratch, 'h2load.log')
  rmSync(log, { force: true })
  const args = [
    '-D',
    String(seconds),
    '-m',
    '32',
    '-c',
    String(CONNECTIONS),
    '-t',
    '1',
    '-d',
    body,
    ...HEADERS,
    '--log-file',
    log,
  ]
  const url = `http://127.0.0.1:${port}${METHOD}`
  const { stdout } = await promisify(execFile)('taskset', ['-c', String(core), h2load, ...args, url])
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
  const calls = lines.map((line) => line.split('\t').map(Number))
  const bad = calls.filter(([, status]) => status !== 200).length
  if (bad > 0 || calls.length === 0) throw new Error(`${bad} of ${calls.length} calls were no 200: ${stdout}`)
  const starts = calls.map(([start = 0]) => start)
  const tookUs = Math.max(...ends(calls)) - starts.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY)
  return { calls: calls.length, perSecond: (calls.length / tookUs) * 1e6 }
}

// the last call to start is, within microseconds of so long a run, the last to end
const ends = (calls: readonly (readonly number[])[]): readonly number[] => {
  const last = calls.at(-1)
  return [(last?.[0] ?? 0) + (last?.[2] ?? 0)]
}

export type Paced = { readonly p50Us: number; readonly p90Us: number; readonly p99Us: number }

/** h2load sends what is due on a connection every 10 ms: many connections, begun one after the other, spread it. */
const SPREAD = ['-c', '20', '-r', '1', '--rate-period', '21ms', '-m', '100', '-t', '1']

/** How long calls take that come at this pace, whether or not the ones before are answered. */
export async function pacedLoad(asked: GrpcLoad, perSecond: number): Promise<Paced> {
  const { core, port, body, seconds, scratch } = asked
  const log = join(scratch, 'h2load.log')
  rmSync(log, { force: true })
  const pace = ['-n', String(perSecond * seconds), '--rps', String(perSecond / 20)]
  const args = [...pace, ...SPREAD, '-d', body, ...HEADERS, '--log-file', log]
  await promisify(execFile)('taskset', ['-c', String(core), h2load, ...args, `http://127.0.0.1:${port}${METHOD}`])
  const calls = readFileSync(log, 'utf8').trimEnd().split('\n')
  const times = calls.map((line) => Number(line.split('\t')[2])).toSorted((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0
  return { p50Us: at(0.5), p90Us: at(0.9), p99Us: at(0.99) }
}

/** The code of `CheckResponse.status` that a server gives to a framed message. */
export async function codeOf(port: number, message: Buffer): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  try {
    const headers = { ':method': 'POST', ':path': METHOD, 'content-type': 'application/grpc', te: 'trailers' }
    const stream = session.request(headers)
    stream.end(message)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    const root = await protobuf.load('test/proto/ext_authz.proto')
    const type = root.lookupType('envoy.service.auth.v3.CheckResponse')
    const decoded = type.toObject(type.decode(Buffer.concat(chunks).subarray(5))) as { status?: { code?: number } }
    return decoded.status?.code ?? 0
  } finally {
    session.close()
  }
}
