/** Starts the gRPC listener in a process of its own, and asks it as a well-behaved client. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { type Answered, decodeResponse, encodeRequest } from './ext-authz-proto.ts'
import { type Running, startProcess } from './process.ts'
import { until } from './until.ts'

export const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check'

export type GrpcServer = Running & { readonly port: number; readonly key: string; readonly rssMb: () => number }

export async function startGrpcServer(): Promise<GrpcServer> {
  const running = startProcess(process.execPath, [fileURLToPath(new URL('./grpc-child.ts', import.meta.url))])
  const line = await until(
    'the listener is up',
    () =>
      running
        .output()
        .split('\n')
        .find((one) => one.startsWith('{')),
    60_000,
  )
  const { port, key } = JSON.parse(line) as { port: number; key: string }
  const rssMb = () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8'))?.[1]) / 1024
  return { ...running, port, key, rssMb }
}

/** As Envoy asks about `GET /open/x` with a key. */
export const checkMessage = (key: string, headers: Readonly<Record<string, string>> = {}): Uint8Array =>
  encodeRequest({
    attributes: {
      source: { address: { socketAddress: { address: '203.0.113.7', portValue: 4711 } } },
      request: {
        http: {
          method: 'GET',
          path: '/open/x',
          host: 'api.test',
          headers: { ':authority': 'api.test', authorization: `Bearer ${key}`, ...headers },
        },
      },
    },
  })

/** The answer, or the gRPC status of a call that has none. */
export type Said = Uint8Array | { readonly code: number; readonly details: string }

export type GrpcClient = {
  readonly call: (path: string, message: Uint8Array) => Promise<Said>
  readonly check: (message: Uint8Array) => Promise<Answered>
  readonly raw: Client
  readonly stop: () => void
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes)

export function grpcClient(port: number): GrpcClient {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  const call = (path: string, message: Uint8Array): Promise<Said> =>
    new Promise((resolve) => {
      const deadline = new Date(Date.now() + 20_000)
      client.makeUnaryRequest(
        path,
        asBuffer,
        (bytes: Buffer): Uint8Array => bytes,
        message,
        { deadline },
        (error: ServiceError | null, answer?: Uint8Array) => {
          resolve(error === null ? (answer ?? new Uint8Array()) : { code: error.code, details: error.details })
        },
      )
    })
  return {
    call,
    check: async (message) => {
      const said = await call(CHECK_PATH, message)
      if (!(said instanceof Uint8Array)) throw new Error(`gRPC status ${said.code}: ${said.details}`)
      return decodeResponse(said)
    },
    raw: client,
    stop: () => client.close(),
  }
}
