/** Two sockets joined after a 101, until both ends have closed, nothing moves, or the caller may no longer. */
import type { Duplex } from 'node:stream'
import type { CheckRequest } from '../core/request.ts'
import type { HandedOver } from './handed-over.ts'
import type { UpstreamFields } from './response-head.ts'
import type { Shared } from './shared.ts'
import type { Watched } from './watch.ts'

/** An upgrade that a caller asks for. */
export type Tunnel = { readonly protocol: string; readonly connection: HandedOver }

export type Opening = {
  readonly tunnel: Tunnel
  readonly request: CheckRequest
  readonly upstream: Duplex
  /** Of the 101 for the caller, but for what makes it one. */
  readonly head: readonly string[]
}

/** Why a 101 is not the one that was asked for. */
export function otherProtocol({ upgrade }: UpstreamFields, { protocol }: Tunnel): string | undefined {
  if (typeof upgrade !== 'string') return 'a 101 without a protocol'
  return upgrade.toLowerCase() === protocol.toLowerCase() ? undefined : 'a 101 to another protocol'
}

export function openTunnel(shared: Shared, { tunnel, request, upstream, head }: Opening): void {
  const { watch, tunnels, limits, note, passed } = shared
  const { connection, protocol } = tunnel
  const { socket } = connection
  const early = connection.release()
  socket.write(switchingHead(head, protocol), 'latin1')
  tunnels.count++
  let ended = false
  const end = () => {
    if (ended) return
    ended = true
    tunnels.count--
    watch.remove(watched)
    socket.destroy()
    upstream.destroy()
  }
  const watched: Watched = {
    request,
    endless: true,
    place: -1,
    cut: (why) => {
      note('cut', request.requestId, why)
      end()
    },
  }
  watch.add(watched)
  // each side may end its half and go on reading; without this the upstream's end would end ours
  upstream.allowHalfOpen = true
  for (const side of [socket, upstream]) {
    side.on('error', end)
    side.on('close', end)
    side.on('data', (chunk: Uint8Array) => passed(chunk.length))
  }
  // every byte of either direction passes through this one socket
  socket.setTimeout(limits.tunnelIdleMs, end)
  for (const chunk of early) upstream.write(chunk)
  socket.pipe(upstream)
  upstream.pipe(socket)
}

// a tunnel has no request after this one
const OF_THE_CONNECTION = new Set(['connection', 'keep-alive'])

function switchingHead(fields: readonly string[], protocol: string): string {
  const lines = ['HTTP/1.1 101 Switching Protocols']
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!OF_THE_CONNECTION.has(fields[i] ?? '')) lines.push(`${fields[i]}: ${fields[i + 1]}`)
  }
  lines.push('connection: Upgrade', `upgrade: ${protocol}`, '', '')
  return lines.join('\r\n')
}
