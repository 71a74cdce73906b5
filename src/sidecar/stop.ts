/** The end of a proxy in which nothing that was begun is lost, and which comes in time. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Turns } from './turns.ts'

export type Stopping = {
  readonly server: Server
  readonly sockets: ReadonlySet<Socket>
  readonly turns: Turns
  readonly idleMs: number
  readonly onIdle: () => void
}

/**
 * Every answer from now on says that the connection closes, so connections in use end by themselves and their callers know
 * it before they send again. Those that stay idle are closed a little later, what is left at the deadline.
 */
export function stopServer({ server, sockets, turns, idleMs, onIdle }: Stopping, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const lookAgain = closeIdle(sockets, turns)
    lookAgain()
    const idle = setInterval(() => {
      lookAgain()
      onIdle()
    }, idleMs)
    const late = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, deadlineMs)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(late)
      resolve()
    })
  })
}

/** Closes what was idle when it was looked at before, and has not said anything since. */
function closeIdle(sockets: ReadonlySet<Socket>, turns: Turns): () => void {
  let before = new Map<Socket, number>()
  return () => {
    const idle = [...sockets].filter((socket) => turns.at(socket) === undefined)
    for (const socket of idle) if (before.get(socket) === socket.bytesRead) socket.destroy()
    before = new Map(idle.map((socket) => [socket, socket.bytesRead]))
  }
}
