/** Several operators and an API server that comes and goes: one leads, and somebody goes on. */
import { describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { claim } from '../support/claimant.ts'
import { startCluster } from '../support/cluster.ts'
import { applyKey, editKey, untilReady } from '../support/cluster-keys.ts'
import { type Operator, startOperator } from '../support/operator.ts'
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
