/** Bodies of requests as JSON: each bounded in size and time, and all together that are read or not answered yet, in number and size. */
import type { IncomingMessage } from 'node:http'

export type BodiesParts = {
  /** In which a whole body has to come. */
  readonly withinMs: number
  /** Resolves early when it is to stop. */
  readonly pause: (ms: number, stop: AbortSignal) => Promise<void>
  readonly bounds?: Bounds
}

export type Bounds = {
  /** Of one body. */
  readonly bytes: number
  /** In one body: what is small in bytes may be long to look through. Commas in texts count too. */
  readonly values: number
  /** Of all under way; above it the largest that has not come whole is refused. */
  readonly bytesOfAll: number
  /** Above it the oldest that has not come whole is refused. */
  readonly requests: number
}

export type Body = { readonly kind: 'json'; readonly value: unknown } | { readonly kind: 'notJson' | Refused }

/** The one for itself, the other beside what else is under way. */
type Refused = 'tooLarge' | 'tooMuch'

export type Bodies = {
  /** Rejects where the caller went away, or takes too long. `act` is done with the body once it resolves. */
  readonly taking: (request: IncomingMessage, act: (body: Body) => Promise<void> | void) => Promise<void>
}

const MIB = 1024 * 1024

/** Bytes: two objects of what etcd takes (1.5 MiB), and what lies around them. Values: many times those of the largest object that we take. */
export const BOUNDS: Bounds = { bytes: 4 * MIB, values: 100_000, bytesOfAll: 8 * MIB, requests: 256 }

/** What a request holds until it is answered. */
type Held = {
  bytes: number
  /** Frees it for others before it has come whole. */
  giveUp: () => void
}

export function makeBodies({ withinMs, pause, bounds = BOUNDS }: BodiesParts): Bodies {
  let requests = 0
  let bytesOfAll = 0
  /** Not whole yet, the oldest first. Who holds much, or holds it long, makes room: small bodies come at once. */
  const coming = new Set<Held>()

  const makeRoomForBytes = (): void => {
    while (bytesOfAll > bounds.bytesOfAll) {
      const most = largest(coming)
      if (most === undefined) return
      most.giveUp()
    }
  }

  const read = (request: IncomingMessage, held: Held): Promise<Buffer | Refused> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      const end = (as: Buffer | Refused): void => {
        coming.delete(held)
        request.off('data', take).pause()
        resolve(as)
      }
      const take = (chunk: Buffer): void => {
        held.bytes += chunk.length
        bytesOfAll += chunk.length
        chunks.push(chunk)
        if (held.bytes > bounds.bytes) end('tooLarge')
        else makeRoomForBytes()
      }
      held.giveUp = () => {
        bytesOfAll -= held.bytes
        held.bytes = 0
        chunks.length = 0
        end('tooMuch')
      }
      coming.add(held)
      request.on('data', take).once('end', () => end(Buffer.concat(chunks)))
      request.once('error', reject).once('close', () => reject(new Error('the caller went away')))
    })

  const bodyOf = async (request: IncomingMessage, held: Held): Promise<Body> => {
    if (requests > bounds.requests) {
      const [oldest] = coming
      if (oldest === undefined) return { kind: 'tooMuch' }
      oldest.giveUp()
    }
    const come = await read(request, held)
    if (typeof come === 'string') return { kind: come }
    return valuesIn(come) > bounds.values ? { kind: 'tooLarge' } : parsed(come)
  }

  const hurry = async (request: IncomingMessage, come: AbortSignal): Promise<void> => {
    await pause(withinMs, come)
    if (!come.aborted) request.destroy()
  }

  return {
    taking: async (request, act) => {
      const come = new AbortController()
      const held: Held = { bytes: 0, giveUp: () => undefined }
      requests += 1
      try {
        void hurry(request, come.signal)
        const body = await bodyOf(request, held)
        come.abort()
        await act(body)
      } finally {
        come.abort()
        coming.delete(held)
        requests -= 1
        bytesOfAll -= held.bytes
      }
    },
  }
}

function largest(coming: Iterable<Held>): Held | undefined {
  let most: Held | undefined
  for (const held of coming) if (most === undefined || held.bytes > most.bytes) most = held
  return most
}

const [COMMA, LIST, MAPPING] = [0x2c, 0x5b, 0x7b]

/** Before they are made: at least as many as there are. */
function valuesIn(body: Buffer): number {
  let count = 1
  // by index: an iterator takes ten times as long
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]
    if (byte === COMMA || byte === LIST || byte === MAPPING) count += 1
  }
  return count
}

function parsed(body: Buffer): Body {
  try {
    return { kind: 'json', value: JSON.parse(body.toString()) }
  } catch {
    return { kind: 'notJson' }
  }
}
