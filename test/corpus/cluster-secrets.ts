/** Cases about Secrets, owners and deletion: nothing of others is touched, and nothing that others write opens anything. */
import { expect } from 'vitest'
import { digestOf } from '../../src/core/credential.ts'
import { askedBy, auditMark, OPERATOR, writesIn } from '../support/audit.ts'
import { claim } from '../support/claimant.ts'
import {
  applyKey,
  conditionOf,
  deleteKey,
  getKey,
  keptOf,
  untilReady,
  workloadSecret,
} from '../support/cluster-keys.ts'
import { aCredential } from '../support/make.ts'
import { until } from '../support/until.ts'
import {
  aKey,
  type ClusterCase,
  type ClusterWorld,
  create,
  KEYS,
  keyInForce,
  messageOf,
  TEAM,
} from './cluster-world.ts'

const SECRETS = `/api/v1/namespaces/${TEAM}/secrets`

type Owner = { readonly kind: string; readonly name: string }
type Secret = {
  readonly type: string
  readonly metadata: {
    readonly name: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
    readonly ownerReferences?: readonly Owner[]
  }
  readonly data?: Readonly<Record<string, string>>
}

const secretOf = async ({ cluster }: ClusterWorld, path: string): Promise<Secret> =>
  (await cluster.request('GET', path)).body as Secret

const untilNotOurs = ({ cluster }: ClusterWorld, name: string) =>
  until(`${name} is told that the Secret is another's`, async () => {
    const key = await getKey(cluster, `${TEAM}/${name}`)
    return conditionOf(key, 'CredentialStored')?.reason === 'SecretNotOurs' ? key : undefined
  })

/** What the operator asks to write while nobody does anything. */
async function writtenWithin(world: ClusterWorld, ms: number): Promise<readonly string[]> {
  const mark = auditMark(world.cluster)
  await new Promise((resolve) => setTimeout(resolve, ms))
  const asked = writesIn(askedBy(world.cluster, OPERATOR, mark))
  return asked.filter(({ resource }) => resource !== 'subjectaccessreviews').map(({ verb, uri }) => `${verb} ${uri}`)
}

const FINALIZER = 'example.com/waits'

const setFinalizers = ({ cluster }: ClusterWorld, name: string, finalizers: readonly string[] | null) =>
  cluster.request('PATCH', `${KEYS}/${name}`, { metadata: { finalizers } }, 'application/merge-patch+json')

const finalizersOf = async ({ cluster }: ClusterWorld, name: string): Promise<readonly string[]> => {
  const { body } = await cluster.request('GET', `${KEYS}/${name}`)
  return (body as { metadata: { finalizers?: readonly string[] } }).metadata.finalizers ?? []
}

const untilSwept = ({ cluster }: ClusterWorld, name: string) =>
  until(`nothing is kept of ${name}`, async () => (await keptOf(cluster, `${TEAM}/${name}`)).length === 0, 15_000)

export const SECRET_CASES: Readonly<Record<string, ClusterCase>> = {
  'CRD-secret-overwrite': async (world) => {
    const theirs = { metadata: { name: 'db-password' }, stringData: { password: 'hunter2' } }
    const { body } = await world.cluster.request('POST', SECRETS, theirs)
    await applyKey(world.cluster, `${TEAM}/overwrites`, {
      permissions: ['thing:read'],
      delivery: { secretName: 'db-password' },
    })
    const told = await untilNotOurs(world, 'overwrites')
    expect(told.status?.phase).toBe('Pending')
    expect(await secretOf(world, `${SECRETS}/db-password`)).toEqual(body)
    expect((await keptOf(world.cluster, `${TEAM}/overwrites`))[0]?.current).toBeUndefined()
  },
  'CRD-secret-type-sa': async (world) => {
    const annotations = { 'kubernetes.io/service-account.name': 'default' }
    const delivery = { secretName: 'typed', type: 'kubernetes.io/service-account-token', annotations }
    const object = aKey('typed', { delivery }, { annotations })
    const strict = await create(world, object)
    expect([strict.status, messageOf(strict)]).toEqual([
      400,
      expect.stringContaining('unknown field "spec.delivery.type"'),
    ])
    expect((await create(world, object, 'Ignore')).status).toBe(201)
    await untilReady(world.cluster, `${TEAM}/typed`, 'Active')
    const made = await secretOf(world, `${SECRETS}/typed`)
    expect([made.type, Object.keys(made.data ?? {}).sort()]).toEqual([
      'keyward.dev/credential',
      ['id', 'key', 'secret'],
    ])
    const foreign = Object.keys(made.metadata.annotations ?? {}).filter((name) => !name.startsWith('keyward.dev/'))
    expect(foreign).toEqual([])
  },
  'CRD-two-keys-one-secret': async (world) => {
    const shared = { permissions: ['thing:read'], delivery: { secretName: 'shared' } }
    await applyKey(world.cluster, `${TEAM}/shares-first`, shared)
    await untilReady(world.cluster, `${TEAM}/shares-first`, 'Active')
    const before = await workloadSecret(world.cluster, `${TEAM}/shared`)
    await applyKey(world.cluster, `${TEAM}/shares-second`, shared)
    await untilNotOurs(world, 'shares-second')
    // told once, and then nothing more: no fight over it
    await until('it is told', async () => (await writtenWithin(world, 700)).length === 0, 10_000)
    expect(await workloadSecret(world.cluster, `${TEAM}/shared`)).toEqual(before)
  },
  'CRD-ownerref-xns': async (world) => {
    const { cluster } = world
    const { body } = await cluster.request('POST', '/api/v1/namespaces/team/configmaps', {
      metadata: { name: 'owner' },
    })
    const { uid } = (body as { metadata: { uid: string } }).metadata
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }]
    const mark = auditMark(cluster)
    await create(world, aKey('owned', { delivery: { secretName: 'owned' } }, { ownerReferences }))
    await untilReady(cluster, `${TEAM}/owned`, 'Active')
    const { metadata } = await secretOf(world, `${SECRETS}/owned`)
    expect(metadata.ownerReferences?.map(({ kind, name }) => `${kind}/${name}`)).toEqual(['ApiKey/owned'])
    const followed = askedBy(cluster, OPERATOR, mark).filter(
      ({ resource, namespace }) => resource === 'configmaps' && namespace !== 'keyward-system',
    )
    expect(followed).toEqual([])
    // what is kept lies in another Kubernetes namespace than the key, so it names no owner that would be taken for gone
    const list = await cluster.request('GET', '/api/v1/namespaces/keyward-system/secrets')
    const kept = (list.body as { items: readonly Secret[] }).items
    expect(kept.filter((one) => (one.metadata.ownerReferences ?? []).length > 0)).toEqual([])
  },
  'CRD-label-selector-steal': async (world) => {
    const { cluster, authz } = world
    const key = await keyInForce(world, 'stolen')
    const list = await cluster.request('GET', '/api/v1/namespaces/keyward-system/secrets')
    const [real] = (list.body as { items: readonly Secret[] }).items.filter(
      ({ metadata }) => metadata.annotations?.['keyward.dev/api-key'] === `${TEAM}/stolen`,
    )
    const [kept] = await keptOf(cluster, `${TEAM}/stolen`)
    // all of the Secret of a good key, with the digest of a credential that its thief has chosen
    const chosen = aCredential()
    const record = Buffer.from(real?.data?.record ?? '', 'base64').toString()
    const forged = record.replace(kept?.current?.digest ?? '', digestOf(chosen))
    expect(forged).not.toBe(record)
    const { name = '', labels, annotations } = real?.metadata ?? {}
    const made = await cluster.request('POST', SECRETS, {
      metadata: { name, labels: { ...labels, 'keyward.dev/managed': 'true' }, annotations },
      ...{ type: real?.type, data: { ...real?.data, record: Buffer.from(forged).toString('base64') } },
    })
    expect(made.status).toBe(201)
    await keyInForce(world, 'after-the-theft')
    expect(await authz.outcome({ key: chosen.text })).toBe('401 invalid_key')
    expect(await authz.outcome({ key })).toBe('200')
  },
  'MISC-managedfields': async (world) => {
    const key = await keyInForce(world, 'managed')
    const { body: keys } = await world.cluster.request('GET', KEYS)
    const { body: secrets } = await world.cluster.request('GET', '/api/v1/secrets')
    for (const list of [keys, secrets]) {
      const { items } = list as { items: readonly { metadata: { managedFields?: unknown } }[] }
      const fields = JSON.stringify(items.map(({ metadata }) => metadata.managedFields))
      expect(fields).toContain('"f:')
      expect(fields).not.toMatch(/[0-9A-Za-z]{40}|sha256:|kw_(?:prod|stag|dev)_/)
      expect(fields).not.toContain(key)
    }
  },
  // what the API server says to a refused write may hold what was written
  'MISC-log-error-body': async (world) => {
    const { cluster } = world
    const policy = 'admissionregistration.k8s.io/v1'
    await cluster.apply(`apiVersion: ${policy}
kind: ValidatingAdmissionPolicy
metadata: {name: echoes}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [secrets], operations: [CREATE, UPDATE]}]}
  matchConditions: [{name: this-one, expression: "object.metadata.name == 'echoed'"}]
  validations:
    - expression: "!has(object.data)"
      messageExpression: "'I can not take ' + object.data.map(name, object.data[name]).join(' ')"
      reason: Invalid
---
apiVersion: ${policy}
kind: ValidatingAdmissionPolicyBinding
metadata: {name: echoes}
spec: {policyName: echoes, validationActions: [Deny]}
`)
    // in force a moment after it is there
    await until('the policy echoes', async () => {
      const trial = { metadata: { name: 'echoed' }, data: { key: 'a3dfcHJvZF8' + '=' } }
      return messageOf(await cluster.request('POST', `${SECRETS}?dryRun=All`, trial)).includes('a3dfcHJvZF8')
    })
    await applyKey(cluster, `${TEAM}/echoed`, { permissions: ['thing:read'], delivery: { secretName: 'echoed' } })
    const told = await until(
      'it fails',
      async () => {
        const key = await getKey(cluster, `${TEAM}/echoed`)
        return conditionOf(key, 'Claimed')?.reason === 'HandOverFailed' ? key : undefined
      },
      15_000,
    )
    const { body } = await cluster.request('GET', `/apis/events.k8s.io/v1/namespaces/${TEAM}/events`)
    for (const text of [JSON.stringify(told), JSON.stringify(body), world.operator().output()]) {
      expect(text).not.toMatch(/I can not take|a3dfc|kw_prod_[0-9A-Za-z]{12}_/)
    }
    await cluster.kubectl(['delete', 'validatingadmissionpolicybinding,validatingadmissionpolicy', 'echoes'])
  },
  'CRD-finalizer-strip': async (world) => {
    const key = await keyInForce(world, 'stripped')
    expect(await finalizersOf(world, 'stripped'), 'there is none to be stripped').toEqual([])
    await setFinalizers(world, 'stripped', null)
    await deleteKey(world.cluster, `${TEAM}/stripped`)
    await world.authz.comesTo({ key }, '401 invalid_key', 1000)
    await untilSwept(world, 'stripped')
  },
  'CRD-finalizer-foreign': async (world) => {
    const key = await keyInForce(world, 'held-up')
    await setFinalizers(world, 'held-up', [FINALIZER])
    await deleteKey(world.cluster, `${TEAM}/held-up`)
    await world.authz.comesTo({ key }, '401 key_inactive', 1000)
    await untilReady(world.cluster, `${TEAM}/held-up`, 'Deleting')
    expect(await finalizersOf(world, 'held-up')).toEqual([FINALIZER])
    await setFinalizers(world, 'held-up', null)
    await untilSwept(world, 'held-up')
  },
  'CRD-finalizer-stuck': async (world) => {
    const key = await keyInForce(world, 'stuck')
    const mine = await claim(world.cluster, { namespace: TEAM, apiKey: 'stuck' })
    await mine.outcome()
    await setFinalizers(world, 'stuck', [FINALIZER])
    await world.operator().stop()
    await deleteKey(world.cluster, `${TEAM}/stuck`)
    await world.authz.comesTo({ key }, '401 key_inactive', 1000)
    await setFinalizers(world, 'stuck', null)
    await world.authz.comesTo({ key }, '401 invalid_key', 1000)
    expect(await keptOf(world.cluster, `${TEAM}/stuck`)).toHaveLength(1)
    await world.startOperator()
    await untilSwept(world, 'stuck')
  },
}
