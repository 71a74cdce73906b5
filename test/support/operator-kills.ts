/** Rounds of work on many keys at once; in each the leader is killed at a random write, and its successor makes it good. */
import { randomInt } from 'node:crypto'
import { claim } from './claimant.ts'
import type { Cluster } from './cluster.ts'
import { applyKey, deleteKey, editKey, type KeyObject, keptKeys } from './cluster-keys.ts'
import type { Phase } from './kill-proxy.ts'
import type { Field } from './killed-together.ts'
import { broken, type Life } from './operator-crash.ts'
import { until } from './until.ts'

export type Kills = {
  readonly kills: number
  /** In the middle of a write, not between two. */
  readonly atWrites: number
  /** From leading to everything being where it belongs; the longest. */
  readonly convergedMs: number
  /** Versions that reached their owners. */
  readonly delivered: number
}

const PHASES: readonly Phase[] = ['before', 'during', 'after']
const KEYS_AT_ONCE = 6
const LATEST_WRITE = 25
/** Nothing is written for so long: whoever was to be killed in the middle of something is killed at rest. */
const AT_REST_MS = 1500

/** One thing that somebody does to a key; what it leads to is not waited for. */
type Act = (cluster: Cluster, life: Life) => Promise<unknown>

const ask: Act = async (cluster, { name, claims }) => claims.push(await claim(cluster, { apiKey: name }))
const edit =
  (spec: Readonly<Record<string, unknown>>): Act =>
  (cluster, { name }) =>
    editKey(cluster, name, spec)

/** What becomes of a key in one round, by chance. */
const COURSES: readonly (readonly Act[])[] = [
  [(cluster, { name }) => applyKey(cluster, name), ask],
  [(cluster, { name }) => applyKey(cluster, name), ask, ask, edit({ state: 'Suspended' }), edit({ state: 'Active' })],
  [(cluster, { name }) => applyKey(cluster, name, { overlap: '1h' }), ask, edit({ regenerate: 1 }), ask],
  [(cluster, { name }) => applyKey(cluster, name), ask, edit({ regenerate: 1 }), ask],
  [(cluster, { name }) => applyKey(cluster, name), ask, edit({ state: 'Revoked' })],
  [(cluster, { name }) => applyKey(cluster, name), ask, (cluster, { name }) => deleteKey(cluster, name)],
  [(cluster, { name }) => applyKey(cluster, name, { delivery: { secretName: name } }), edit({ regenerate: 1 })],
  [
    (cluster, { name }) => applyKey(cluster, name, { overlap: '1h', delivery: { secretName: name } }),
    edit({ regenerate: 1 }),
  ],
]

export async function killRounds(field: Field, kills: number): Promise<Kills> {
  let atWrites = 0
  let convergedMs = 0
  for (let round = 0; round < kills; round++) {
    // a new leader looks at every key there is: what is measured is not how many were made before
    await clear(field.cluster)
    const { wasAtWrite, ms } = await killRound(field)
    if (wasAtWrite) atWrites += 1
    convergedMs = Math.max(convergedMs, ms)
  }
  const sealed = await Promise.all(field.lives.flatMap(({ claims }) => claims.map((one) => one.peek())))
  return { kills, atWrites, convergedMs, delivered: sealed.filter((one) => one !== undefined).length }
}

const CLEARED_WITHIN_MS = 60_000

/** Claims stay, for who looks at what was delivered. */
async function clear(cluster: Cluster): Promise<void> {
  await cluster.request('DELETE', '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys')
  await until('nothing is kept', async () => (await keptKeys(cluster)).length === 0, CLEARED_WITHIN_MS)
}

async function killRound({
  cluster,
  succession,
  lives,
}: Field): Promise<{ readonly wasAtWrite: boolean; readonly ms: number }> {
  const { operator, proxy } = succession.leader()
  const round = Array.from(
    { length: KEYS_AT_ONCE },
    (): Life => ({ name: `kill-${lives.length}-${randomInt(1e9)}`, claims: [] }),
  )
  lives.push(...round)
  const phase = PHASES[randomInt(PHASES.length)] ?? 'before'
  const killed = proxy.killAt({ n: randomInt(LATEST_WRITE), phase }, () => operator.process.signal('SIGKILL'))
  await Promise.all(round.map((life) => live(cluster, life)))
  const rested = new Promise<undefined>((resolve) => setTimeout(resolve, AT_REST_MS, undefined))
  const what = await Promise.race([killed, rested])
  if (what === undefined) operator.process.signal('SIGKILL')
  const left = await broken(cluster, round)
  if (left.length > 0) throw new Error(`${phase} ${what ?? 'nothing'}: ${left.join('; ')}`)
  const next = await succession.next()
  const leadsAt = performance.now()
  const when = `after a kill ${phase} ${what ?? 'nothing'}`
  await until(`all is settled ${when}`, async () => (await unsettled(cluster, round)).length === 0, 15_000).catch(
    async (error: unknown) => {
      const left = JSON.stringify(await unsettled(cluster, round))
      throw new Error(`${String(error)}: ${left}\n${next.operator.output()}`)
    },
  )
  const ms = performance.now() - leadsAt
  await until('nothing is under way', async () => (await next.operator.metric('keyward_operator_queue_depth')) === 0)
  const wrong = [...(await broken(cluster, round)), ...(await orphans(cluster))]
  if (wrong.length > 0) throw new Error(`settled ${when}: ${wrong.join('; ')}`)
  return { wasAtWrite: what !== undefined, ms }
}

async function live(cluster: Cluster, life: Life): Promise<void> {
  const course = COURSES[randomInt(COURSES.length)] ?? []
  for (const act of course) {
    await act(cluster, life)
    await new Promise((resolve) => setTimeout(resolve, randomInt(120)))
  }
}

async function keysOf(cluster: Cluster): Promise<readonly KeyObject[]> {
  const { body } = await cluster.request('GET', '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys')
  return (body as { readonly items: readonly KeyObject[] }).items
}

/** Of whom something is still to be done: a status that is about an older spec, a version on its way, a claim unanswered. */
async function unsettled(cluster: Cluster, round: readonly Life[]): Promise<readonly unknown[]> {
  const names = new Set(round.map(({ name }) => name))
  const keys = (await keysOf(cluster)).filter(({ metadata }) => names.has(metadata.name))
  const isTold = ({ metadata, status, spec }: KeyObject): boolean => {
    if (status?.observedGeneration !== metadata.generation) return false
    const { secretName } = (spec.delivery ?? {}) as { readonly secretName?: string }
    return secretName === undefined || status?.credential?.version === 1 + Number(spec.regenerate ?? 0)
  }
  const claims = round.flatMap((life) => life.claims)
  const answered = await Promise.all(claims.map((one) => one.isFinished()))
  return [...keys.filter((key) => !isTold(key)), ...claims.filter((_, i) => !answered[i]).map(({ name }) => name)]
}

/** What is kept for nobody. */
async function orphans(cluster: Cluster): Promise<readonly string[]> {
  const alive = new Set((await keysOf(cluster)).map(({ metadata }) => metadata.uid))
  const kept = await keptKeys(cluster)
  return kept.flatMap(({ name, secret }) =>
    secret !== undefined && alive.has(secret.uid) ? [] : [`${name} is nobody's`],
  )
}
