/** What the cluster's port does beyond its contract: grants, workloads' Secrets, claims, and what it leaves alone. A fake API server. */
import { describe, expect, test } from 'vitest'
import { composeCredential, digestOf, RANDOM_BYTES } from '../../src/core/credential.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import { digestSecretName } from '../../src/kube/digest-secret.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { freshKeyId } from '../../src/kube/observed-key.ts'
import type { ApiKeyStatus } from '../../src/resources/key-status.ts'
import { aRun, once, REF } from '../operator/crash-scenarios.ts'
import { aKeyId, anApiKey, aSecret, aVersion, HOUR, IMPORTED, NOON, NOT_ARRIVED, WORKLOAD } from '../operator/make.ts'
import { type FakeClusterHome, fakeClusterHome } from '../support/fake-cluster-home.ts'
import { MAKER, trustedPeople } from '../support/fake-people.ts'

const KEY = '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys/main'
const CLAIMS = '/apis/keyward.dev/v1alpha1/namespaces/default/apikeyclaims'
const SECRET = '/api/v1/namespaces/default/secrets/main-credential'
const OWN = '/api/v1/namespaces/keyward-system/secrets'

const A_SECOND_EARLIER = '2026-11-22T11:59:59Z'

const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  )

async function settled(spec: Parameters<typeof anApiKey>[0] = {}, receives: 'everything' | 'nothing' = 'everything') {
  const home = await fakeClusterHome(receives)
  const run = aRun(home)
  await home.declare(anApiKey(spec), 'uid-1')
  await once(run)
  return { home, run }
}

const statusOf = ({ server }: FakeClusterHome): ApiKeyStatus => server.get(KEY)?.status as ApiKeyStatus
const conditionOf = (home: FakeClusterHome, type: string) => {
  const found = statusOf(home).conditions.find((condition) => condition.type === type)
  return found && [found.status, found.reason]
}
const theDigestSecret = async (home: FakeClusterHome): Promise<KubeObject> => {
  const [first] = await home.digestSecrets()
  if (first === undefined) throw new Error('there is no digest Secret')
  return first
}
const grantedOf = async (home: FakeClusterHome) => {
  const { data } = await theDigestSecret(home)
  return JSON.parse(atob((data as { granted: string }).granted))
}
const writesOf = ({ server }: FakeClusterHome, act: () => Promise<unknown>) => {
  const before = server.writes().length
  return act().then(() => server.writes().slice(before))
}
const replaceObject = async (home: FakeClusterHome, path: string, change: (object: KubeObject) => object) => {
  const object = home.server.get(path)
  if (object === undefined) throw new Error(`there is no ${path}`)
  await home.server.client.send({ method: 'PUT', path, body: change(object) })
}
const removeObject = (home: FakeClusterHome, path: string) => home.server.client.send({ method: 'DELETE', path })

describe('what is granted', () => {
  test('comes with the first writing of a key', async () => {
    const { home } = await settled({}, 'nothing')
    expect(await grantedOf(home)).toMatchObject({
      generation: 1,
      spec: { permissions: ['license:manage', 'customer:read'] },
    })
  })

  test('follows what the ApiKey asks for', async () => {
    const { home, run } = await settled()
    await home.declare(anApiKey({ permissions: ['customer:write'] }), 'uid-1')
    const before = (await home.secretOf('uid-1'))?.current
    await once(run)
    expect(await grantedOf(home)).toMatchObject({ generation: 2, spec: { permissions: ['customer:write'] } })
    expect((await home.secretOf('uid-1'))?.current, 'the credential stays').toEqual(before)
  })

  test('says how far the people behind it go, and whoever claimed it is written down beside the digest', async () => {
    const { home } = await settled()
    expect(await grantedOf(home)).toMatchObject({ cap: { held: ['license:manage', 'customer:read'] } })
    const { data } = await theDigestSecret(home)
    const claimants = JSON.parse(atob((data as { claimants: string }).claimants))
    expect(claimants).toMatchObject({ 1: { person: { username: MAKER } } })
  })

  test('has nobody beside the digest where it went to a workload', async () => {
    const { home } = await settled({ delivery: WORKLOAD })
    expect(Object.keys((await theDigestSecret(home)).data as object).sort()).toEqual(['granted', 'record'])
  })

  test('is written anew where nothing readable stands there', async () => {
    const { home, run } = await settled()
    const { metadata } = await theDigestSecret(home)
    await replaceObject(home, `${OWN}/${metadata.name}`, (object) => ({
      ...object,
      data: { ...(object.data as object), granted: 'e30=' },
    }))
    await once(run)
    expect(await grantedOf(home)).toMatchObject({ generation: 1 })
  })
})

test('a digest Secret that is written whenever its people are asked is not waited for: the key comes again later', async () => {
  let [isWriting, asked] = [false, 0]
  const home = await fakeClusterHome('everything', undefined, {
    ...trustedPeople,
    capOf: async (question) => {
      if (isWriting) {
        asked += 1
        const { metadata } = await theDigestSecret(home)
        await replaceObject(home, `${OWN}/${metadata.name}`, (object) => ({
          ...object,
          metadata: { ...object.metadata, annotations: { written: String(asked) } },
        }))
      }
      return trustedPeople.capOf(question)
    },
  })
  const run = aRun(home)
  await home.declare(anApiKey(), 'uid-1')
  await once(run)
  isWriting = true
  expect(await outcome(once(run))).toBe('taken_over')
  expect(asked).toBe(5)
})

test('what is settled is not written again', async () => {
  const { home, run } = await settled()
  expect(await writesOf(home, () => once(run))).toEqual([])
  await home.kill()
  expect(await writesOf(home, () => once(run))).toEqual([])
})

test('a status leaves alone what others say of the last use', async () => {
  const { home, run } = await settled()
  const lastUsedAt = '2026-11-22T11:00:00Z'
  await home.server.client.send({ method: 'PATCH', path: `${KEY}/status`, body: { status: { lastUsedAt } } })
  expect(await writesOf(home, () => once(run))).toEqual([])
  await home.declare(anApiKey({ state: 'Suspended' }), 'uid-1')
  await once(run)
  expect(statusOf(home)).toMatchObject({ lastUsedAt, phase: 'Inactive' })
})

test('a status keeps the conditions of others, which need not say what generation they saw', async () => {
  const { home, run } = await settled()
  const theirs = {
    ...{ type: 'example.com/Reviewed', status: 'True', reason: 'Reviewed', message: 'by ana' },
    lastTransitionTime: '2026-11-22T11:00:00Z',
  }
  const conditions = [...statusOf(home).conditions, theirs]
  await home.server.client.send({ method: 'PATCH', path: `${KEY}/status`, body: { status: { conditions } } })
  expect(await writesOf(home, () => once(run))).toEqual([])
  await home.declare(anApiKey({ state: 'Suspended' }), 'uid-1')
  await once(run)
  expect([statusOf(home).conditions.at(-1), conditionOf(home, 'Ready')]).toEqual([theirs, ['False', 'Suspended']])
  expect(await writesOf(home, () => once(run))).toEqual([])
})

describe('the Secret of a workload', () => {
  test('holds the credential, is of our type, and belongs to the ApiKey', async () => {
    const { home } = await settled({ delivery: WORKLOAD })
    const { type, metadata, data } = home.server.get(SECRET) as KubeObject
    expect([type, Object.keys(data as object).sort()]).toEqual(['keyward.dev/credential', ['id', 'key', 'secret']])
    expect(metadata.ownerReferences).toEqual([
      {
        apiVersion: 'keyward.dev/v1alpha1',
        kind: 'ApiKey',
        name: 'main',
        uid: home.server.get(KEY)?.metadata.uid,
        controller: true,
      },
    ])
    expect(conditionOf(home, 'CredentialStored')).toEqual(['True', 'Stored'])
  })

  test('is not minted again when it was deleted: the key goes on, and a condition says what to do', async () => {
    const { home, run } = await settled({ delivery: WORKLOAD })
    const before = await home.secretOf('uid-1')
    await removeObject(home, SECRET)
    await once(run)
    expect(await home.secretOf('uid-1')).toEqual(before)
    expect(home.server.get(SECRET)).toBeUndefined()
    expect([conditionOf(home, 'CredentialStored'), statusOf(home).phase]).toEqual([
      ['False', 'SecretMissing'],
      'Active',
    ])
    await home.declare(anApiKey({ delivery: WORKLOAD, regenerate: 1 }), 'uid-1')
    await once(run)
    expect([conditionOf(home, 'CredentialStored'), (await home.secretOf('uid-1'))?.current?.version]).toEqual([
      ['True', 'Stored'],
      2,
    ])
  })

  test.each([
    ['of another type', { type: 'Opaque' }, {}],
    [
      'of our type and of another owner',
      { type: 'keyward.dev/credential' },
      { ownerReferences: [{ uid: 'x', controller: true }] },
    ],
    ['of our type and of nobody', { type: 'keyward.dev/credential' }, {}],
  ])('%s is left alone, and gets its credential once it is gone', async (_what, object, meta) => {
    const home = await fakeClusterHome()
    const run = aRun(home)
    const foreign = {
      ...object,
      metadata: { name: 'main-credential', namespace: 'default', ...meta },
      data: { id: 'eA==' },
    }
    await home.server.client.send({ method: 'POST', path: SECRET.slice(0, SECRET.lastIndexOf('/')), body: foreign })
    const before = home.server.get(SECRET)
    await home.declare(anApiKey({ delivery: WORKLOAD }), 'uid-1')
    const again = await once(run)
    expect(home.server.get(SECRET)).toEqual(before)
    expect([conditionOf(home, 'CredentialStored'), conditionOf(home, 'Ready'), statusOf(home).phase]).toEqual([
      ['False', 'SecretNotOurs'],
      ['False', 'SecretNotOurs'],
      'Pending',
    ])
    expect((await home.secretOf('uid-1'))?.current).toBeUndefined()
    expect((again ?? 0) - run.now, 'it is looked at again').toBeGreaterThanOrEqual(4 * 60_000)
    await removeObject(home, SECRET)
    await once(run)
    expect(conditionOf(home, 'CredentialStored')).toEqual(['True', 'Stored'])
  })
})

test('the Secret of an ApiKey that was deleted and made again at once is waited for, not taken for somebody else’s', async () => {
  const { home, run } = await settled({ delivery: WORKLOAD })
  await home.withdraw(REF)
  await once(run)
  await home.declare(anApiKey({ delivery: WORKLOAD }), 'uid-2')
  const again = await once(run)
  expect([conditionOf(home, 'CredentialStored'), conditionOf(home, 'Ready'), statusOf(home).phase]).toEqual([
    ['False', 'AwaitingCollection'],
    ['False', 'AwaitingCollection'],
    'Pending',
  ])
  expect((again ?? 0) - run.now).toBe(1000)
  await removeObject(home, SECRET)
  await once(run)
  expect([conditionOf(home, 'CredentialStored'), (await home.secretOf('uid-2'))?.current?.version]).toEqual([
    ['True', 'Stored'],
    1,
  ])
})

describe('claims', () => {
  const conditionsOf = async (home: FakeClusterHome) =>
    (await home.claimsOf(REF)).map(({ metadata, status }) => {
      const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; reason: string }[] }
      return [metadata.name, ...conditions.map(({ type, reason }) => `${type} ${reason}`)]
    })

  test('one of many gets the version, the others are told so, and all are finished', async () => {
    const { home, run } = await settled({}, 'nothing')
    for (let i = 0; i < 3; i++) await home.claim(REF)
    await once(run)
    expect(await conditionsOf(home)).toEqual([
      ['main-1', 'Delivered Delivered', 'Finished Delivered'],
      ['main-2', 'Denied AlreadyClaimed', 'Finished Denied'],
      ['main-3', 'Denied AlreadyClaimed', 'Finished Denied'],
    ])
  })

  test('of a key that is not there are denied', async () => {
    const home = await fakeClusterHome('nothing')
    await home.claim(REF)
    await once(aRun(home))
    expect(await conditionsOf(home)).toEqual([['main-1', 'Denied KeyNotFound', 'Finished Denied']])
  })

  test('of the version before never get the next one', async () => {
    const { home, run } = await settled()
    await home.receive('nothing')
    const name = await home.claim(REF)
    await home.declare(anApiKey({ regenerate: 1 }), 'uid-1')
    await once(run)
    expect((await conditionsOf(home)).find(([one]) => one === name)).toEqual([
      name,
      'Denied VersionSuperseded',
      'Finished Denied',
    ])
  })

  test.each([
    ['get it where they were seen to come later, within one second too', false, 'Delivered Delivered'],
    ['do not after a restart that saw neither come', true, 'Denied VersionSuperseded'],
  ])('without a version of a key that was regenerated %s', async (_what, restarts, expected) => {
    const { home, run } = await settled()
    await home.receive('nothing')
    await home.declare(anApiKey({ regenerate: 1 }), 'uid-1')
    await home.port().observe(REF)
    const name = await home.claim(REF)
    if (restarts) await home.kill()
    await once(run)
    expect((await conditionsOf(home)).find(([one]) => one === name)?.[1]).toBe(expected)
  })

  test('without a version of a key that was made with a higher regenerate get its first one', async () => {
    const home = await fakeClusterHome('nothing')
    await home.declare(anApiKey({ regenerate: 1 }), 'uid-1')
    await home.claim(REF)
    await home.kill()
    await once(aRun(home))
    expect(await conditionsOf(home)).toEqual([['main-1', 'Delivered Delivered', 'Finished Delivered']])
    expect((await home.secretOf('uid-1'))?.current?.version).toBe(2)
  })

  test('of an ApiKey that was deleted never get what is made anew under its name', async () => {
    const home = await fakeClusterHome('nothing')
    await home.claim(REF)
    await home.claim(REF)
    const path = `${CLAIMS}/main-1`
    const older = home.server.get(path) as KubeObject
    home.server.put(path, { ...older, metadata: { ...older.metadata, creationTimestamp: A_SECOND_EARLIER } })
    await home.declare(anApiKey(), 'uid-1')
    await once(aRun(home))
    expect(await conditionsOf(home)).toEqual([
      ['main-1', 'Denied KeyNotFound', 'Finished Denied'],
      ['main-2', 'Delivered Delivered', 'Finished Delivered'],
    ])
  })

  test('that is gone after its version was stored may have been read: the version counts as handed over', async () => {
    const home = await fakeClusterHome('nothing')
    const run = aRun(home)
    await home.declare(anApiKey(), 'uid-1')
    const name = await home.claim(REF)
    const credential = composeCredential(aKeyId('m'), new Uint8Array(RANDOM_BYTES).fill(1))
    const attempt = await home.port().openAttempt({
      ref: REF,
      uid: 'uid-1',
      over: undefined,
      recipient: { kind: 'claim', claim: name, claimant: MAKER },
      grant: undefined,
    })
    await attempt.storeDigest(aSecret({ current: { ...aVersion(1, '1', NOT_ARRIVED), digest: digestOf(credential) } }))
    await removeObject(home, `${CLAIMS}/${name}`)
    await home.kill()
    await home.claim(REF)
    await once(run)
    const { current } = (await home.secretOf('uid-1')) ?? {}
    expect(current).toMatchObject({ digest: digestOf(credential), claimedBy: MAKER, claimedAt: NOON - HOUR })
    expect(await home.lines()).toEqual([])
  })

  test('that is taken away before it is served costs nobody a version', async () => {
    const home = await fakeClusterHome('nothing')
    const run = aRun(home)
    await home.declare(anApiKey(), 'uid-1')
    const [first, second] = [await home.claim(REF), await home.claim(REF)]
    const credential = composeCredential(aKeyId('m'), new Uint8Array(RANDOM_BYTES).fill(1))
    const attempt = await home.port().openAttempt({
      ref: REF,
      uid: 'uid-1',
      over: undefined,
      recipient: { kind: 'claim', claim: first, claimant: MAKER },
      grant: undefined,
    })
    await attempt.storeDigest(aSecret({ current: { ...aVersion(1, '1', NOT_ARRIVED), digest: digestOf(credential) } }))
    await removeObject(home, `${CLAIMS}/${first}`)
    expect(await outcome(attempt.deliver(new Plaintext(credential)))).toBe('taken_over')
    await once(run)
    expect((await conditionsOf(home)).find(([one]) => one === second)?.[1]).toBe('Delivered Delivered')
    expect((await home.secretOf('uid-1'))?.current?.version).toBe(1)
  })

  test('a version that was begun for one is not delivered to it any more once it is made for another', async () => {
    const home = await fakeClusterHome('nothing')
    await home.declare(anApiKey(), 'uid-1')
    const [first, second] = [await home.claim(REF), await home.claim(REF)]
    const [slow, quick] = [await home.leader(), await home.leader()]
    const to = (claim: string, over: string | undefined) =>
      ({
        ref: REF,
        uid: 'uid-1',
        over,
        recipient: { kind: 'claim', claim, claimant: MAKER },
        grant: undefined,
      }) as const
    const credential = composeCredential(aKeyId('m'), new Uint8Array(RANDOM_BYTES).fill(1))
    const begun = await slow.port.openAttempt(to(first, undefined))
    await begun.storeDigest(aSecret({ current: { ...aVersion(1, '1', NOT_ARRIVED), digest: digestOf(credential) } }))
    const { held, arrival } = await quick.port.observe(REF)
    await quick.port.openAttempt(to(second, held?.kind === 'read' ? held.revision : undefined))
    expect([arrival, await outcome(begun.deliver(new Plaintext(credential)))]).toEqual([undefined, 'taken_over'])
    expect(await home.lines()).toEqual([])
  })

  test('a server that does not keep the attempt is handed nothing', async () => {
    const home = await fakeClusterHome('nothing')
    await home.declare(anApiKey(), 'uid-1')
    await home.claim(REF)
    const { port } = await home.leader((client) => ({
      ...client,
      send: async (request) => {
        const answer = (await client.send(request)) as KubeObject
        return request.path.endsWith('/status') && request.path.startsWith(CLAIMS) ? { ...answer, status: {} } : answer
      },
    }))
    expect(await outcome(once(aRun(home), port))).toBe('claims_keep_no_attempt')
    expect(await home.lines()).toEqual([])
  })
})

describe('what is kept', () => {
  test('and was deleted by hand is missed, and never minted anew', async () => {
    const { home, run } = await settled()
    const { metadata } = await theDigestSecret(home)
    await removeObject(home, `${OWN}/${metadata.name}`)
    await home.receive('nothing')
    await home.claim(REF)
    await once(run)
    expect([conditionOf(home, 'Ready'), (await home.digestSecrets()).length]).toEqual([['False', 'SecretMissing'], 0])
  })

  test.each([
    [
      'whose label was changed',
      (object: KubeObject) => ({
        ...object,
        metadata: { ...object.metadata, labels: { 'keyward.dev/api-key-uid': 'x' } },
      }),
    ],
    ['whose record was changed', (object: KubeObject) => ({ ...object, data: { record: 'e30=' } })],
  ])('%s is not read and not removed', async (_what, change) => {
    const { home, run } = await settled()
    const { metadata } = await theDigestSecret(home)
    await replaceObject(home, `${OWN}/${metadata.name}`, change)
    await once(run)
    expect([conditionOf(home, 'Ready'), (await home.digestSecrets()).length]).toEqual([
      ['False', 'SecretUnreadable'],
      1,
    ])
  })

  test('of an ApiKey that can not be read stays', async () => {
    const { home, run } = await settled()
    await replaceObject(home, KEY, (object) => ({ ...object, spec: { permissions: 'all' } }))
    expect(await outcome(once(run))).toBe('api_key_unreadable')
    expect((await home.digestSecrets()).length).toBe(1)
  })

  test('of another ApiKey is never removed', async () => {
    const { home } = await settled({ delivery: IMPORTED })
    await home.port().remove('uid-2', IMPORTED.keyId)
    expect((await home.digestSecrets()).map(({ metadata }) => metadata.name)).toEqual([
      digestSecretName(IMPORTED.keyId),
    ])
  })
})

describe('a new key ID', () => {
  test('is the same for all who make it, and another for another ApiKey', () => {
    const all = () => true
    expect(freshKeyId('uid-1', 'production', all)).toBe(freshKeyId('uid-1', 'production', all))
    expect(freshKeyId('uid-2', 'production', all)).not.toBe(freshKeyId('uid-1', 'production', all))
    expect(freshKeyId('uid-1', 'staging', all)).toMatch(/^kw_stag_[0-9A-Za-z]{12}$/)
  })

  test('is not one that somebody else has', () => {
    const first = freshKeyId('uid-1', 'production', () => true)
    const second = freshKeyId('uid-1', 'production', (keyId) => keyId !== first)
    expect([second === first, second]).toEqual([false, expect.stringMatching(/^kw_prod_/)])
  })
})
