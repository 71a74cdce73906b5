/** gRPC load by h2load on a core of its own: as many calls as the server answers, with 64 under way. */
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
const METHOD = '/envoy.service.auth.v3.Authorization/Check'
const h2load = execFileSync('bash', ['hack/parts.sh', 'h2load'], { encoding: 'utf8' }).trim()

export async function grpcLoad({ core, port, body, seconds, scratch }: GrpcLoad): Promise<GrpcMeasured> {
  const log = join(scratch, 'h2load.log')
  rmSync(log, { force: true })
  const headers = ['-H', 'content-type: application/grpc', '-H', 'te: trailers']
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
    ...headers,
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
