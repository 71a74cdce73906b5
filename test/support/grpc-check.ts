/** Envoy's question over gRPC, by @grpc/grpc-js: what an ext_authz filter would ask. */
import { type ChannelCredentials, Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { onTestFinished } from 'vitest'
import { type Answered, decodeResponse, encodeRequest } from './ext-authz-proto.ts'

export type GrpcQuestion = {
  readonly host: string
  readonly path: string
  readonly method?: string
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Where Envoy saw it come from. */
  readonly address?: string | undefined
}

export type GrpcClient = {
  /** Rejects with grpc-js' error where the call itself fails. */
  readonly check: (question: GrpcQuestion) => Promise<Answered>
  /** 1: SERVING, 2: NOT_SERVING. */
  readonly health: () => Promise<number>
  readonly close: () => void
}

/** Closed when the test is over. */
export function grpcClient(address: string, secured: ChannelCredentials = credentials.createInsecure()): GrpcClient {
  const client = new Client(address, secured)
  onTestFinished(() => client.close())
  const call = <T>(path: string, message: Uint8Array, read: (bytes: Buffer) => T): Promise<T> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (bytes: Uint8Array) => Buffer.from(bytes),
        read,
        message,
        { deadline: Date.now() + 5000 },
        (error: ServiceError | null, answer?: T) => {
          if (error !== null || answer === undefined) reject(error)
          else resolve(answer)
        },
      )
    })
  return {
    check: ({ host, path, method = 'GET', key, headers = {}, address }) => {
      const all = { ':authority': host, ':method': method, ':path': path, ...(key && { 'x-api-key': key }), ...headers }
      const source = address !== undefined && { source: { address: { socketAddress: { address } } } }
      const http = { method, host, path, scheme: 'http', headers: all }
      const request = { attributes: { ...source, request: { http } } }
      return call('/envoy.service.auth.v3.Authorization/Check', encodeRequest(request), decodeResponse)
    },
    health: () => call('/grpc.health.v1.Health/Check', new Uint8Array(), (bytes) => bytes[1] ?? 0),
    close: () => client.close(),
  }
}

/** 200, or the status of the refusal with its code. */
export function outcomeOf({ okResponse, deniedResponse }: Answered): string {
  if (deniedResponse === undefined) return okResponse === undefined ? 'nothing' : '200'
  const body = JSON.parse(deniedResponse.body) as { readonly code?: string }
  return `${deniedResponse.status.code} ${body.code}`
}
