/** Several operators and an API server that comes and goes: one leads, and somebody goes on. */
import { describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { claim } from '../support/claimant.ts'
import { startCluster } from '../support/cluster.ts'
import { applyKey, editKey, keptKeys, untilReady } from '../support/cluster-keys.ts'
import { type KillProxy, type Phase, startKillProxy } from '../support/kill-proxy.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { broken, type Life } from '../support/operator-crash.ts'
import { until } from '../support/until.ts'

const cluster = await startCluster()

const holder = async (): Promise<string | undefined> => {
  const { body } = await cluster.request(
    'GET',
    '/apis/coordination.k8s.io/v1/namespaces/keyward-system/leases/keyward-operator',
  )
  // what was drawn for each process stands behind it
  return (body as { readonly spec?: { readonly holderIdentity?: string } }).spec?.holderIdentity?.split('_')[0]
}

const isReady = async ({ adminUrl }: Operator): Promise<boolean> => (await ask(`${adminUrl}/readyz`)).status === 200

describe('of two operators', () => {
  test('one leads; killed, the other goes on within the Lease; stopped, at once', async () => {
    const first = await startOperator(cluster, { identity: 'first' })
    await first.leads()
    const second = await startOperator(cluster, { identity: 'second' })
    expect([await holder(), await second.metric('keyward_operator_leading')]).toEqual(['first', 0])

    await applyKey(cluster, 'shared')
    await untilReady(cluster, 'shared', 'AwaitingClaim')
    const killedAt = performance.now()
    await first.kill()
    const mine = await claim(cluster, { apiKey: 'shared' })
    expect(await mine.outcome(20_000)).toBe('Delivered')
    // a Lease of 2 s, counted from its last renewal, and the time that a campaign waits between two looks
    expect(performance.now() - killedAt).toBeLessThan(6000)
    expect(await holder()).toBe('second')

    const third = await startOperator(cluster, { identity: 'third' })
    const stoppedAt = performance.now()
    expect(await second.stop()).toBe(0)
    await third.leads()
    expect(performance.now() - stoppedAt).toBeLessThan(3000)
    expect(await third.stop()).toBe(0)
    expect(await holder()).toBe('')
  })
})

type Rival = { readonly proxy: KillProxy; readonly operator: Operator }

async function startRival(identity: string): Promise<Rival> {
  const proxy = await startKillProxy(cluster)
  const { env, serviceAccount } = proxy
  return { proxy, operator: await startOperator(cluster, { env, serviceAccount, identity }) }
}

test('the Lease has connections of its own: whatever else is asked for, it waits behind nothing', async () => {
  const { proxy, operator } = await startRival('apart')
  await operator.leads()
  await applyKey(cluster, 'apart')
  await untilReady(cluster, 'apart', 'AwaitingClaim')
  const ways = proxy.connections().map((asked) => new Set(asked.map((one) => /\/leases(\/|$)/.test(one))))
  expect(ways.filter((isLease) => isLease.has(true) && isLease.has(false))).toEqual([])
  expect(ways.filter((isLease) => isLease.has(true)).length).toBeGreaterThan(0)
  expect(await operator.stop()).toBe(0)
})

const KEYS = 6

/** Half of them are claimed twice at once, half are for the Secret of a workload. */
async function declareAll(round: number): Promise<readonly Life[]> {
  const lives = Array.from({ length: KEYS }, (_, i): Life => ({ name: `stopped-${round}-${i}`, claims: [] }))
  const claimed = lives.slice(0, KEYS / 2)
  await Promise.all(claimed.map(({ name }) => applyKey(cluster, name)))
  await Promise.all(claimed.map(({ name }) => untilReady(cluster, name, 'AwaitingClaim')))
  return lives
}

async function askAll(lives: readonly Life[]): Promise<void> {
  const asked = lives.map(async ({ name, claims }, i) => {
    if (i >= KEYS / 2) return void (await applyKey(cluster, name, { delivery: { secretName: name } }))
    claims.push(...(await Promise.all([1, 2].map(() => claim(cluster, { apiKey: name })))))
  })
  await Promise.all(asked)
}

/** What is stored of keys and claims, and how often it was written. */
async function written(): Promise<readonly string[]> {
  const paths = ['apikeys', 'apikeyclaims'].map((kind) => `/apis/keyward.dev/v1alpha1/${kind}`)
  const lists = await Promise.all(paths.map((path) => cluster.request('GET', path)))
  const items = lists.flatMap(
    ({ body }) => (body as { items: { metadata: { uid: string; resourceVersion: string } }[] }).items,
  )
  const kept = (await keptKeys(cluster)).map(({ name, resourceVersion }) => `${name} ${resourceVersion}`)
  return [...items.map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`), ...kept].sort()
}

/** Longer than the leader that came meanwhile needs to undo anything. */
const LATE_MS = 500

describe('a leader that stands still past its Lease while it hands over', () => {
  const rounds: readonly (readonly [n: number, phase: Phase])[] = [
    [1, 'before'],
    [6, 'after'],
    [11, 'before'],
    [16, 'after'],
  ]

  test('finds that another one went on: one credential was delivered, the stored one, and what it sent late changes nothing', async () => {
    let [leader, other] = [await startRival('standing'), await startRival('walking')]
    await leader.operator.leads()
    for (const [round, [n, phase]] of rounds.entries()) {
      const lives = await declareAll(round)
      const held = leader.proxy.hold({ n, phase, andAllAfter: true })
      await askAll(lives)
      await held.reached
      leader.operator.process.signal('SIGSTOP')
      held.takeBack()
      await other.operator.leads()
      const outcomes = await Promise.all(lives.flatMap(({ claims }) => claims.map((one) => one.outcome())))
      expect(outcomes.toSorted()).toEqual([
        ...Array.from({ length: KEYS / 2 }, () => 'AlreadyClaimed'),
        ...Array.from({ length: KEYS / 2 }, () => 'Delivered'),
      ])
      await Promise.all(lives.map(({ name }) => untilReady(cluster, name, 'Active')))
      await until(
        'nothing is under way',
        async () => (await other.operator.metric('keyward_operator_queue_depth')) === 0,
      )
      expect(await broken(cluster, lives)).toEqual([])
      const before = await written()

      await leader.proxy.letGo()
      leader.operator.process.signal('SIGCONT')
      const late = leader
      await until('it knows', async () => (await late.operator.metric('keyward_operator_leading')) === 0)
      await until('it has given up', async () => (await late.operator.metric('keyward_operator_queue_depth')) === 0)
      await new Promise((resolve) => setTimeout(resolve, LATE_MS))
      expect(await written(), `round ${round}`).toEqual(before)
      expect(await broken(cluster, lives)).toEqual([])
      ;[leader, other] = [other, leader]
    }
    for (const { operator } of [leader, other]) expect(await operator.stop()).toBe(0)
  })
})

describe('an API server', () => {
  test('that is restarted, or gone for long, is waited for; then everything goes on by itself', async () => {
    const operator = await startOperator(cluster)
    await operator.leads()
    await applyKey(cluster, 'patient')
    await untilReady(cluster, 'patient', 'AwaitingClaim')
    await cluster.apiServer.kill()
    await until('it no longer leads', async () => (await operator.metric('keyward_operator_leading')) === 0, 15_000)
    expect(await isReady(operator)).toBe(true)
    await cluster.apiServer.start()
    await operator.leads(30_000)
    const mine = await claim(cluster, { apiKey: 'patient' })
    expect(await mine.outcome(20_000)).toBe('Delivered')

    // it answers nothing and closes nothing
    await cluster.apiServer.pause()
    await until('it no longer leads', async () => (await operator.metric('keyward_operator_leading')) === 0, 15_000)
    await cluster.apiServer.resume()
    await operator.leads(30_000)
    await editKey(cluster, 'patient', { regenerate: 1 })
    await untilReady(cluster, 'patient', 'AwaitingClaim', 20_000)
    const lines = operator
      .output()
      .split('\n')
      .filter((line) => line.includes('"level":"warn"'))
    expect(lines.length, 'trouble is told, and not again and again').toBeLessThan(40)
    expect(await operator.stop()).toBe(0)
  })
})
