/** An upstream that logs every request as it arrived, raw target and raw header list, and answers with that entry. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { fieldValue } from './raw-client.ts'

export type Arrived = {
  readonly method: string
  /** Path and query exactly as received. */
  readonly target: string
  readonly httpVersion: string
  /** Name, value, name, value … as received. */
  readonly headers: readonly string[]
  readonly header: (name: string) => string | undefined
  /** Complete once the answer has been given. */
  readonly body: () => Buffer
  readonly trailers: () => readonly string[]
  /** undefined while it goes on; whether it came in full. */
  readonly complete: () => boolean
}

export type EchoUpstream = {
  readonly port: number
  readonly url: URL
  /** Every request in the order of arrival, upgrades included. */
  readonly log: readonly Arrived[]
  /** How many connections were opened so far. */
  readonly connections: () => number
  readonly forget: () => void
  readonly stop: () => Promise<void>
}

export type EchoParts = {
  /** Instead of the entry; the body has been read in full. */
  readonly answer?: ((arrived: Arrived, response: ServerResponse) => void) | undefined
  /** Instead of reading the body: gets the request as it comes. */
  readonly take?: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** What to do with an upgrade; default: 101 and echo of whatever comes. */
  readonly upgrade?: ((arrived: Arrived, socket: Socket) => void) | undefined
  readonly port?: number | undefined
  /** Of a request's head. */
  readonly maxHeadBytes?: number
}

export async function startEcho({
  answer = answerEntry,
  take,
  upgrade,
  port = 0,
  maxHeadBytes = 65_536,
}: EchoParts = {}): Promise<EchoUpstream> {
  const log: Arrived[] = []
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer({ maxHeaderSize: maxHeadBytes, keepAliveTimeout: 60_000 }, (request, response) => {
    const chunks: Buffer[] = []
    const arrived = arrivedOf(request, chunks)
    log.push(arrived)
    if (take !== undefined) {
      take(request, response)
      return
    }
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => answer(arrived, response))
  })
  server.maxHeadersCount = 0
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    const arrived = arrivedOf(request, [])
    log.push(arrived)
    ;(upgrade ?? echoBytes)(arrived, socket)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  return {
    port: bound,
    url: new URL(`http://127.0.0.1:${bound}`),
    log,
    connections: () => connections,
    forget: () => {
      log.length = 0
    },
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

const arrivedOf = (request: IncomingMessage, chunks: readonly Buffer[]): Arrived => ({
  method: request.method ?? '',
  target: request.url ?? '',
  httpVersion: request.httpVersion,
  headers: request.rawHeaders,
  header: (name) => fieldValue(request.rawHeaders, name),
  body: () => Buffer.concat(chunks),
  trailers: () => request.rawTrailers,
  complete: () => request.complete,
})

function answerEntry(arrived: Arrived, response: ServerResponse): void {
  const { method, target, headers } = arrived
  const text = JSON.stringify({ method, target, headers, body: arrived.body().toString('latin1') })
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

function echoBytes(arrived: Arrived, socket: Socket): void {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${arrived.header('upgrade') ?? 'echo'}\r\n\r\n`,
  )
  socket.pipe(socket)
}
