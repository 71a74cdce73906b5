/**
 * The upstream whose own log is the oracle. It reads bytes by itself, so that what Node's parser would refuse or repair is
 * seen as it came: anything that is not one plain HTTP/1.1 request after the other is kept as malformed.
 */
import { createServer, type Server, type Socket } from 'node:net'

/** One request as it arrived; its body is filled in once it is there, and stays empty where the connection was cut off. */
export type Seen = {
  readonly method: string
  readonly target: string
  /** Name and value in their order, as written. */
  readonly headers: readonly (readonly [string, string])[]
  body: string
  /** What stood between the last chunk and the end of a chunked body. */
  trailers: string
  /** The head byte by byte (latin-1). */
  readonly head: string
  readonly connection: number
}

export type Upstream = {
  readonly port: number
  readonly seen: Seen[]
  readonly malformed: string[]
  /** Tunnels that are open now. */
  readonly tunnels: () => number
  readonly close: () => Promise<void>
}

const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/
const REQUEST_LINE = /^([A-Z-]+) ([^ ]+) HTTP\/1\.1$/
const BIG = Buffer.alloc(64 * 1024, 'b')

export const valuesOf = (seen: Pick<Seen, 'headers'>, name: string): readonly string[] =>
  seen.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)

type Framing = { readonly kind: 'none' | 'chunked' } | { readonly kind: 'length'; readonly length: number }

function framingOf(headers: Seen['headers']): Framing | undefined {
  const lengths = valuesOf({ headers }, 'content-length')
  const codings = valuesOf({ headers }, 'transfer-encoding')
  if (lengths.length + codings.length > 1) return undefined
  if (codings.length === 1) return codings[0] === 'chunked' ? { kind: 'chunked' } : undefined
  const [length] = lengths
  if (length === undefined) return { kind: 'none' }
  return /^\d{1,15}$/.test(length) ? { kind: 'length', length: Number(length) } : undefined
}

type Body = { readonly body: string; readonly trailers: string; readonly end: number }

/** undefined: more bytes are needed. */
function bodyAt(text: string, start: number, framing: Framing): Body | 'malformed' | undefined {
  if (framing.kind === 'none') return { body: '', trailers: '', end: start }
  if (framing.kind === 'length') {
    const end = start + framing.length
    return text.length < end ? undefined : { body: text.slice(start, end), trailers: '', end }
  }
  let at = start
  let body = ''
  for (;;) {
    const eol = text.indexOf('\r\n', at)
    if (eol === -1) return undefined
    const size = text.slice(at, eol)
    if (!/^[0-9a-f]{1,8}$/i.test(size)) return 'malformed'
    const length = Number.parseInt(size, 16)
    if (length === 0) {
      const close = text.indexOf('\r\n\r\n', eol)
      if (close === -1) return undefined
      return { body, trailers: text.slice(eol + 2, close), end: close + 4 }
    }
    const end = eol + 2 + length
    if (text.length < end + 2) return undefined
    if (text.slice(end, end + 2) !== '\r\n') return 'malformed'
    body += text.slice(eol + 2, end)
    at = end + 2
  }
}

type Head = { readonly seen: Seen; readonly framing: Framing; readonly end: number }

/** undefined: more bytes are needed. */
function headAt(text: string, connection: number): Head | 'malformed' | undefined {
  const close = text.indexOf('\r\n\r\n')
  if (close === -1) return undefined
  const head = text.slice(0, close)
  const [first = '', ...lines] = head.split('\r\n')
  const line = REQUEST_LINE.exec(first)
  if (line === null || /[\r\n]/.test(head.replaceAll('\r\n', ''))) return 'malformed'
  const headers: (readonly [string, string])[] = []
  for (const text of lines) {
    const field = HEADER.exec(text)
    if (field === null) return 'malformed'
    headers.push([field[1] ?? '', field[2] ?? ''])
  }
  const framing = framingOf(headers)
  if (framing === undefined) return 'malformed'
  const [, method = '', target = ''] = line
  return { seen: { method, target, headers, body: '', trailers: '', head, connection }, framing, end: close + 4 }
}

/** What some paths do, besides answering with what was seen. */
function answer(socket: Socket, seen: Seen): 'tunnel' | 'http' {
  const upgrade = valuesOf(seen, 'upgrade').length > 0
  const path = seen.target.split('?')[0]
  if (path === '/api/ws' && upgrade) {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    return 'tunnel'
  }
  if (path === '/api/ws-200') {
    socket.write('HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nok')
    return 'http'
  }
  if (path === '/api/reset') {
    socket.destroy()
    return 'http'
  }
  if (path === '/api/garbage') {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\nBad Name: x\r\n\r\nab')
    return 'http'
  }
  if (path === '/api/big') {
    sendBig(socket, Number(new URLSearchParams(seen.target.split('?')[1]).get('bytes')))
    return 'http'
  }
  const { method, target } = seen
  const body = method === 'HEAD' ? '' : JSON.stringify({ method, target, for: valuesOf(seen, 'x-forwarded-for') })
  socket.write(`HTTP/1.1 200 OK\r\nX-Upstream: 1\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  return 'http'
}

function sendBig(socket: Socket, bytes: number): void {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`)
  let left = bytes
  const pump = () => {
    while (left > 0 && !socket.destroyed) {
      const piece = BIG.subarray(0, Math.min(left, BIG.length))
      left -= piece.length
      if (!socket.write(piece)) {
        socket.once('drain', pump)
        return
      }
    }
  }
  pump()
}

/** @param idleMs after so long without a byte a connection is closed, as servers do; 0: never */
export async function startUpstream(idleMs = 0): Promise<Upstream> {
  const seen: Seen[] = []
  const malformed: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  let tunnels = 0
  const server: Server = createServer((socket) => {
    const connection = connections++
    sockets.add(socket)
    let text = ''
    let pending: Head | undefined
    let tunnel = false
    socket.setNoDelay(true)
    if (idleMs > 0) socket.setTimeout(idleMs, () => socket.end())
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      if (tunnel) tunnels--
      else if (text !== '' && pending === undefined) malformed.push(text)
    })
    /** Takes the next request off the text; false: more bytes are needed, or none are wanted any more. */
    const next = (): boolean => {
      const head = pending ?? headAt(text, connection)
      if (head === undefined) return false
      if (head !== 'malformed' && pending === undefined) {
        seen.push(head.seen)
        pending = head
        if (valuesOf(head.seen, 'expect').length > 0) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
      }
      const body = head === 'malformed' ? head : bodyAt(text, head.end, head.framing)
      if (body === undefined) return false
      if (head === 'malformed' || body === 'malformed') {
        malformed.push(text)
        text = ''
        socket.destroy()
        return false
      }
      Object.assign(head.seen, { body: body.body, trailers: body.trailers })
      text = text.slice(body.end)
      pending = undefined
      tunnel = answer(socket, head.seen) === 'tunnel'
      if (tunnel) tunnels++
      return !tunnel
    }
    socket.on('data', (data) => {
      if (tunnel) return void socket.write(data)
      text += data.toString('latin1')
      while (next());
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    seen,
    malformed,
    tunnels: () => tunnels,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
