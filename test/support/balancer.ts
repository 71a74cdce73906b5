/** Stands for a Service: a port that passes connections on to replicas in turn, but only to those that say that they are ready. */
import { connect, createServer, type Socket } from 'node:net'
import { afterAll } from 'vitest'
import { ask } from './ask.ts'
import { freePort } from './free-port.ts'

export type Backend = {
  readonly port: number
  /** 200: it is ready. */
  readonly readyUrl: string
}

export type Balancer = {
  /** Of 127.0.0.1; stays the same. */
  readonly port: number
  /** From now on; connections that are open go on, as they do with a Service. */
  readonly use: (backends: readonly Backend[]) => void
  /** Ports of those that are ready, as far as is known. */
  readonly ready: () => readonly number[]
}

/** A kubelet asks every few seconds; here tests would wait for that. */
const ASK_EVERY_MS = 100
const ANSWERED_WITHIN_MS = 1000

/** Closed at the end of the test file. */
export async function startBalancer(): Promise<Balancer> {
  const port = await freePort()
  const open = new Set<Socket>()
  /** By port: who was ready is, also where the others change. */
  const known = new Map<number, boolean>()
  const asking = new Set<number>()
  let backends: readonly Backend[] = []
  let turn = 0

  const ready = () => backends.filter((backend) => known.get(backend.port) === true)
  const look = async (backend: Backend): Promise<void> => {
    if (asking.has(backend.port)) return
    asking.add(backend.port)
    known.set(backend.port, await isReady(backend))
    asking.delete(backend.port)
  }
  const looking = setInterval(() => {
    for (const backend of backends) void look(backend)
  }, ASK_EVERY_MS)

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const among = ready()
    const backend = among[turn++ % Math.max(1, among.length)]
    client.on('error', () => {})
    // as where a Service has no endpoints
    if (backend === undefined) return void client.resetAndDestroy()
    const replica = connect({ port: backend.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    open.add(client)
    replica.on('error', () => client.resetAndDestroy())
    client.on('close', () => {
      open.delete(client)
      replica.destroy()
    })
    client.pipe(replica).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen({ port, host: '127.0.0.1' }, resolve))
  afterAll(async () => {
    clearInterval(looking)
    for (const socket of open) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    port,
    use: (wanted) => {
      backends = wanted
      for (const port of known.keys()) if (!wanted.some((backend) => backend.port === port)) known.delete(port)
    },
    ready: () => ready().map((backend) => backend.port),
  }
}

async function isReady({ readyUrl }: Backend): Promise<boolean> {
  const late = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ANSWERED_WITHIN_MS).unref())
  const answer = await Promise.race([ask(readyUrl).catch(() => undefined), late])
  return answer?.status === 200
}
