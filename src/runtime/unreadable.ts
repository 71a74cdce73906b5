/** What node's parser takes for no request: an answer where one can still be given, and the end of the connection. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * A whole response that ends its connection, for bytes that are no request.
 * @param bytes one character per byte; they begin where the request does, unless it came in pieces
 */
export type Unreadable = (bytes: string) => string

type ParseError = Error & { readonly code?: string; readonly rawPacket?: Buffer }

/** Node's own way to know that an answer is under way. */
type Inside = { readonly _httpMessage?: unknown }

export function answerUnreadable(server: Server, answer: Unreadable): void {
  const refused = new WeakSet<Duplex>()
  server.on('clientError', (error: ParseError, duplex: Duplex) => {
    const socket = duplex as Socket & Inside
    if (refused.has(socket)) return
    refused.add(socket)
    // behind another answer, or in its place, this one would be taken for that; who broke off or was too slow gets none
    const busy = socket._httpMessage !== undefined && socket._httpMessage !== null
    if (!isMalformed(error) || error.rawPacket === undefined || busy || !socket.writable) {
      socket.destroy()
      return
    }
    socket.end(answer(error.rawPacket.toString('latin1')), 'latin1')
    // read on for a moment: a reset over unread bytes could take the answer with it
    setTimeout(() => socket.destroy(), LINGER_MS)
  })
}

const LINGER_MS = 250

const isMalformed = ({ code = '' }: ParseError): boolean => code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE'
