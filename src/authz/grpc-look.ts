/** Finds what hangs on the connections of gRPC clients: calls without an end, clients that say nothing or are gone. */
import { LOOKS } from './grpc-bounds.ts'

/** A connection as far as it is looked at, whatever carries it. */
export type Looked = {
  readonly session: { readonly destroyed: boolean; readonly closed: boolean; ping(answered: () => void): boolean }
  readonly socket: { destroy(): unknown } | undefined
  readonly calls: { all(): Iterable<{ looks: number; readonly stream: { close(code: number): void } }> }
  looks: number
  readonly greeted: boolean
  /** It answered the last PING. */
  heard: boolean
}

/** RFC 9113 §7. */
const CANCEL = 8

/** Breaks off what hangs: a request that does not end, an answer that nobody reads, a connection that says nothing. */
export function lookAround(connections: Iterable<Looked>): void {
  for (const connection of connections) {
    const { session, socket, calls } = connection
    connection.looks++
    let stuck = session.destroyed || (!connection.greeted && connection.looks > LOOKS.greeting)
    for (const call of calls.all()) {
      call.looks++
      if (call.looks > LOOKS.connection) stuck = true
      else if (call.looks > LOOKS.call) call.stream.close(CANCEL)
    }
    if (stuck || isDeaf(connection)) socket?.destroy()
  }
}

/**
 * Whether the last PING is still without an answer; sends the next. Over TLS node stops reading some connections whose
 * peer has had many calls refused, and then does not even see that the peer has gone.
 */
function isDeaf(connection: Looked): boolean {
  const { session, looks } = connection
  if (session.destroyed || session.closed || looks % LOOKS.ping !== 0) return false
  if (!connection.heard) return true
  connection.heard = false
  session.ping(() => {
    connection.heard = true
  })
  return false
}
