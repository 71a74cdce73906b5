/** How long a revoked key is still let through by any of several authz, from the API server's answer to the revocation. */
import { Client } from 'undici'
import { onTestFinished } from 'vitest'
import type { Cluster } from './cluster.ts'
import type { ClusterAuthz } from './cluster-authz.ts'
import { editSpec, expectOk, type GrantedKey, grantKey } from './granted-keys.ts'
import { until } from './until.ts'

export type Load = {
  /** Revokes a key, and resolves to the milliseconds until the last request with it that was let through; 0: none was. */
  readonly revoke: (victim: GrantedKey, how: 'delete' | 'Revoked') => Promise<number>
  /** Every key that is asked about but for the one revoked must be let through all the time. */
  readonly wronglyRefused: () => number
  readonly requests: () => number
  readonly stop: () => Promise<void>
}

export type LoadParts = {
  readonly cluster: Pick<Cluster, 'request'>
  readonly authz: readonly ClusterAuthz[]
  /** Asked about in turn, besides the one that is revoked. */
  readonly others: readonly GrantedKey[]
  readonly perSecond: number
}

const CONNECTIONS = 4
/** A revocation is over when none of all these was let through any more. */
const QUIET_MS = 250
const TICK_MS = 4
/** So many answers of each authz are waited for, before and after. */
const SEEN_BY_EACH = 8
const GIVEN_UP_MS = 20_000

/** Half of all requests are about the key that is revoked, evenly over all authz. */
export function startLoad({ cluster, authz, others, perSecond }: LoadParts): Load {
  const replicas = authz.map(({ checkUrl }) => ({
    clients: Array.from({ length: CONNECTIONS }, () => new Client(checkUrl)),
    next: 0,
  }))
  let victim: GrantedKey | undefined
  let lastAccepted = Number.NEGATIVE_INFINITY
  /** Answers about the key that is revoked: those that let it through, and those since that did not. */
  let accepted = 0
  let refusedSince = 0
  let refusedOthers = 0
  let sent = 0
  const startedAt = performance.now()

  const isLetThrough = async (replica: number, key: string): Promise<boolean> => {
    const { clients } = replicas[replica] ?? { clients: [] }
    const client = clients[sent % CONNECTIONS]
    if (client === undefined) throw new Error('there is no such replica')
    const headers = {
      'x-api-key': key,
      ...{ 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/things', 'x-forwarded-host': 'api.test' },
    }
    const { statusCode, body } = await client.request({ path: '/check/forwarded', method: 'GET', headers })
    await body.dump()
    return statusCode === 200
  }

  const noteVictim = (passed: boolean): void => {
    refusedSince = passed ? 0 : refusedSince + 1
    if (!passed) return
    accepted++
    lastAccepted = performance.now()
  }

  const askOne = async (): Promise<void> => {
    const turn = sent++
    const replica = turn % replicas.length
    const asked = Math.floor(turn / replicas.length) % 2 === 0 ? victim : undefined
    const other = others[turn % others.length]
    const key = (asked ?? other)?.key
    if (key === undefined) return
    const passed = await isLetThrough(replica, key)
    if (asked === undefined) refusedOthers += passed ? 0 : 1
    else if (asked === victim) noteVictim(passed)
  }

  const failures: unknown[] = []
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAt) / 1000) * perSecond
    while (sent < due) askOne().catch((error) => failures.push(error))
  }, TICK_MS)

  const stop = async () => {
    clearInterval(timer)
    await Promise.all(replicas.flatMap(({ clients }) => clients.map((client) => client.destroy())))
  }
  onTestFinished(stop)

  return {
    revoke: async (granted, how) => {
      accepted = 0
      victim = granted
      const enough = authz.length * SEEN_BY_EACH
      await until(`${granted.name} is let through before it is revoked`, () => accepted >= enough)
      if (how === 'delete') await expectOk(cluster, 'DELETE', granted.path)
      else await editSpec(cluster, granted, { state: 'Revoked' })
      const answeredAt = performance.now()
      refusedSince = 0
      const isQuiet = () => refusedSince >= enough && performance.now() - Math.max(lastAccepted, answeredAt) >= QUIET_MS
      await until(`${granted.name} is refused everywhere`, isQuiet, GIVEN_UP_MS)
      victim = undefined
      if (failures.length > 0) throw failures[0]
      return Math.max(0, lastAccepted - answeredAt)
    },
    wronglyRefused: () => refusedOthers,
    requests: () => sent,
    stop,
  }
}

/** So many keys, granted a few at a time. */
export async function grantKeys(cluster: Cluster, prefix: string, count: number): Promise<readonly GrantedKey[]> {
  const granted: GrantedKey[] = []
  let next = 0
  const worker = async () => {
    for (let n = next++; n < count; n = next++) granted.push(await grantKey(cluster, `team/${prefix}-${n}`))
  }
  await Promise.all(Array.from({ length: 24 }, worker))
  return granted
}

/** Revokes them one after the other, every second one by deleting it. */
export async function revokeAll(load: Load, victims: readonly GrantedKey[]): Promise<readonly number[]> {
  const took: number[] = []
  for (const [i, victim] of victims.entries()) took.push(await load.revoke(victim, i % 2 === 0 ? 'Revoked' : 'delete'))
  return took
}

export type Figures = { readonly p50: number; readonly p99: number; readonly max: number }

export function figuresOf(all: readonly number[]): Figures {
  const sorted = all.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

export function tell(what: string, all: readonly number[]): void {
  const { p50, p99, max } = figuresOf(all)
  const text = [p50, p99, max].map((ms) => `${ms.toFixed(1)} ms`)
  process.stdout.write(`${what}: ${all.length} revocations, p50 ${text[0]}, p99 ${text[1]}, max ${text[2]}\n`)
}
