/** A TCP client that sends exactly the bytes it is given and reads what comes back, one response at a time. */
import { connect, type Socket } from 'node:net'
import { awakeMs } from './awake.ts'

export type RawResponse = {
  readonly status: number
  readonly reason: string
  /** Name, value, name, value … as received. */
  readonly headers: readonly string[]
  /** The values of a header joined by `, `; undefined where it is absent. */
  readonly header: (name: string) => string | undefined
  readonly body: Buffer
  readonly text: string
  /** Name, value, name, value … behind a chunked body. */
  readonly trailers: readonly string[]
}

export type ResponseOptions = {
  /** The answer to HEAD has no body, whatever its length says. */
  readonly toHead?: boolean
  readonly timeoutMs?: number
}

export type RawConnection = {
  readonly socket: Socket
  /** Strings are sent as latin-1: one byte per character. */
  readonly send: (bytes: string | Uint8Array) => void
  /** The next response, informational ones (1xx) included. */
  readonly response: (options?: ResponseOptions) => Promise<RawResponse>
  /** Takes this many bytes, or fewer where the connection ends. */
  readonly bytes: (count: number, timeoutMs?: number) => Promise<Buffer>
  /** Everything until the other side ends. */
  readonly rest: (timeoutMs?: number) => Promise<Buffer>
  /** Resolves when the other side has ended or reset the connection. */
  readonly ended: (timeoutMs?: number) => Promise<void>
  readonly isEnded: () => boolean
  /** Sends FIN and goes on reading. */
  readonly end: () => void
  readonly destroy: () => void
}

/** Where only a hang is meant. Every time out here is by awake.ts. */
const DEFAULT_TIMEOUT_MS = 20_000

/** Bytes that have arrived and were not taken yet, and whoever waits for more. */
class Inbox {
  /** Put together only when somebody looks: a long body comes in thousands of pieces. */
  #chunks: Buffer[] = []
  #length = 0
  #ended = false
  #wake: (() => void) | undefined

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  get isEnded(): boolean {
    return this.#ended
  }

  get length(): number {
    return this.#length
  }

  get data(): Buffer {
    const [first = Buffer.alloc(0), ...others] = this.#chunks
    if (others.length === 0) return first
    const whole = Buffer.concat(this.#chunks)
    this.#chunks = [whole]
    return whole
  }

  take(count: number): Buffer {
    const all = this.data
    const taken = all.subarray(0, count)
    this.#chunks = [all.subarray(count)]
    this.#length = all.length - taken.length
    return taken
  }

  /** Waits until `ready` gives something; fails at the end of the connection or of the time. */
  async until<T>(what: string, timeoutMs: number, ready: () => T | undefined): Promise<T> {
    const deadline = awakeMs() + timeoutMs
    for (;;) {
      const found = ready()
      if (found !== undefined) return found
      if (this.#ended) throw new Error(`the connection ended while waiting for ${what}; had ${show(this.data)}`)
      const left = deadline - awakeMs()
      if (left <= 0) throw new Error(`nothing for ${timeoutMs} ms while waiting for ${what}; had ${show(this.data)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

const show = (data: Buffer): string => JSON.stringify(data.subarray(0, 300).toString('latin1'))

export async function openRaw(port: number, host = '127.0.0.1'): Promise<RawConnection> {
  const socket = connect({ port, host, allowHalfOpen: true })
  const inbox = new Inbox()
  socket.on('data', (chunk: Buffer) => inbox.add(chunk))
  socket.on('end', () => inbox.end())
  socket.on('close', () => inbox.end())
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  // from here on a reset counts as an end: what matters is what came before it
  socket.on('error', () => inbox.end())
  return {
    socket,
    send: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    response: (options = {}) => readResponse(inbox, options),
    bytes: async (count, timeoutMs = DEFAULT_TIMEOUT_MS) => {
      await inbox.until(`${count} bytes`, timeoutMs, () => (inbox.length >= count || inbox.isEnded ? true : undefined))
      return inbox.take(count)
    },
    rest: async (timeoutMs = DEFAULT_TIMEOUT_MS) => {
      await inbox.until('the end', timeoutMs, () => (inbox.isEnded ? true : undefined))
      return inbox.take(inbox.length)
    },
    ended: async (timeoutMs = DEFAULT_TIMEOUT_MS) => {
      await inbox.until('the end', timeoutMs, () => (inbox.isEnded ? true : undefined))
    },
    isEnded: () => inbox.isEnded,
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}

/** Sends the bytes on a connection of their own and gives the first final response; undefined where none comes. */
export async function sendRaw(
  port: number,
  bytes: string | Uint8Array,
  options: ResponseOptions = {},
): Promise<RawResponse | undefined> {
  const connection = await openRaw(port)
  try {
    connection.send(bytes)
    for (;;) {
      const response = await connection.response(options)
      if (response.status >= 200 || response.status === 101) return response
    }
  } catch (error) {
    if (connection.isEnded()) return undefined
    throw error
  } finally {
    connection.destroy()
  }
}

async function readResponse(inbox: Inbox, { toHead = false, timeoutMs }: ResponseOptions): Promise<RawResponse> {
  const wait = timeoutMs ?? DEFAULT_TIMEOUT_MS
  const headEnd = await inbox.until('a response head', wait, () => indexAfter(inbox.data, '\r\n\r\n'))
  const [statusLine = '', ...lines] = inbox.take(headEnd).toString('latin1').slice(0, -'\r\n\r\n'.length).split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const headers = fieldsOf(lines)
  const header = (name: string) => fieldValue(headers, name)
  const { body, trailers } = await readBody(inbox, { status, header, toHead, wait })
  return {
    status,
    reason: statusLine.split(' ').slice(2).join(' '),
    headers,
    header,
    body,
    text: body.toString('utf8'),
    trailers,
  }
}

type BodyOf = {
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly toHead: boolean
  readonly wait: number
}

async function readBody(inbox: Inbox, { status, header, toHead, wait }: BodyOf) {
  const none = { body: Buffer.alloc(0), trailers: [] as string[] }
  if (toHead || status < 200 || status === 204 || status === 304) return none
  if (header('transfer-encoding') !== undefined) return readChunked(inbox, wait)
  const length = header('content-length')
  if (length === undefined) {
    await inbox.until('the end', wait, () => (inbox.isEnded ? true : undefined))
    return { ...none, body: inbox.take(inbox.length) }
  }
  const count = Number(length)
  await inbox.until(`a body of ${count}`, wait, () => (inbox.length >= count ? true : undefined))
  return { ...none, body: inbox.take(count) }
}

async function readChunked(inbox: Inbox, wait: number) {
  const parts: Buffer[] = []
  for (;;) {
    const lineEnd = await inbox.until('a chunk size', wait, () => indexAfter(inbox.data, '\r\n'))
    const size = Number.parseInt(inbox.take(lineEnd).toString('latin1'), 16)
    if (size === 0) break
    await inbox.until(`a chunk of ${size}`, wait, () => (inbox.length >= size + 2 ? true : undefined))
    parts.push(inbox.take(size))
    inbox.take(2)
  }
  const trailerLines: string[] = []
  for (;;) {
    const lineEnd = await inbox.until('a trailer', wait, () => indexAfter(inbox.data, '\r\n'))
    const line = inbox.take(lineEnd).toString('latin1').slice(0, -2)
    if (line === '') return { body: Buffer.concat(parts), trailers: fieldsOf(trailerLines) }
    trailerLines.push(line)
  }
}

function indexAfter(data: Buffer, text: string): number | undefined {
  const at = data.indexOf(text, 0, 'latin1')
  return at === -1 ? undefined : at + text.length
}

const fieldsOf = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })

/** The values of a header in a flat list, joined by `, `; undefined where it is absent. */
export function fieldValue(flat: readonly string[], name: string): string | undefined {
  const values = flat.filter((_value, i) => i % 2 === 1 && flat[i - 1]?.toLowerCase() === name.toLowerCase())
  return values.length === 0 ? undefined : values.join(', ')
}
