import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { makeClient } from '../../src/kube/client.ts'
import { campaign } from '../../src/kube/leader.ts'
import { jitter, nowMs, steadyMs } from '../../src/runtime/system.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { accessOf, almightyFolder } from '../support/kube-client.ts'
import { type Running, startProcess } from '../support/process.ts'
import { until } from '../support/until.ts'

const DURATION_MS = 2000
const CHILD = join(import.meta.dirname, '../support/leader-child.ts')
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/default/leases/elected'

let cluster: Cluster
let folder: string
beforeAll(async () => {
  cluster = await startCluster({ deploy: false })
  folder = await almightyFolder(cluster)
})

type Candidate = { readonly name: string; readonly process: Running }
type Said = { readonly name: string; readonly what: string; readonly atMs: number }

/** @param aheadMs how wrong its calendar clock is */
function candidate(name: string, aheadMs = 0): Candidate {
  const args = [CHILD, folder, String(cluster.port), name, String(DURATION_MS), String(aheadMs)]
  const running = startProcess(process.execPath, args)
  onTestFinished(() => running.kill())
  return { name, process: running }
}

const saidBy = ({ name, process }: Candidate): readonly Said[] =>
  process
    .output()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '))
    .map(([what = '', at = '0']) => ({ name, what, atMs: Number(BigInt(at) / 1000n) / 1000 }))

const times = (one: Candidate, what: string): readonly number[] =>
  saidBy(one)
    .filter((said) => said.what === what)
    .map(({ atMs }) => atMs)

const leads = (one: Candidate, terms = 1) =>
  until(`${one.name} leads`, () => times(one, 'lead').length === terms, 3 * DURATION_MS)

/** The names of those who led, one after the other: a name that comes back had lost it to another in between. */
const inTurn = (all: readonly Candidate[]): readonly string[] =>
  all
    .flatMap(saidBy)
    .filter(({ what }) => what === 'tick')
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ name }) => name)
    .filter((name, i, names) => name !== names[i - 1])

async function leaseNow(): Promise<Record<string, unknown>> {
  const { body } = await cluster.request('GET', LEASE)
  return (body as { spec: Record<string, unknown> }).spec
}

describe('one of two candidates', () => {
  test('leads; the other one follows at once when it is stopped in order, and its Lease says what others expect', async () => {
    const first = candidate('first')
    await leads(first)
    const microTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    expect(await leaseNow()).toEqual({
      holderIdentity: 'first',
      leaseDurationSeconds: 2,
      leaseTransitions: 0,
      acquireTime: microTime,
      renewTime: microTime,
    })
    const second = candidate('second')
    await until('second runs', () => saidBy(second).length > 0)
    const stopped = performance.now()
    await first.process.stop()
    await leads(second)
    expect(performance.now() - stopped).toBeLessThan(1500)
    expect(await leaseNow()).toMatchObject({ holderIdentity: 'second', leaseTransitions: 1 })
    await until('it says so', () => inTurn([first, second]).length > 1)
    expect(inTurn([first, second])).toEqual(['first', 'second'])
    await second.process.stop()
    expect(await leaseNow()).toMatchObject({ holderIdentity: '' })
  })

  test('that is paused leads no more when it goes on, and never while the other does', async () => {
    const first = candidate('first')
    await leads(first)
    // an hour ahead: what a Lease says about the time of day must not matter
    const second = candidate('second', 3_600_000)
    await until('second runs', () => saidBy(second).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(times(second, 'lead')).toEqual([])

    first.process.signal('SIGSTOP')
    await leads(second)
    const ticks = times(first, 'tick').length
    first.process.signal('SIGCONT')
    await until('first has noticed', () => times(first, 'lost').length === 1)
    // what it wrote in the moment that it was stopped may arrive late, but no more than that
    expect(times(first, 'tick').length - ticks).toBe(0)
    expect(inTurn([first, second])).toEqual(['first', 'second'])

    await second.process.kill()
    const killed = performance.now()
    await leads(first, 2)
    expect(performance.now() - killed).toBeLessThan(DURATION_MS + 1500)
    await until('it says so', () => inTurn([first, second]).length > 2)
    expect(inTurn([first, second])).toEqual(['first', 'second', 'first'])
    await first.process.stop()
  })

  test('leads on when somebody deletes the Lease', async () => {
    const first = candidate('first')
    await leads(first)
    await cluster.request('DELETE', LEASE)
    await until('the Lease is there again', async () => (await cluster.request('GET', LEASE)).status === 200)
    expect(times(first, 'lost')).toEqual([])
    await first.process.stop()
  })
})

describe('a leader that does not reach the API server', () => {
  test('is told in time that it leads no more, before another could, and campaigns again', async () => {
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const client = makeClient({ access: accessOf(folder, proxy), steadyMs, jitter })
    const stop = new AbortController()
    const troubles: unknown[] = []
    const { run, isLeading } = campaign({
      ...{ client, namespace: 'default', name: 'alone', identity: 'me', durationMs: DURATION_MS },
      ...{ steadyMs, nowMs, jitter, onTrouble: (error: unknown) => troubles.push(error) },
    })
    const terms: AbortSignal[] = []
    const running = run(async (lost) => {
      terms.push(lost)
      await until('it is lost', () => lost.aborted, 20_000)
    }, stop.signal)
    await until('it leads', isLeading)
    for (const fault of ['stall', 'refuse'] as const) {
      const term = terms.length
      proxy[fault]()
      const begun = steadyMs()
      await until('it leads no more', () => !isLeading())
      await until('it was told', () => terms[term - 1]?.aborted)
      expect(steadyMs() - begun).toBeLessThan((DURATION_MS * 2) / 3 + 300)
      proxy.heal()
      await until('it leads again', () => isLeading() && terms.length === term + 1)
    }
    expect(troubles.length).toBeGreaterThan(0)
    stop.abort()
    await running
    expect(isLeading()).toBe(false)
    await client.close()
  })

  test('ends with its work when that ends by itself, and gives the Lease back', async () => {
    const client = makeClient({ access: accessOf(folder, cluster), steadyMs, jitter })
    const { run, isLeading } = campaign({
      ...{ client, namespace: 'default', name: 'brief', identity: 'me', durationMs: DURATION_MS },
      ...{ steadyMs, nowMs, jitter, onTrouble: () => {} },
    })
    const broken = run(() => Promise.reject(new Error('the work failed')), new AbortController().signal)
    await expect(broken).rejects.toThrow('the work failed')
    expect(isLeading()).toBe(false)
    const { body } = await cluster.request('GET', LEASE.replace('elected', 'brief'))
    expect((body as { spec: object }).spec).toMatchObject({ holderIdentity: '' })
    await client.close()
  })
})
