/** Stands between an operator and the API server, and can hold any of its writes: for whoever kills or stops it right then. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { makeAuthority } from './certificates.ts'
import type { Cluster } from './cluster.ts'
import { temporaryFolder } from './process.ts'

/** before: the server never sees it; during: the server has it, and nobody waits for the answer; after: the answer is lost. */
export type Phase = 'before' | 'during' | 'after'

export type Write = { readonly method: string; readonly path: string; readonly body: string }

export type Trap = {
  /** Which of the writes count; all unless given. */
  readonly matches?: (write: Write) => boolean
  /** The n-th of them from now (0: the next). */
  readonly n: number
  readonly phase: Phase
  /** All that come after it as well. */
  readonly andAllAfter?: boolean
}

export type Held = {
  /** Resolves with what is held, as soon as it is: its method and path. */
  readonly reached: Promise<string>
  /** Nothing more is held by this. */
  readonly takeBack: () => void
}

export type KillProxy = {
  /** For `startOperator`: its environment and its service account, with the authority of this proxy. */
  readonly env: Cluster['podEnv']
  readonly serviceAccount: string
  /** A write that neither goes on nor comes back: until there is a strike, or it is let go. */
  readonly hold: (trap: Trap) => Held
  /** Sends off what is held during its writing, kills at once, and resolves when the server is done with it. */
  readonly strike: (kill: () => void) => Promise<void>
  /** All that is held goes on now, as if the network had been slow. Resolves when all of it is answered. */
  readonly letGo: () => Promise<void>
  /** Holds a write and strikes as soon as it is held; resolves with what was held. */
  readonly killAt: (trap: Trap, kill: () => void) => Promise<string>
  /** What was asked for over each connection, such as `PUT /api/v1/...`. */
  readonly connections: () => readonly (readonly string[])[]
  /** Nothing is held any more; what is held stays so. */
  readonly letLive: () => void
  readonly close: () => void
}

const proxies = new Set<KillProxy>()
afterAll(() => {
  for (const proxy of proxies) proxy.close()
})

type Armed = { readonly trap: Trap; left: number; readonly reached: (what: string) => void }
type Answered = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: Buffer }
type Onward = { readonly sent: Promise<void>; readonly answered: Promise<Answered | undefined> }
type HeldWrite = {
  readonly phase: Phase
  readonly answer: ServerResponse
  /** To the server: the first time it is called. */
  readonly send: () => Onward
}

/** Of the operator's work; a Lease or an event that is lost is lost. */
const counts = ({ method, url = '' }: IncomingMessage): boolean =>
  method !== 'GET' && !/\/(leases|events|subjectaccessreviews)\b/.test(url)

export async function startKillProxy(cluster: Cluster): Promise<KillProxy> {
  const authority = await makeAuthority()
  const { cert, key } = await authority.issue(['127.0.0.1', 'localhost'])
  const account = await cluster.serviceAccount('keyward-operator')
  const serviceAccount = temporaryFolder()
  for (const file of ['token', 'namespace']) copyFileSync(join(account, file), join(serviceAccount, file))
  writeFileSync(join(serviceAccount, 'ca.crt'), authority.ca)

  const ca = readFileSync(cluster.caFile)
  const agent = new Agent({ keepAlive: true, ca })
  const traps = new Set<Armed>()
  const connections = new Map<Socket, string[]>()
  let held: HeldWrite[] = []

  const onward = (asked: IncomingMessage) =>
    request({
      ...{ host: '127.0.0.1', port: cluster.port, agent },
      ...{ method: asked.method, path: asked.url, headers: asked.headers },
    })

  const sendOnce = (asked: IncomingMessage, body: Buffer): (() => Onward) => {
    let sending: Onward | undefined
    return () => {
      sending ??= sendNow(onward(asked), body)
      return sending
    }
  }

  /** Which trap this write falls into. */
  const caught = (write: Write): Armed | undefined => {
    for (const set of traps) {
      if (set.trap.matches?.(write) === false || set.left-- > 0) continue
      if (set.trap.andAllAfter !== true) traps.delete(set)
      return set
    }
    return undefined
  }

  const onWrite = async (asked: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const body = await bodyOf(asked)
    const { method = '', url: path = '' } = asked
    const set = caught({ method, path, body: body.toString('utf8') })
    const send = sendOnce(asked, body)
    if (set === undefined) return giveBack(await send().answered, answer)
    const { phase } = set.trap
    if (phase === 'after') await send().answered
    held.push({ phase, answer, send })
    set.reached(`${method} ${path}`)
  }

  const pass = (asked: IncomingMessage, answer: ServerResponse): void => {
    const passed = onward(asked)
    passed.on('response', (answered) => relay(answered, answer))
    passed.on('error', () => answer.destroy())
    // a watch that nobody reads any more ends on the other side too
    answer.on('close', () => passed.destroy())
    asked.pipe(passed)
  }

  const server = createServer({ cert, key }, (asked, answer) => {
    const over = connections.get(asked.socket) ?? []
    connections.set(asked.socket, over)
    over.push(`${asked.method} ${asked.url}`)
    if (counts(asked)) onWrite(asked, answer).catch(() => answer.destroy())
    else pass(asked, answer)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  const hold = (trap: Trap): Held => {
    const reached = Promise.withResolvers<string>()
    const set = { trap, left: trap.n, reached: reached.resolve }
    traps.add(set)
    return { reached: reached.promise, takeBack: () => void traps.delete(set) }
  }
  const strike = async (kill: () => void): Promise<void> => {
    const during = held.filter(({ phase }) => phase === 'during').map(({ send }) => send())
    held = []
    await Promise.all(during.map(({ sent }) => sent))
    kill()
    await Promise.all(during.map(({ answered }) => answered))
  }
  const proxy: KillProxy = {
    env: { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(port) },
    serviceAccount,
    hold,
    strike,
    letGo: async () => {
      const going = held
      held = []
      await Promise.all(going.map(async ({ send, answer }) => giveBack(await send().answered, answer)))
    },
    killAt: async (trap, kill) => {
      const what = await hold(trap).reached
      await strike(kill)
      return what
    },
    connections: () => [...connections.values()],
    letLive: () => traps.clear(),
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

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function sendNow(sending: ReturnType<typeof request>, body: Buffer): Onward {
  const sent = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<Answered | undefined>()
  const failed = () => {
    sent.resolve()
    answered.resolve(undefined)
  }
  sending.on('finish', sent.resolve)
  sending.on('error', failed)
  sending.on('response', (response: IncomingMessage) => {
    const { statusCode: status = 502, headers } = response
    bodyOf(response).then((read) => answered.resolve({ status, headers, body: read }), failed)
  })
  sending.end(body)
  return { sent: sent.promise, answered: answered.promise }
}

function giveBack(answered: Answered | undefined, answer: ServerResponse): void {
  if (answered === undefined) {
    answer.destroy()
    return
  }
  const { 'transfer-encoding': _chunked, ...headers } = answered.headers
  answer.writeHead(answered.status, headers)
  answer.end(answered.body)
}

function relay(answered: IncomingMessage, answer: ServerResponse): void {
  answer.writeHead(answered.statusCode ?? 502, answered.headers)
  answered.pipe(answer)
  answered.on('error', () => answer.destroy())
}
