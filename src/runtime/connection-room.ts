/** A bound on a server's connections that makes room for whoever comes, by closing the one that is worth least. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

type Connection = {
  readonly socket: Socket
  /** Requests that were begun and not answered yet. */
  underWay: number
}

/**
 * To be called once, before the server listens. The first to go are those whose TLS handshake is under way, then those that
 * never asked anything, then those that do nothing now; each time the oldest. One with a request under way never goes: where
 * all have one, whoever comes is closed.
 */
export function boundConnections(server: Server, most: number, isTls: boolean): void {
  /** By when they came to be so: a Set keeps that order. */
  const [unproven, unused, idle] = [new Set<Connection>(), new Set<Connection>(), new Set<Connection>()]
  const worthLittle = [unproven, unused, idle]
  const all = new Set<Connection>()
  const bySocket = new WeakMap<Socket, Connection>()
  /** What TLS hands out is another socket than the one that came, with the same peer. */
  const byPeer = new Map<string, Connection>()

  const leave = (connection: Connection): void => {
    all.delete(connection)
    for (const some of worthLittle) some.delete(connection)
    const peer = peerOf(connection.socket)
    if (byPeer.get(peer) === connection) byPeer.delete(peer)
  }

  const close = (connection: Connection): void => {
    leave(connection)
    connection.socket.destroy()
  }

  // behind node's own listener, which can't take a socket that is closed
  server.on('connection', (socket: Socket) => {
    const connection = { socket, underWay: 0 }
    if (all.size >= most) {
      const least = worthLittle
        .find((some) => some.size > 0)
        ?.values()
        .next().value
      if (least === undefined) {
        socket.destroy()
        return
      }
      close(least)
    }
    all.add(connection)
    bySocket.set(socket, connection)
    if (isTls) {
      unproven.add(connection)
      byPeer.set(peerOf(socket), connection)
    } else unused.add(connection)
    socket.once('close', () => leave(connection))
  })

  server.on('secureConnection', (socket: Socket) => {
    const connection = byPeer.get(peerOf(socket))
    if (connection === undefined || !unproven.delete(connection)) return
    unused.add(connection)
    bySocket.set(socket, connection)
  })

  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    const connection = bySocket.get(socket)
    if (connection === undefined) return
    connection.underWay += 1
    unused.delete(connection)
    idle.delete(connection)
    response.once('close', () => {
      connection.underWay -= 1
      if (connection.underWay === 0 && all.has(connection)) idle.add(connection)
    })
  })
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
