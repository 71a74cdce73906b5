/** Connections that the kernel has made and node has not taken yet: to close a listener resets them, and the requests on them. */
import type { Server } from 'node:net'

/** As many as the kernel lets wait for a listener of node's, and one. */
const MOST = 512
/** Turns without a new one, after which nobody waits. */
const QUIET = 2

/** Resolves when all that wait now are taken. Node takes one in each turn of its loop, so one that is busy is behind. */
export function takeWaiting(server: Server): Promise<void> {
  return new Promise((resolve) => {
    let [came, quiet] = [false, 0]
    const note = () => {
      came = true
    }
    server.on('connection', note).on('drop', note)
    const turn = (left: number) => {
      setImmediate(() => {
        quiet = came ? 0 : quiet + 1
        came = false
        if (quiet < QUIET && left > 0) {
          turn(left - 1)
          return
        }
        server.off('connection', note).off('drop', note)
        resolve()
      })
    }
    turn(MOST)
  })
}
