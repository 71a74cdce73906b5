import { readFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'
import { Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveGrpc } from '../../src/authz/grpc-serve.ts'
import type { Listening } from '../../src/runtime/listen.ts'
import type { ServerTls, TlsOptions } from '../../src/runtime/tls.ts'
import { type Authority, makeAuthority, type ServerCertificate } from '../support/certificates.ts'

let authority: Authority
let server: Listening
let certificate: ServerCertificate
let change: (options: TlsOptions) => void

const optionsOf = ({ cert, key }: ServerCertificate): TlsOptions => ({
  cert: Buffer.from(cert),
  key: Buffer.from(key),
  ca: Buffer.from(authority.ca),
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: 'TLSv1.2',
})

beforeAll(async () => {
  authority = await makeAuthority()
  certificate = await authority.issue(['localhost', '127.0.0.1'])
  const tls: ServerTls = {
    options: () => optionsOf(certificate),
    onChange: (apply) => {
      change = apply
    },
  }
  server = await serveGrpc({ check: () => new Uint8Array(), serving: () => true, tls }, { host: '127.0.0.1', port: 0 })
})

afterAll(() => server.stop(1000))

/** The gRPC status of a health check: 0 where there is an answer. */
function healthOver(channel: ReturnType<typeof credentials.createSsl>): Promise<number> {
  const client = new Client(`localhost:${server.port}`, channel, { 'grpc.use_local_subchannel_pool': 1 })
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => bytes,
      new Uint8Array(),
      { deadline: new Date(Date.now() + 30_000) },
      (error: ServiceError | null) => {
        client.close()
        resolve(error?.code ?? 0)
      },
    )
  })
}

test('a client with a certificate of the authority is answered over TLS', async () => {
  const own = await authority.issue(['envoy'])
  const ca = readFileSync(authority.caFile)
  expect(await healthOver(credentials.createSsl(ca, Buffer.from(own.key), Buffer.from(own.cert)))).toBe(0)
})

test('a client without one, with one of another authority, or without TLS is not', async () => {
  const ca = readFileSync(authority.caFile)
  const foreign = await (await makeAuthority('Another authority')).issue(['envoy'])
  expect(await healthOver(credentials.createSsl(ca))).not.toBe(0)
  expect(await healthOver(credentials.createSsl(ca, Buffer.from(foreign.key), Buffer.from(foreign.cert)))).not.toBe(0)
  expect(await healthOver(credentials.createInsecure())).not.toBe(0)
})

test('a client that speaks TLS but no HTTP/2 gets no connection', async () => {
  const own = await authority.issue(['envoy'])
  const socket = await connected({ key: own.key, cert: own.cert, ALPNProtocols: ['http/1.1'] })
  expect(socket).toBeUndefined()
})

test('another certificate counts for the connections that come after it', async () => {
  const own = await authority.issue(['envoy'])
  const next = await authority.issue(['localhost'])
  change(optionsOf(next))
  const socket = await connected({ key: own.key, cert: own.cert, ALPNProtocols: ['h2'] })
  expect(socket?.getPeerX509Certificate()?.toString().trim()).toBe(next.cert.trim())
  socket?.destroy()
})

function connected(options: {
  readonly key: string
  readonly cert: string
  readonly ALPNProtocols: string[]
}): Promise<TLSSocket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      ...options,
      port: server.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: authority.ca,
    })
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', () => resolve(undefined))
  })
}
