/** The life of a key on a real API server: made elsewhere, regenerated, rotated, suspended, revoked, expired, deleted. */
import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { composeCredential, composeKeyId, digestOf, parseCredential, RANDOM_BYTES } from '../../src/core/credential.ts'
import { encodeKeySecret } from '../../src/resources/key-secret.ts'
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

/** As `keyward generate` makes it. */
const madeElsewhere = () => {
  const credential = composeCredential(composeKeyId('production', randomBytes(RANDOM_BYTES)), randomBytes(RANDOM_BYTES))
  return { keyId: credential.keyId as string, digest: `sha256:${digestOf(credential)}` }
}

const digestIn = (text: string): string => {
  const parsed = parseCredential(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}

const claimed = async (apiKey: string, version = 1): Promise<string> => {
  // without a version, a claim of the very second of a regeneration counts as one from before it
  const mine = await claim(cluster, { apiKey, version })
  const { key } = await mine.open()
  await untilReady(cluster, apiKey, 'Active')
  return digestIn(key)
}

/** Which versions have a digest that is good, newest first. */
const versionsOf = async (name: string): Promise<readonly (readonly [number, string])[]> => {
  const [kept] = await keptOf(cluster, name)
  return [kept?.current, kept?.previous].flatMap((one) =>
    one === undefined ? [] : [[one.version, one.digest] as const],
  )
}

describe('a key that was made elsewhere', () => {
  test('is in force by its digest, once; who comes later with the same gets a conflict', async () => {
    const delivery = madeElsewhere()
    await applyKey(cluster, 'imported', { delivery })
    await untilReady(cluster, 'imported', 'Active')
    expect(await versionsOf('imported')).toEqual([[1, delivery.digest.slice('sha256:'.length)]])
    await applyKey(cluster, 'copied', { delivery })
    const refused = await untilReady(cluster, 'copied', 'Conflict')
    expect(conditionOf(refused, 'Conflict')).toMatchObject({ status: 'True', reason: 'KeyIdHeld' })
    await applyKey(cluster, 'same-digest', { delivery: { ...delivery, keyId: madeElsewhere().keyId } })
    const held = await untilReady(cluster, 'same-digest', 'Conflict')
    expect(conditionOf(held, 'Conflict')?.reason).toBe('DigestHeld')
    expect((await getKey(cluster, 'imported'))?.status?.phase).toBe('Active')
    const told = await eventsOf(cluster)
    expect(told.some(({ reason, regarding }) => reason === 'Conflict' && regarding.name === 'copied')).toBe(true)
  })

  test('can not be imported again once it was deleted', async () => {
    const delivery = madeElsewhere()
    await applyKey(cluster, 'short', { delivery })
    await untilReady(cluster, 'short', 'Active')
    await deleteKey(cluster, 'short')
    await until('its digest is gone', async () => (await keptOf(cluster, 'short')).length === 0)
    await applyKey(cluster, 'short', { delivery })
    const refused = await untilReady(cluster, 'short', 'Conflict')
    expect(conditionOf(refused, 'Conflict')?.reason).toBe('KeyIdRetired')
  })
})

describe('regenerating', () => {
  test('without overlap the old secret is dead at once, whether the new one is claimed or not', async () => {
    await applyKey(cluster, 'renewed')
    const first = await claimed('renewed')
    await editKey(cluster, 'renewed', { regenerate: 1 })
    await untilReady(cluster, 'renewed', 'AwaitingClaim')
    expect(await versionsOf('renewed')).toEqual([])
    const second = await claimed('renewed', 2)
    expect([await versionsOf('renewed'), second === first]).toEqual([[[2, second]], false])
  })

  test('with overlap the old one works beside the new one, for its time from the hand-over', async () => {
    await applyKey(cluster, 'overlapped', { overlap: '1h' })
    const first = await claimed('overlapped')
    await editKey(cluster, 'overlapped', { regenerate: 1 })
    await until(
      'the next one is due',
      async () => (await getKey(cluster, 'overlapped'))?.status?.observedGeneration === 2,
    )
    const second = await claimed('overlapped', 2)
    expect(await versionsOf('overlapped')).toEqual([
      [2, second],
      [1, first],
    ])
    const [kept] = await keptOf(cluster, 'overlapped')
    expect((kept?.previous?.validUntil ?? 0) - (kept?.current?.claimedAt ?? 0)).toBe(3_600_000)
  })

  test('denies a claim of a version that is over, and one of a version that is not due', async () => {
    const late = await claim(cluster, { apiKey: 'renewed', version: 1 })
    const early = await claim(cluster, { apiKey: 'renewed', version: 9 })
    expect([await late.outcome(), await early.outcome()]).toEqual(['VersionSuperseded', 'NotClaimable'])
  })

  test('by schedule the next version is in the Secret when its time has come', async () => {
    await applyKey(cluster, 'rotated', { delivery: { secretName: 'rotated' }, rotation: { every: '1h' } })
    await untilReady(cluster, 'rotated', 'Active')
    const first = await workloadSecret(cluster, 'rotated')
    const object = (await keptKeys(cluster)).find(({ secret }) => secret?.name === 'default/rotated')
    if (object?.secret?.current === undefined) throw new Error('nothing is kept')
    // as if it had been issued long ago
    const { current } = object.secret
    const old = { ...object.secret, current: { ...current, issuedAt: current.issuedAt - 2 * 3_600_000 } }
    await cluster.request(
      'PATCH',
      `/api/v1/namespaces/keyward-system/secrets/${object.name}`,
      { data: { record: Buffer.from(encodeKeySecret(old)).toString('base64') } },
      'application/merge-patch+json',
    )
    const second = await until('another one is there', async () => {
      const now = await workloadSecret(cluster, 'rotated')
      return now !== undefined && now.key !== first?.key ? now : undefined
    })
    const key = await until('the status says so', async () => {
      const found = await getKey(cluster, 'rotated')
      return found?.status?.credential?.version === 2 ? found : undefined
    })
    expect([key.spec.regenerate ?? 0, (await versionsOf('rotated'))[0]]).toEqual([0, [2, digestIn(second.key)]])
  })
})

describe('states', () => {
  test('suspended, resumed and revoked: told at once, and a revoked key ID is spent', async () => {
    await applyKey(cluster, 'stateful')
    const digest = await claimed('stateful')
    await editKey(cluster, 'stateful', { state: 'Suspended' })
    expect((await untilReady(cluster, 'stateful', 'Suspended')).status?.phase).toBe('Inactive')
    await editKey(cluster, 'stateful', { state: 'Active' })
    await untilReady(cluster, 'stateful', 'Active')
    expect(await versionsOf('stateful')).toEqual([[1, digest]])
    await editKey(cluster, 'stateful', { state: 'Revoked' })
    const revoked = await untilReady(cluster, 'stateful', 'Revoked')
    const late = await claim(cluster, { apiKey: 'stateful' })
    expect(await late.outcome()).toBe('KeyInactive')
    const keyId = revoked.status?.keyId ?? ''
    await applyKey(cluster, 'again', { delivery: { ...madeElsewhere(), keyId } })
    const refused = await untilReady(cluster, 'again', 'Conflict')
    expect(['KeyIdRetired', 'KeyIdHeld']).toContain(conditionOf(refused, 'Conflict')?.reason)
  })

  test('a key expires by itself, and one that expires in years is not looked at all the time', async () => {
    const soon = new Date(Math.ceil(Date.now() / 1000) * 1000 + 2000).toISOString()
    await applyKey(cluster, 'brief', { expiresAt: soon })
    await applyKey(cluster, 'lasting', { expiresAt: '2099-01-01T00:00:00Z' })
    await untilReady(cluster, 'lasting', 'AwaitingClaim')
    expect((await untilReady(cluster, 'brief', 'Expired')).status?.phase).toBe('Expired')
    const late = await claim(cluster, { apiKey: 'brief' })
    expect(await late.outcome()).toBe('KeyExpired')
    const looks = async () => (await operator.metric('keyward_operator_reconciles_total{outcome="settled"}')) ?? 0
    const before = await looks()
    // a timer that is set further than 24.8 days ahead fires at once, again and again
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await looks()) - before).toBeLessThan(5)
  })
})

describe('deleting', () => {
  test('removes the digests and the Secret of the workload belongs to nobody else', async () => {
    await applyKey(cluster, 'gone')
    await claimed('gone')
    await deleteKey(cluster, 'gone')
    await until('its digests are gone', async () => (await keptOf(cluster, 'gone')).length === 0)
    await expect(claim(cluster, { apiKey: 'gone' })).rejects.toThrow('there is no such ApiKey in default')
  })

  test('while no operator runs is made good when one starts; who makes it anew gets another key ID', async () => {
    const { metadata } = await applyKey(cluster, 'replaced')
    await claimed('replaced')
    const before = await getKey(cluster, 'replaced')
    await applyKey(cluster, 'swept')
    await claimed('swept')
    await operator.stop()
    await deleteKey(cluster, 'replaced')
    await deleteKey(cluster, 'swept')
    const anew = await applyKey(cluster, 'replaced')
    operator = await startOperator(cluster)
    const after = await untilReady(cluster, 'replaced', 'AwaitingClaim', 20_000)
    expect(after.metadata.uid).toBe(anew.metadata.uid)
    expect(after.metadata.uid).not.toBe(metadata.uid)
    expect(after.status?.keyId).not.toBe(before?.status?.keyId)
    await until('nothing is left of what is gone', async () => {
      const [replaced, swept] = [await keptOf(cluster, 'replaced'), await keptOf(cluster, 'swept')]
      return replaced.length === 1 && replaced[0]?.uid === anew.metadata.uid && swept.length === 0
    })
  })
})
