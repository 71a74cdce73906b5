/** The operator on a real API server: keys are claimed, delivered, and told of, and what is settled stays untouched. */
import { beforeAll, describe, expect, test } from 'vitest'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import { claim } from '../support/claimant.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import {
  applyKey,
  conditionOf,
  deleteKey,
  editKey,
  eventsOf,
  getKey,
  keptKeys,
  keptOf,
  untilReady,
  workloadSecret,
} from '../support/cluster-keys.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'

let cluster: Cluster
let operator: Operator

beforeAll(async () => {
  cluster = await startCluster()
  operator = await startOperator(cluster)
  await operator.leads()
})

const digestIn = (text: string): string => {
  const parsed = parseCredential(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}

describe('a claim', () => {
  test('is answered with the credential whose digest is stored, and the table of kubectl says so', async () => {
    await applyKey(cluster, 'first', { rateLimit: { requests: 600, per: '1m' } })
    const waiting = await untilReady(cluster, 'first', 'AwaitingClaim')
    expect(waiting.status?.phase).toBe('Pending')
    const mine = await claim(cluster, { apiKey: 'first' })
    expect(await mine.outcome()).toBe('Delivered')
    const { id, secret, key } = await mine.open()
    expect([id, key]).toEqual([waiting.status?.keyId, `${id}_${secret}`])
    const ready = await untilReady(cluster, 'first', 'Active')
    expect(ready.status?.credential?.version).toBe(1)
    const [kept] = await keptOf(cluster, 'first')
    expect(kept?.current).toMatchObject({ version: 1, digest: digestIn(key) })
    const table = await cluster.kubectl(['get', 'apikeys', 'first'])
    expect(table.stdout).toMatch(/ID\s+ENV\s+NAMESPACE\s+PERMISSIONS\s+LIMIT\s+STATUS/)
    expect(table.stdout).toContain('600/1m')
    expect(table.stdout).toMatch(new RegExp(`${id}.*Active`))
  })

  test('of a key that there is not is refused, and one of a key that went before it was answered is denied', async () => {
    await expect(claim(cluster, { apiKey: 'nobody' })).rejects.toThrow('there is no such ApiKey in default')
    operator.process.signal('SIGSTOP')
    await applyKey(cluster, 'gone')
    const early = await claim(cluster, { apiKey: 'gone' })
    await deleteKey(cluster, 'gone')
    operator.process.signal('SIGCONT')
    expect(await early.outcome()).toBe('KeyNotFound')
    const events = await until('the denial is told', async () => {
      const found = (await eventsOf(cluster)).filter(({ reason }) => reason === 'KeyNotFound')
      return found.length > 0 ? found : undefined
    })
    expect(events[0]?.regarding).toMatchObject({ kind: 'ApiKeyClaim', name: early.name })
  })

  test('of twenty at once exactly one is delivered, and nineteen are told that they were too late', async () => {
    await applyKey(cluster, 'wanted')
    await untilReady(cluster, 'wanted', 'AwaitingClaim')
    const claims = await Promise.all(Array.from({ length: 20 }, () => claim(cluster, { apiKey: 'wanted' })))
    const outcomes = await Promise.all(claims.map((one) => one.outcome()))
    expect(Object.groupBy(outcomes, (outcome) => outcome)).toEqual({
      Delivered: ['Delivered'],
      AlreadyClaimed: Array.from({ length: 19 }, () => 'AlreadyClaimed'),
    })
    const winner = claims[outcomes.indexOf('Delivered')]
    const [kept] = await keptOf(cluster, 'wanted')
    expect(kept?.current?.digest).toBe(digestIn((await winner?.open())?.key ?? ''))
    // each claim says it of itself; events about one object are bounded
    await until('it is told of the key', async () => {
      const told = (await eventsOf(cluster)).filter(({ regarding }) => regarding.name === 'wanted')
      return told.filter(({ reason, type }) => reason === 'AlreadyClaimed' && type === 'Warning').length >= 5
    })
    expect((await eventsOf(cluster)).some(({ reason, type }) => reason === 'HandedOver' && type === 'Normal')).toBe(
      true,
    )
  })

  test('acknowledges by going, and the key goes on', async () => {
    const [before] = await keptOf(cluster, 'first')
    await applyKey(cluster, 'acknowledged')
    const mine = await claim(cluster, { apiKey: 'acknowledged' })
    const { key } = await mine.open()
    await mine.acknowledge()
    await untilReady(cluster, 'acknowledged', 'Active')
    const [kept] = await keptOf(cluster, 'acknowledged')
    expect(kept?.current?.digest).toBe(digestIn(key))
    expect(await keptOf(cluster, 'first')).toEqual([before])
  })
})

describe('a Secret for a workload', () => {
  test('holds the credential, belongs to the key, and is told as gone when somebody deletes it', async () => {
    const { metadata } = await applyKey(cluster, 'workload', { delivery: { secretName: 'workload-credential' } })
    await untilReady(cluster, 'workload', 'Active')
    const first = await workloadSecret(cluster, 'workload-credential')
    const [kept] = await keptOf(cluster, 'workload')
    expect(kept?.current?.digest).toBe(digestIn(first?.key ?? ''))
    const { body } = await cluster.request('GET', '/api/v1/namespaces/default/secrets/workload-credential')
    expect(body).toMatchObject({
      type: 'keyward.dev/credential',
      metadata: { ownerReferences: [{ kind: 'ApiKey', name: 'workload', uid: metadata.uid, controller: true }] },
    })

    await cluster.request('DELETE', '/api/v1/namespaces/default/secrets/workload-credential')
    // anything that wakes the key; by itself it is looked at every few minutes
    await editKey(cluster, 'workload', { displayName: 'Workload' })
    const told = await until('the loss is told', async () => {
      const key = await getKey(cluster, 'workload')
      return conditionOf(key, 'CredentialStored')?.reason === 'SecretMissing' ? key : undefined
    })
    expect(told.status?.phase).toBe('Active')
    expect(await workloadSecret(cluster, 'workload-credential')).toBeUndefined()

    await editKey(cluster, 'workload', { regenerate: 1 })
    const second = await until('a new one is there', () => workloadSecret(cluster, 'workload-credential'))
    expect([second.id, second.key === first?.key]).toEqual([first?.id, false])
    await until('it is stored', async () => {
      const [now] = await keptOf(cluster, 'workload')
      return now?.current?.claimedAt !== undefined && now.current.digest === digestIn(second.key)
    })
  })

  test('that is not ours is not touched', async () => {
    const path = '/api/v1/namespaces/default/secrets'
    const foreign = { metadata: { name: 'foreign' }, stringData: { password: 'theirs' } }
    const { body } = await cluster.request('POST', path, foreign)
    await applyKey(cluster, 'greedy', { delivery: { secretName: 'foreign' } })
    const told = await until('the status says so', async () => {
      const key = await getKey(cluster, 'greedy')
      return key?.status?.conditions?.find(({ reason }) => reason === 'SecretNotOurs')
    })
    expect(told.status).toBe('False')
    const after = await cluster.request('GET', `${path}/foreign`)
    expect(after.body as typeof body & object).toEqual(body)
    expect((await keptOf(cluster, 'greedy'))[0]?.current).toBeUndefined()
  })
})

test('another name for the Secret moves nothing: the next version goes there, and the earlier Secret stays', async () => {
  await applyKey(cluster, 'moved', { delivery: { secretName: 'moved-from' } })
  await untilReady(cluster, 'moved', 'Active')
  const first = await workloadSecret(cluster, 'moved-from')
  await editKey(cluster, 'moved', { delivery: { secretName: 'moved-to' } })
  await until('the status says that it is not there', async () => {
    const key = await getKey(cluster, 'moved')
    return key && conditionOf(key, 'CredentialStored')?.reason === 'SecretMissing'
  })
  expect(await workloadSecret(cluster, 'moved-to')).toBeUndefined()

  await editKey(cluster, 'moved', { regenerate: 1 })
  const second = await until('the next version is there', () => workloadSecret(cluster, 'moved-to'))
  const kept = await until('it is stored', async () => {
    const [now] = await keptOf(cluster, 'moved')
    return now?.current?.claimedAt === undefined ? undefined : now
  })
  expect([kept.current?.digest, kept.previous]).toEqual([digestIn(second.key), undefined])
  expect(await workloadSecret(cluster, 'moved-from')).toEqual(first)
  await until('the status says that it is', async () => {
    const key = await getKey(cluster, 'moved')
    return key && conditionOf(key, 'CredentialStored')?.reason === 'Stored'
  })
})

describe('what is settled', () => {
  const everything = async () => {
    const { body } = await cluster.request('GET', '/apis/keyward.dev/v1alpha1/apikeys')
    const keys = (body as { items: { metadata: { name: string; resourceVersion: string } }[] }).items
    return [...keys.map(({ metadata }) => metadata), ...(await keptKeys(cluster))].map(
      ({ name, resourceVersion }) => `${name} ${resourceVersion}`,
    )
  }

  test('is not written again by the same manifest, by another manager, or by a new start', async () => {
    await untilReady(cluster, 'first', 'Active')
    const before = await everything()
    await applyKey(cluster, 'first', { rateLimit: { requests: 600, per: '1m' } })
    expect(await everything()).toEqual(before)
    await operator.stop()
    operator = await startOperator(cluster)
    await operator.leads()
    await until('all keys were looked at', async () => (await operator.metric('keyward_operator_queue_depth')) === 0)
    expect(await everything()).toEqual(before)
  })

  test('is not written again where a second manager applies the same fields', async () => {
    const before = await getKey(cluster, 'first')
    await cluster.request(
      'PATCH',
      '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys/first?fieldManager=other&force=true',
      {
        apiVersion: 'keyward.dev/v1alpha1',
        kind: 'ApiKey',
        metadata: { name: 'first', namespace: 'default' },
        spec: before?.spec,
      },
      'application/apply-patch+yaml',
    )
    const after = await getKey(cluster, 'first')
    expect([after?.metadata.generation, after?.status]).toEqual([before?.metadata.generation, before?.status])
    expect(conditionOf(after, 'Ready')?.reason).toBe('Active')
  })
})
