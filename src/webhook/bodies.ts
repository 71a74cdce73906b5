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
  /** Of all under way. */
  readonly bytesOfAll: number
  readonly requests: number
}

export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'notJson' | 'tooLarge' | 'tooMuch' }

export type Bodies = {
  /** Rejects where the caller went away, or takes too long. `act` is done with the body once it resolves. */
  readonly taking: (request: IncomingMessage, act: (body: Body) => Promise<void> | void) => Promise<void>
}

const MIB = 1024 * 1024

/** Bytes: two objects of what etcd takes (1.5 MiB), and what lies around them. Values: many times those of the largest object that we take. */
export const BOUNDS: Bounds = { bytes: 4 * MIB, values: 100_000, bytesOfAll: 8 * MIB, requests: 256 }

export function makeBodies({ withinMs, pause, bounds = BOUNDS }: BodiesParts): Bodies {
  let requests = 0
  let bytesOfAll = 0

  const read = async (request: IncomingMessage, take: (bytes: number) => void): Promise<Body> => {
    if (requests > bounds.requests) return { kind: 'tooMuch' }
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of request as AsyncIterable<Buffer>) {
      take(chunk.length)
      bytes += chunk.length
      if (bytes > bounds.bytes) return { kind: 'tooLarge' }
      if (bytesOfAll > bounds.bytesOfAll) return { kind: 'tooMuch' }
      chunks.push(chunk)
    }
    const body = Buffer.concat(chunks)
    return valuesIn(body) > bounds.values ? { kind: 'tooLarge' } : parsed(body)
  }

  const hurry = async (request: IncomingMessage, come: AbortSignal): Promise<void> => {
    await pause(withinMs, come)
    if (!come.aborted) request.destroy()
  }

  return {
    taking: async (request, act) => {
      const come = new AbortController()
      let taken = 0
      requests += 1
      try {
        void hurry(request, come.signal)
        const body = await read(request, (bytes) => {
          taken += bytes
          bytesOfAll += bytes
        })
        come.abort()
        await act(body)
      } finally {
        come.abort()
        requests -= 1
        bytesOfAll -= taken
      }
    },
  }
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
