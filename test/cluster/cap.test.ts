/** A key is never more than the people behind it, for as long as it lives: on a real API server, through authz and Envoy. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type AsPerson, asPerson, type Who } from '../support/as-person.ts'
import { ask } from '../support/ask.ts'
import { measureCap } from '../support/cap-scale.ts'
import {
  attestEarlier,
  bind,
  effectiveOf,
  type Follows,
  followsWithin,
  grant,
  group,
  PLACES,
  setRole,
  unbind,
  user,
} from '../support/capped.ts'
import { claim } from '../support/claimant.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type ClusterAuthz, startClusterAuthz } from '../support/cluster-authz.ts'
import { applyKey, conditionOf, editKey, getKey, untilReady, workloadSecret } from '../support/cluster-keys.ts'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { startEnvoyGrpc } from '../support/envoy.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'

/** What may pass from a change of roles to status and enforcement. */
const WITHIN_MS = 2000

const ANA: Who = { user: 'ana@example.com' }
const BEN: Who = { user: 'ben@example.com' }

let cluster: Cluster
let people: AsPerson
let operator: Operator
let authz: ClusterAuthz
let upstream: EchoUpstream
/** Made first: what is new is looked at again for half a minute before its stamp counts for nothing. */
let early: Made

beforeAll(async () => {
  upstream = await startEcho()
  cluster = await startCluster()
  people = asPerson(cluster)
  await cluster.apply(PLACES)
  ;[operator, authz] = await Promise.all([startOperator(cluster), startClusterAuthz(cluster)])
  await operator.leads()
  await grant(cluster, { role: 'stella-things', subjects: [user('stella@example.com')], verbs: ['thing:read'] })
  early = await made('early', READ_ONLY, [{ user: 'stella@example.com' }])
  return () => upstream.stop()
}, 120_000)

type Made = { readonly which: string; readonly key: string }

/** Made by one person, and received by another, or by the same. */
async function made(name: string, spec: object, [creator, claimant = creator]: readonly [Who, Who?]): Promise<Made> {
  // an API server goes by a new binding some milliseconds after it has answered
  await until(`${name} may be made`, () =>
    applyKey(people.as(creator), `team/${name}`, { accessNamespace: 'acme', ...spec }).catch(() => undefined),
  )
  const { key } = await (await claim(people.as(claimant), { namespace: 'team', apiKey: name })).open()
  return { which: `team/${name}`, key }
}

type Told = Pick<Follows, 'permissions' | 'outcome'> & { readonly question?: Follows['question'] }

const follows = ({ which, key }: Made, { question = {}, ...told }: Told, withinMs = WITHIN_MS): Promise<number> =>
  followsWithin(cluster, { authz, key: which, question: { ...question, key }, ...told }, withinMs)

/** Looked at once: for what would be otherwise by now. */
async function expectNow({ which, key }: Made, { question = {}, permissions, outcome }: Told): Promise<void> {
  const now = await Promise.all([authz.outcome({ ...question, key }), effectiveOf(cluster, which)])
  expect(now).toEqual([outcome, permissions])
}

const LOST: Told = { permissions: [], outcome: '403 creator_access_lost' }
const READS: Told = { permissions: ['thing:read'], outcome: '200' }
const READ_ONLY = { permissions: ['thing:read'] }

describe('what a creator loses', () => {
  test('the key loses, within two seconds, and has back when the creator has it back; both are told apart', async () => {
    const both = ['thing:read', 'thing:write']
    await grant(cluster, { role: 'ana-things', subjects: [user(ANA.user)], verbs: both, on: ['acme'] })
    const one = await made('lost', { permissions: both }, [ANA])
    await follows(one, { permissions: both, outcome: '200' })
    await setRole(cluster, { role: 'ana-things', verbs: ['thing:write'], on: ['acme'] })
    await follows(one, { permissions: ['thing:write'], outcome: '403 creator_access_lost' })
    await follows(one, { question: { method: 'POST' }, permissions: ['thing:write'], outcome: '200' })
    const path = { path: '/workspaces/eu-1' }
    await follows(one, { question: path, permissions: ['thing:write'], outcome: '403 missing_permission' })
    const key = await until('it is said', async () => {
      const found = await getKey(cluster, one.which)
      return conditionOf(found, 'WithinCreatorAccess')?.reason === 'AccessLost' ? found : undefined
    })
    const { message } = conditionOf(key, 'WithinCreatorAccess') ?? {}
    expect(message).toMatch(/thing:read: not held by ana@example\.com since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/)
    expect((key.status as { withheld?: unknown }).withheld).toEqual([
      { permission: 'thing:read', since: expect.any(String), because: [ANA.user] },
    ])
    await setRole(cluster, { role: 'ana-things', verbs: both, on: ['acme'] })
    await follows(one, { permissions: both, outcome: '200' })
    expect(conditionOf(await getKey(cluster, one.which), 'WithinCreatorAccess')?.status).toBe('True')
  })

  test('by the binding of a group is lost too', async () => {
    const dev: Who = { user: 'dora@example.com', groups: ['devs'] }
    await grant(cluster, { role: 'devs-things', subjects: [group('devs')], verbs: ['thing:read'] })
    const one = await made('of-group', READ_ONLY, [dev])
    await follows(one, READS)
    await unbind(cluster, 'devs-things')
    await follows(one, LOST)
    await bind(cluster, { role: 'devs-things', subjects: [group('devs')] })
    await follows(one, READS)
  })

  test('is lost while no operator runs as soon as one begins to lead', async () => {
    await grant(cluster, { role: 'olga-things', subjects: [user('olga@example.com')], verbs: ['thing:read'] })
    const one = await made('while-away', READ_ONLY, [{ user: 'olga@example.com' }])
    await follows(one, READS)
    await operator.stop()
    await unbind(cluster, 'olga-things')
    operator = await startOperator(cluster)
    await operator.leads()
    await follows(one, LOST)
  })
})

describe('a claimant', () => {
  const READS_BOTH = { role: 'both-things', verbs: ['thing:read'] }

  test('caps the key as its creator does, long after the claim is gone', async () => {
    await grant(cluster, { ...READS_BOTH, subjects: [user(ANA.user), user(BEN.user)] })
    const one = await made('claimed', READ_ONLY, [ANA, BEN])
    await follows(one, READS)
    const { status } = await untilReady(cluster, one.which, 'Active')
    expect(status).toMatchObject({
      createdBy: { username: ANA.user },
      credential: { claimedBy: { username: BEN.user } },
    })
    const claims = '/apis/keyward.dev/v1alpha1/namespaces/team/apikeyclaims'
    expect((await cluster.request('DELETE', claims)).status).toBe(200)
    await bind(cluster, { ...READS_BOTH, subjects: [user(ANA.user)] })
    await follows(one, LOST)
    expect(conditionOf(await getKey(cluster, one.which), 'WithinCreatorAccess')?.message).toContain(BEN.user)
  })

  test('of a version that is replaced caps it no longer', async () => {
    await grant(cluster, { ...READS_BOTH, subjects: [user(ANA.user), user(BEN.user)] })
    const one = await made('handed-on', READ_ONLY, [ANA, BEN])
    await editKey(people.as(ANA), one.which, { regenerate: 1 })
    const { key } = await (await claim(people.as(ANA), { namespace: 'team', apiKey: 'handed-on', version: 2 })).open()
    const other = await made('not-handed-on', READ_ONLY, [ANA, BEN])
    await Promise.all([follows({ ...one, key }, READS), follows(other, READS)])
    await bind(cluster, { ...READS_BOTH, subjects: [user(ANA.user)] })
    await follows(other, LOST)
    await expectNow({ ...one, key }, READS)
  })

  test('of the version before caps the key as long as that is still good', async () => {
    await grant(cluster, { ...READS_BOTH, subjects: [user(ANA.user), user(BEN.user)] })
    const one = await made('overlapping', { ...READ_ONLY, overlap: '1h' }, [ANA, BEN])
    await editKey(people.as(ANA), one.which, { regenerate: 1 })
    const { key } = await (await claim(people.as(ANA), { namespace: 'team', apiKey: 'overlapping' })).open()
    await follows({ ...one, key }, READS)
    await bind(cluster, { ...READS_BOTH, subjects: [user(ANA.user)] })
    await follows({ ...one, key }, LOST)
  })
})

test('a ServiceAccount that is deleted takes its keys along, and another one of its name does not bring them back', async () => {
  const subjects = [{ kind: 'ServiceAccount', namespace: 'ci', name: 'deployer' }]
  await grant(cluster, { role: 'deployer-reads', subjects, verbs: ['thing:read'] })
  await grant(cluster, { role: 'deployer-writes', subjects, verbs: ['thing:write'] })
  /** At once by one that is new: nobody knows yet how soon the operator sees it. */
  const deployed = async (name: string, permissions: readonly string[]): Promise<Made> => {
    const deployer = people.withToken(await cluster.serviceAccount('deployer', 'ci'))
    const which = `team/${name}`
    const spec = { permissions, accessNamespace: 'acme', delivery: { secretName: name } }
    await until(`${name} may be made`, () => applyKey(deployer, which, spec).catch(() => undefined))
    const { key } = await until('it is delivered', () => workloadSecret(cluster, which))
    return { which, key }
  }
  const one = await deployed('deployed', ['thing:read'])
  await follows(one, READS)
  await cluster.request('DELETE', '/api/v1/namespaces/ci/serviceaccounts/deployer')
  await follows(one, LOST)
  expect(conditionOf(await getKey(cluster, one.which), 'WithinCreatorAccess')?.message).toContain('deployer')
  const again = await deployed('deployed-again', ['thing:read', 'thing:write'])
  await follows(again, { permissions: ['thing:read', 'thing:write'], outcome: '200' })
  // what the other one loses after that is seen later than who has the name
  await unbind(cluster, 'deployer-writes')
  await follows(again, READS)
  await expectNow(one, LOST)
})

test('not permitted to update a workspace if you do not have EDIT permission for that workspace', async () => {
  const [reads, edits] = ['workspace:read', 'workspace:edit']
  const envoy = await startEnvoyGrpc({
    ...{ checkPort: authz.ports.check, grpcPort: authz.ports.grpc, upstreamPort: upstream.port },
  })
  const emma: Who = { user: 'emma@example.com' }
  const all = ['acme-web', 'web-eu', 'web-us']
  await grant(cluster, { role: 'emma-reads', subjects: [user(emma.user)], verbs: [reads], on: all })
  await grant(cluster, { role: 'emma-edits', subjects: [user(emma.user)], verbs: [edits], on: ['acme-web', 'web-eu'] })
  const one = await made('edits', { accessNamespace: 'acme-web', permissions: [reads, edits] }, [emma])
  const outcome = async (method: string, id: string): Promise<string> => {
    const answer = await ask(`http://127.0.0.1:${envoy.port}/workspaces/${id}`, {
      method,
      host: 'api.test',
      key: one.key,
    })
    return answer.status === 200 ? '200' : `${answer.status} ${answer.json.code}`
  }
  const comesTo = (method: string, id: string, expected: string) =>
    until(`${method} ${id}: ${expected}`, async () => (await outcome(method, id)) === expected, WITHIN_MS)
  await comesTo('PUT', 'eu-1', '200')
  await comesTo('GET', 'us-1', '200')
  const before = upstream.log.length
  expect(await outcome('PUT', 'us-1')).toBe('403 outside_namespace')
  expect(upstream.log.length, 'nothing arrives').toBe(before)
  await setRole(cluster, { role: 'emma-edits', verbs: [edits], on: ['acme-web', 'web-us'] })
  await comesTo('PUT', 'us-1', '200')
  await comesTo('PUT', 'eu-1', '403 outside_namespace')
  expect(await effectiveOf(cluster, one.which)).toEqual([reads, edits])
  // a workspace that is new is reached by whoever holds the permission on all of them, or there
  const metadata = { name: 'web-asia' }
  const spec = { type: 'workspace', parent: 'acme-web', externalId: 'asia-1' }
  await cluster.apply(JSON.stringify({ apiVersion: 'keyward.dev/v1alpha1', kind: 'AccessNamespace', metadata, spec }))
  await comesTo('GET', 'asia-1', '403 outside_namespace')
  await setRole(cluster, { role: 'emma-edits', verbs: [edits] })
  await comesTo('PUT', 'asia-1', '200')
  await comesTo('PUT', 'eu-1', '200')
  await envoy.stop()
})

describe('who makes a key', () => {
  const wanted = { ...READ_ONLY, accessNamespace: 'acme' }
  const refusedTo = (who: Who) =>
    until(`${who.user} is refused`, () =>
      applyKey(people.as(who), 'team/refused', wanted).then(
        () => undefined,
        (error: unknown) => String(error),
      ),
    )

  test('is told to have access to nothing only where that is so', async () => {
    const nothing = 'has access to no access namespace at all'
    await grant(cluster, {
      role: 'gail-eu',
      subjects: [user('gail@example.com')],
      verbs: ['thing:read'],
      on: ['web-eu'],
    })
    expect(await refusedTo({ user: 'nemo@example.com' })).toContain(nothing)
    const elsewhere = await until('the grant is seen', async () => {
      const message = await refusedTo({ user: 'gail@example.com' })
      return message.includes(nothing) ? undefined : message
    })
    expect(elsewhere).toContain('thing:read')
  })

  test('is stamped with the groups that some binding names, and with no other', async () => {
    await grant(cluster, { role: 'ops-things', subjects: [group('ops')], verbs: ['thing:read'] })
    const omar: Who = { user: 'omar@example.com', groups: ['ops', 'everybody-in-berlin'] }
    await made('grouped', READ_ONLY, [omar])
    const { metadata } = (await getKey(cluster, 'team/grouped')) as unknown as {
      readonly metadata: { readonly annotations: Readonly<Record<string, string>> }
    }
    const [, body = ''] = (metadata.annotations['keyward.dev/creator-stamp'] ?? '').split('.')
    const { groups } = JSON.parse(Buffer.from(body, 'base64url').toString()) as { groups: readonly string[] }
    expect(groups.toSorted()).toEqual(['ops', 'system:authenticated'])
  })
})

test('groups of a user count no longer than --max-attestation-age after they were attested', async () => {
  await operator.stop()
  operator = await startOperator(cluster, { args: ['--max-attestation-age', '1h'] })
  await operator.leads()
  const both = ['thing:read', 'thing:write']
  await grant(cluster, { role: 'crew-things', subjects: [group('crew')], verbs: both })
  await grant(cluster, { role: 'carl-things', subjects: [user('carl@example.com')], verbs: ['thing:read'] })
  const one = await made('aging', { permissions: both }, [{ user: 'carl@example.com', groups: ['crew'] }])
  await follows(one, { permissions: both, outcome: '200' })
  // a stamp is as old as its object, so it is the claimant who was attested two hours ago
  await attestEarlier(cluster, 'carl@example.com', 7_200_000)
  await follows(one, { question: { method: 'POST' }, permissions: ['thing:read'], outcome: '403 creator_access_lost' })
  await follows(one, { permissions: ['thing:read'], outcome: '200' })
})

test('a change that concerns one person of many is in force within two seconds, one of all of them soon, with few questions', async () => {
  const scale = { keys: 100, people: 10, places: 10, permissions: 10, placesEach: 2 }
  await operator.stop()
  const figures = await measureCap(cluster, scale, 30_000)
  expect(figures.writesOfTakeOver).toEqual([])
  // without a name and by name, for each permission
  expect(figures.reviewsOfPass).toBeLessThanOrEqual(10 * (10 + 2 * 10) + 200)
  expect(Math.max(figures.reviewsOfLoss, figures.reviewsOfRegain)).toBeLessThanOrEqual(100)
  expect(Math.max(figures.lossMs, figures.regainMs)).toBeLessThan(WITHIN_MS)
  for (const { grantedMs, enforcedMs, statusMs, reviews } of [figures.lossOfAll, figures.regainOfAll]) {
    // one permission on two places, of each person
    expect(reviews).toBeLessThanOrEqual(10 * 2 + 20)
    // as fast as two hundred writes: a hundred of what is granted, and then as many of status
    expect([Math.max(grantedMs, enforcedMs) < 5000, statusMs < 10_000]).toEqual([true, true])
  }
  operator = await startOperator(cluster)
  await operator.leads()
}, 90_000)

const OWN_SECRETS = '/api/v1/namespaces/keyward-operator/secrets'

test('what was stamped with a key that is taken away is not in force, and is again as soon as that is back', async () => {
  const { body } = await cluster.request('GET', `${OWN_SECRETS}/keyward-stamp-key`)
  const { key } = (body as { readonly data: { readonly key: string } }).data
  const other = Buffer.alloc(32, 7).toString('base64')
  const put = (data: object) =>
    cluster.request('PATCH', `${OWN_SECRETS}/keyward-stamp-key`, { data }, 'application/merge-patch+json')
  expect(await effectiveOf(cluster, early.which)).toEqual(['thing:read'])
  await put({ key: other })
  await untilReady(cluster, early.which, 'NotAttested', 25_000)
  expect(await effectiveOf(cluster, early.which)).toEqual([])
  await put({ key, previous: other })
  await untilReady(cluster, early.which, 'Active', 25_000)
  expect(await effectiveOf(cluster, early.which)).toEqual(['thing:read'])
}, 60_000)

test('a key that nobody is proven to have made gets no credential, and its claims are denied', async () => {
  await cluster.kubectl(['delete', 'mutatingwebhookconfiguration,validatingwebhookconfiguration', 'keyward'])
  await cluster.kubectl(['delete', 'validatingadmissionpolicybinding', '--all'])
  await until('nobody is asked', async () => {
    const answer = await cluster.request('POST', '/apis/keyward.dev/v1alpha1/namespaces/team/apikeys', {
      ...{ apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', metadata: { generateName: 'unstamped-' } },
      spec: { accessNamespace: 'acme', environment: 'production', permissions: ['thing:read'] },
    })
    const { metadata } = answer.body as { metadata?: { name: string; annotations?: object } }
    return answer.status === 201 && metadata?.annotations === undefined
  })
  await applyKey(cluster, 'team/nobodys', { ...READ_ONLY, accessNamespace: 'acme' })
  const key = await untilReady(cluster, 'team/nobodys', 'NotAttested')
  expect([key.status?.phase, conditionOf(key, 'Ready')?.message]).toEqual([
    'Failed',
    expect.stringContaining('not stamped'),
  ])
  const denied = await claim(cluster, { namespace: 'team', apiKey: 'nobodys' })
  expect(await denied.outcome()).toBe('NotPermitted')
})
