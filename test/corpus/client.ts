/** Exact bytes over TCP, and what came back: no HTTP client would send most of what the corpus holds. */
import { connect } from 'node:net'

export type Response = {
  readonly status: number
  readonly head: string
  readonly body: string
  /** Whether all of its body arrived. */
  readonly complete: boolean
}

export type Answer = {
  readonly responses: readonly Response[]
  /** Status of the first response that is not 1xx; 0: there was none. */
  readonly status: number
  readonly raw: string
  /** Whether the other side closed the connection. */
  readonly closed: boolean
}

export type Exchange = {
  readonly port: number
  readonly bytes: Buffer | string
  /** The address that the bytes come from: any of 127.0.0.0/8. */
  readonly from?: string | undefined
  /** How long to wait for more once a response is complete. */
  readonly lingerMs: number
  /** How long to wait at all. */
  readonly patienceMs: number
}

/** Sends the bytes, and listens until the other side closes or nothing more is to be expected. Never rejects. */
export function exchange({ port, bytes, from, lingerMs, patienceMs }: Exchange): Promise<Answer> {
  return new Promise((resolve) => {
    let raw = ''
    let closed = false
    const socket = connect({ port, host: '127.0.0.1', ...(from === undefined ? {} : { localAddress: from }) })
    const done = () => {
      clearTimeout(quiet)
      clearTimeout(late)
      socket.removeAllListeners()
      socket.on('error', () => undefined)
      socket.destroy()
      resolve(answerOf(raw, closed))
    }
    let quiet: NodeJS.Timeout | undefined
    const late = setTimeout(done, patienceMs)
    socket.setNoDelay(true)
    socket.on('connect', () => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes))
    socket.on('data', (data) => {
      raw += data.toString('latin1')
      clearTimeout(quiet)
      if (responsesOf(raw).at(-1)?.complete === true) quiet = setTimeout(done, lingerMs)
    })
    socket.on('end', () => {
      closed = true
      done()
    })
    socket.on('close', () => {
      closed = true
      done()
    })
    socket.on('error', () => {
      closed = true
    })
  })
}

function answerOf(raw: string, closed: boolean): Answer {
  const responses = responsesOf(raw)
  return { responses, status: responses.find(({ status }) => status >= 200)?.status ?? 0, raw, closed }
}

/** Every response in the text; what is followed by another response at once had no body, as the answer to a HEAD has none. */
function responsesOf(raw: string): readonly Response[] {
  const found: Response[] = []
  let at = 0
  while (at < raw.length) {
    const close = raw.indexOf('\r\n\r\n', at)
    const head = raw.slice(at, close === -1 ? raw.length : close)
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? -1)
    if (status === -1 || close === -1) return [...found, { status, head, body: '', complete: false }]
    const { body, end } = bodyOf(raw, close + 4, { head, status })
    found.push({ status, head, body, complete: end !== undefined })
    // behind a 101 there is no HTTP any more
    if (end === undefined || status === 101) return found
    at = end
  }
  return found
}

type Headed = { readonly head: string; readonly status: number }

function bodyOf(raw: string, start: number, { head, status }: Headed): { body: string; end: number | undefined } {
  if (status < 200 || status === 204 || status === 304) return { body: '', end: start }
  if (raw.startsWith('HTTP/1.', start)) return { body: '', end: start }
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length !== undefined) {
    const end = start + Number(length)
    return { body: raw.slice(start, end), end: raw.length < end ? undefined : end }
  }
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const close = raw.indexOf('\r\n0\r\n\r\n', start - 2)
    return { body: raw.slice(start, close === -1 ? undefined : close), end: close === -1 ? undefined : close + 7 }
  }
  return { body: raw.slice(start), end: undefined }
}

/** The value of a header in a head, lower-case name. */
export const headerOf = ({ head }: Pick<Response, 'head'>, name: string): string | undefined =>
  head
    .split('\r\n')
    .slice(1)
    .find((line) => line.toLowerCase().startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .trim()
