/** A TCP proxy in the test process that does to connections what networks do to them. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll } from 'vitest'
import { freePort } from './free-port.ts'

export type FaultProxy = {
  /** Of 127.0.0.1; stays the same. */
  readonly port: number
  /** Whatever the target answers arrives this much later, in its order. */
  delay(ms: number): void
  /** Connections are accepted and nothing is passed, either way. What was held is passed after heal. */
  stall(): void
  /** Resets every connection that is open now; new ones work. */
  cut(): void
  /** Resets every connection and lets none in: ECONNREFUSED. */
  refuse(): void
  /** No faults any more: connections that are open go on. */
  heal(): void
  /** Connections that are open now. */
  connections(): number
  stop(): Promise<void>
}

type Faults = { delayMs: number; stalled: boolean }
/** One direction of a connection. An undefined chunk is its end. */
type Held = { readonly dueMs: number; readonly chunk: Buffer | undefined }
type Pipe = { readonly drain: () => void }

const running = new Set<FaultProxy>()
afterAll(async () => {
  await Promise.all([...running].map((proxy) => proxy.stop()))
})

export async function startFaultProxy(target: { readonly host: string; readonly port: number }): Promise<FaultProxy> {
  const port = await freePort()
  const faults: Faults = { delayMs: 0, stalled: false }
  const open = new Map<Socket, readonly Pipe[]>()

  const accept = (client: Socket) => {
    const upstream = connect({ ...target, noDelay: true })
    client.setNoDelay(true)
    const pipes = [
      pipe({ from: client, to: upstream, faults, delayed: false }),
      pipe({ from: upstream, to: client, faults, delayed: true }),
    ]
    open.set(client, pipes)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on('error', () => other.resetAndDestroy())
      socket.on('close', () => open.delete(client))
    }
    client.on('close', () => upstream.destroy())
  }
  const cut = () => {
    for (const client of open.keys()) client.resetAndDestroy()
  }

  let server: Server | undefined
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server = createServer({ allowHalfOpen: true }, accept)
      server.once('error', reject)
      server.listen({ port, host: '127.0.0.1' }, () => resolve())
    })
  const proxy: FaultProxy = {
    port,
    delay: (ms) => {
      faults.delayMs = ms
    },
    stall: () => {
      faults.stalled = true
    },
    cut,
    refuse: () => {
      server?.close()
      server = undefined
      cut()
    },
    heal: () => {
      faults.delayMs = 0
      faults.stalled = false
      for (const pipes of open.values()) for (const { drain } of pipes) drain()
      // listen() takes the port at once, before it says so
      if (server === undefined) listen().catch(() => {})
    },
    connections: () => open.size,
    stop: async () => {
      running.delete(proxy)
      const listening = server
      server = undefined
      const closed = new Promise<void>((resolve) =>
        listening === undefined ? resolve() : listening.close(() => resolve()),
      )
      cut()
      await closed
    },
  }
  await listen()
  running.add(proxy)
  return proxy
}

type PipeParts = { readonly from: Socket; readonly to: Socket; readonly faults: Faults; readonly delayed: boolean }

function pipe({ from, to, faults, delayed }: PipeParts): Pipe {
  const held: Held[] = []
  let timer: NodeJS.Timeout | undefined
  const drain = () => {
    clearTimeout(timer)
    timer = undefined
    while (!faults.stalled && held[0] !== undefined) {
      // a delay that was taken away meanwhile holds nothing any more
      const waitMs = delayed && faults.delayMs > 0 ? held[0].dueMs - performance.now() : 0
      if (waitMs > 0) {
        timer = setTimeout(drain, waitMs)
        return
      }
      const chunk = held.shift()?.chunk
      if (to.destroyed) continue
      if (chunk === undefined) to.end()
      else to.write(chunk)
    }
  }
  const hold = (chunk: Buffer | undefined) => {
    held.push({ dueMs: performance.now() + (delayed ? faults.delayMs : 0), chunk })
    if (timer === undefined) drain()
  }
  from.on('data', hold)
  from.on('end', () => hold(undefined))
  from.on('close', () => {
    if (from.destroyed && !from.readableEnded) clearTimeout(timer)
  })
  return { drain }
}
