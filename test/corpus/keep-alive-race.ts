/** Requests that come just as the upstream closes the connection that they would go on. */
import { Agent, request } from 'node:http'

/** The case that this is. */
export const SOAK = 'DOS-keepalive-race'

/** The upstream's; every lane asks again after just this long. */
export const UPSTREAM_IDLE_MS = 1000
const LANES = 200
/** What a timer is off by anyway: some requests come before the close, some behind it, some meet it. */
const SPREAD_MS = 6

export type Race = { readonly port: number; readonly key: string; readonly durationMs: number }

/** How many answers of each status came; 0: none. */
export async function race({ port, key, durationMs }: Race): Promise<ReadonlyMap<number, number>> {
  const agent = new Agent({ keepAlive: true })
  const statuses = new Map<number, number>()
  const end = performance.now() + durationMs
  const lane = async (number: number) => {
    await new Promise((resolve) => setTimeout(resolve, (number * UPSTREAM_IDLE_MS) / LANES))
    for (let i = 0; performance.now() < end; i++) {
      const status = await ask({ port, key, agent })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      const off = ((i * 7 + number) % (2 * SPREAD_MS)) - SPREAD_MS
      await new Promise((resolve) => setTimeout(resolve, UPSTREAM_IDLE_MS + off))
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_none, number) => lane(number)))
  agent.destroy()
  return statuses
}

const ask = ({ port, key, agent }: { port: number; key: string; agent: Agent }): Promise<number> =>
  new Promise((resolve) => {
    const options = { port, host: '127.0.0.1', path: '/api/x', agent, headers: { host: 'api.test', 'x-api-key': key } }
    const outgoing = request(options, (incoming) => {
      incoming.resume()
      incoming.on('close', () => resolve(incoming.statusCode ?? 0))
    })
    outgoing.on('error', () => resolve(0))
    outgoing.end()
  })
