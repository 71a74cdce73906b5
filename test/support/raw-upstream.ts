/** An upstream that answers with exact bytes, so that it can break every rule of HTTP. */
import { type AddressInfo, createServer, type Socket } from 'node:net'

export type RawUpstream = {
  readonly port: number
  readonly url: URL
  /** Every request head as it arrived, in order. */
  readonly heads: readonly string[]
  readonly connections: () => number
  readonly stop: () => Promise<void>
}

/** Calls `onHead` for each request head (`\r\n\r\n` ends one); bodies are not told apart from heads. */
export async function startRawUpstream(
  onHead: (socket: Socket, head: string, nth: number) => void,
): Promise<RawUpstream> {
  const heads: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    let pending = ''
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1')
      for (let end = pending.indexOf('\r\n\r\n'); end !== -1; end = pending.indexOf('\r\n\r\n')) {
        const head = pending.slice(0, end + 4)
        pending = pending.slice(end + 4)
        heads.push(head)
        onHead(socket, head, heads.length)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: new URL(`http://127.0.0.1:${port}`),
    heads,
    connections: () => connections,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
