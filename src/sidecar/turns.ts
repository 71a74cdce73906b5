/** One request of a connection after the other: what is pipelined behind the first waits until that is answered. */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** What is being done for a request. */
export type Current = {
  /** Nothing has moved on the caller's connection for a while. */
  readonly idle: () => void
  /** The caller's connection can no longer be used. */
  readonly abandon: () => void
}

export type Busy = { readonly response: ServerResponse; current: Current | undefined }

type Waiting = { readonly response: ServerResponse; readonly run: () => void }

type Turn = { busy: Busy | undefined; readonly queue: Waiting[] }

export type Turns = {
  /** Runs at once, or when the requests before it are done; `false`: too many wait already. */
  readonly take: (socket: Socket, response: ServerResponse, run: () => void) => boolean
  /** The request whose turn it was is done. */
  readonly done: (socket: Socket) => void
  /** The request whose turn it is. */
  readonly at: (socket: Socket) => Busy | undefined
}

/**
 * Node hands over every request that it has parsed, answered or not: one connection could have hundreds of them asked of
 * the upstream at the same time.
 */
export function makeTurns(maxWaiting: number): Turns {
  const turns = new WeakMap<Socket, Turn>()
  return {
    take: (socket, response, run) => {
      const busy = { response, current: undefined }
      const turn = turns.get(socket)
      if (turn === undefined) turns.set(socket, { busy, queue: [] })
      else if (turn.busy !== undefined) {
        if (turn.queue.length >= maxWaiting) return false
        turn.queue.push({ response, run })
        return true
      } else turn.busy = busy
      run()
      return true
    },
    done: (socket) => {
      const turn = turns.get(socket)
      if (turn === undefined) return
      const next = socket.destroyed ? undefined : turn.queue.shift()
      turn.busy = next === undefined ? undefined : { response: next.response, current: undefined }
      next?.run()
    },
    at: (socket) => turns.get(socket)?.busy,
  }
}
