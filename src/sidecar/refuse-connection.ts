/** What node's parser refuses, or waits for in vain: an answer where one can still be given, and the end of the connection. */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type AnswerKind, answerOf, rawAnswer } from './answers.ts'
import type { Serving } from './serve.ts'

type ParseError = Error & { readonly code?: string }

export function refuseConnection({ turns, newRequestId, note }: Serving): (error: ParseError, socket: Duplex) => void {
  const refused = new WeakSet<Duplex>()
  return (error, duplex) => {
    const socket = duplex as Socket
    if (refused.has(socket)) return
    refused.add(socket)
    const busy = turns.at(socket)
    busy?.current?.abandon()
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    // behind the head of a response nothing can be said any more
    if (busy?.response.headersSent === true) socket.end()
    else {
      const kind = kindOf(error)
      const requestId = newRequestId()
      // a caller that breaks off is mostly gone, and no sign of anything
      if (error.code !== 'HPE_INVALID_EOF_STATE') note(kind, requestId, error.code ?? error.name)
      socket.end(rawAnswer(answerOf(kind, requestId)), 'latin1')
    }
    // read on for a moment: a reset over unread bytes could take the answer with it
    setTimeout(() => socket.destroy(), LINGER_MS)
  }
}

const LINGER_MS = 250

function kindOf({ code }: ParseError): AnswerKind {
  if (code === 'HPE_HEADER_OVERFLOW') return 'head_too_large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'bad_request'
}
