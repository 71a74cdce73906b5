/** A connection that node has handed over for an upgrade or a CONNECT, kept in order until that request's turn has come. */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export type HandedOver = {
  readonly socket: Socket
  /** Puts a response on the connection, which ends behind it. */
  readonly answerWith: (response: ServerResponse) => void
  /** For a tunnel: takes everything of this off the socket, and gives what the caller has sent so far. */
  readonly release: () => readonly Uint8Array[]
}

export type Keeping = {
  /** What node did when the socket had room again, before it let go. */
  readonly onDrain: (() => void) | undefined
  readonly onTimeout: () => void
}

/** How much is read of what can not go anywhere yet; the end of the connection is only seen by whoever reads. */
const EARLY_BYTES = 64 * 1024

/**
 * Node takes its listeners off at once, though responses to earlier requests may still be on their way: without them an
 * error finds nobody and ends the process, a response waits for its drain for ever, and no clock runs.
 */
export function keep(socket: Socket, early: Uint8Array, { onDrain, onTimeout }: Keeping): HandedOver {
  const sent: Uint8Array[] = early.length > 0 ? [early] : []
  let room = EARLY_BYTES
  // the socket closes behind an error, and that is what everybody waits for
  const onError = () => undefined
  const onData = (chunk: Uint8Array) => {
    sent.push(chunk)
    room -= chunk.length
    if (room <= 0) socket.pause()
  }
  // whoever ends its half before it is answered is gone, as for node with any request
  const onEnd = () => void socket.end()
  socket.on('error', onError)
  socket.on('timeout', onTimeout)
  socket.on('end', onEnd)
  if (onDrain !== undefined) socket.on('drain', onDrain)
  socket.on('data', onData)
  return {
    socket,
    answerWith: (response) => {
      response.on('finish', () => socket.destroySoon())
      response.assignSocket(socket)
    },
    release: () => {
      socket.pause()
      socket.off('error', onError).off('timeout', onTimeout).off('end', onEnd).off('data', onData)
      if (onDrain !== undefined) socket.off('drain', onDrain)
      return sent
    },
  }
}
