/** Stands between an operator and the API server, sees every write, and can kill the operator before, during or after one. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { makeAuthority } from './certificates.ts'
import type { Cluster } from './cluster.ts'
import { temporaryFolder } from './process.ts'

/** before: the server never sees it; during: the server has it, and nobody waits for the answer; after: the answer is lost. */
export type Phase = 'before' | 'during' | 'after'

export type KillProxy = {
  /** For `startOperator`: its environment and its service account, with the authority of this proxy. */
  readonly env: Cluster['podEnv']
  readonly serviceAccount: string
  /** Kills at the n-th write from now (0: the next), once; resolves with what was written when it did. */
  readonly killAt: (n: number, phase: Phase, kill: () => void) => Promise<string>
  /** Takes the last `killAt` back. */
  readonly letLive: () => void
  /** Writes so far that count: neither the Lease nor events. */
  readonly writes: () => number
  readonly close: () => void
}

const proxies = new Set<KillProxy>()
afterAll(() => {
  for (const proxy of proxies) proxy.close()
})

type Trap = {
  left: number
  readonly phase: Phase
  readonly kill: () => void
  readonly done: (what: string) => void
}

/** Of the operator's work; a Lease or an event that is lost is lost. */
const counts = ({ method, url = '' }: IncomingMessage): boolean =>
  method !== 'GET' && !url.includes('/leases') && !url.includes('/events')

export async function startKillProxy(cluster: Cluster): Promise<KillProxy> {
  const authority = await makeAuthority()
  const { cert, key } = await authority.issue(['127.0.0.1', 'localhost'])
  const account = await cluster.serviceAccount('keyward-operator')
  const serviceAccount = temporaryFolder()
  for (const file of ['token', 'namespace']) copyFileSync(join(account, file), join(serviceAccount, file))
  writeFileSync(join(serviceAccount, 'ca.crt'), authority.ca)

  const ca = readFileSync(cluster.caFile)
  const agent = new Agent({ keepAlive: true, ca })
  let writes = 0
  let trap: Trap | undefined

  /** Whether this write is the one that is waited for. */
  const caught = (asked: IncomingMessage): Trap | undefined => {
    if (!counts(asked)) return undefined
    writes += 1
    if (trap === undefined || trap.left-- > 0) return undefined
    const found = trap
    trap = undefined
    return found
  }

  const server = createServer({ cert, key }, (asked, answer) => {
    const found = caught(asked)
    const what = `${asked.method} ${asked.url}`
    if (found?.phase === 'before') {
      found.kill()
      return found.done(what)
    }
    const onward = request(
      { host: '127.0.0.1', port: cluster.port, method: asked.method, path: asked.url, headers: asked.headers, agent },
      (answered) => {
        if (found !== undefined) {
          if (found.phase === 'after') found.kill()
          answered.resume()
          answered.on('end', () => found.done(what))
          return
        }
        relay(answered, answer)
      },
    )
    onward.on('error', () => answer.destroy())
    // a watch that nobody reads any more ends on the other side too
    if (found === undefined) answer.on('close', () => onward.destroy())
    asked.pipe(onward)
    if (found?.phase === 'during') onward.on('finish', found.kill)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy: KillProxy = {
    env: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) },
    serviceAccount,
    killAt: (n, phase, kill) =>
      new Promise((done) => {
        trap = { left: n, phase, kill, done }
      }),
    letLive: () => {
      trap = undefined
    },
    writes: () => writes,
    close: () => {
      proxies.delete(proxy)
      agent.destroy()
      server.closeAllConnections()
      server.close()
    },
  }
  proxies.add(proxy)
  return proxy
}

function relay(answered: IncomingMessage, answer: ServerResponse): void {
  answer.writeHead(answered.statusCode ?? 502, answered.headers)
  answered.pipe(answer)
  answered.on('error', () => answer.destroy())
}
