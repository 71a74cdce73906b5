/** Many keys of many people on many access namespaces: how much is asked about them, and how soon a change is in force. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Credential, digestOf } from '../../src/core/credential.ts'
import { type AsPerson, asPerson } from './as-person.ts'
import { askedBy, auditMark, OPERATOR, writesIn } from './audit.ts'
import { bind, type Follows, followsWithin, group, setRole, user, WRITES_KEYS } from './capped.ts'
import type { Cluster } from './cluster.ts'
import { type ClusterAuthz, startClusterAuthz } from './cluster-authz.ts'
import { applyKey, getKey } from './cluster-keys.ts'
import { type Held, type Holding, heldByAll } from './held-by-keys.ts'
import { accessOf, almightyFolder, clientOf } from './kube-client.ts'
import { aCredential } from './make.ts'
import { type Operator, startOperator } from './operator.ts'
import { until } from './until.ts'

export type CapScale = {
  readonly keys: number
  readonly people: number
  readonly places: number
  readonly permissions: number
  /** On how many places each of them has keys. */
  readonly placesEach: number
}

export type CapFigures = {
  /** For every key, once. */
  readonly reviewsOfPass: number
  /** For a change that concerns one person, and for it being taken back. */
  readonly reviewsOfLoss: number
  readonly reviewsOfRegain: number
  readonly lossMs: number
  readonly regainMs: number
  /** The same for a change that concerns everybody. */
  readonly lossOfAll: Held & { readonly reviews: number }
  readonly regainOfAll: Held & { readonly reviews: number }
  /** Until every key is settled once more by another leader. */
  readonly takeOverS: number
  /** Of the leader that found everything as it should be. */
  readonly writesOfTakeOver: readonly string[]
}

const permissionsOf = ({ permissions }: CapScale) => Array.from({ length: permissions }, (_, i) => `thing:p${i}`)
/** The last of them is held by everybody, by one role of all. */
const ownOf = (scale: CapScale) => permissionsOf(scale).slice(0, -1)
const sharedOf = (scale: CapScale) => permissionsOf(scale).slice(-1)
const EVERYBODY = 'everybody'
const whoIs = (i: number) => `person-${i}@example.com`
const placeOf = (i: number) => `place-${i}`

/** Each person holds every permission but one on some places, by a role of their own. */
function capManifests(scale: CapScale): string {
  const yaml = (object: object) => JSON.stringify(object)
  const places = Array.from({ length: scale.places }, (_, i) =>
    yaml({
      ...{ apiVersion: 'keyward.dev/v1alpha1', kind: 'AccessNamespace', metadata: { name: placeOf(i) } },
      spec: { type: 'organization' },
    }),
  )
  const bindings = Array.from({ length: scale.people }, (_, i) =>
    yaml({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: `person-${i}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `person-${i}` },
      subjects: [user(whoIs(i))],
    }),
  )
  const routes = permissionsOf(scale).map((permission) => ({
    ...{ methods: ['GET'], path: `/${permission.slice('thing:'.length)}`, permission },
  }))
  const api = yaml({
    ...{ apiVersion: 'keyward.dev/v1alpha1', kind: 'ProtectedApi', metadata: { name: 'things', namespace: 'team' } },
    spec: { environments: [{ name: 'production', hosts: ['api.test'] }], routes },
  })
  const team = yaml({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } })
  return [team, ...places, ...bindings, api, WRITES_KEYS].join('\n---\n')
}

const placesOf = (i: number, { places, placesEach }: CapScale): readonly string[] =>
  Array.from({ length: placesEach }, (_, j) => placeOf((i * placesEach + j) % places))

const setRoleOf = (cluster: Cluster, i: number, scale: CapScale, verbs = ownOf(scale)): Promise<void> =>
  setRole(cluster, { role: `person-${i}`, verbs, on: placesOf(i, scale) })

/** By name too, as most roles are. */
const setRoleOfAll = (cluster: Cluster, scale: CapScale, verbs = sharedOf(scale)): Promise<void> => {
  const on = Array.from({ length: scale.places }, (_, i) => placeOf(i))
  return setRole(cluster, { role: EVERYBODY, verbs, on })
}

async function makeKeys(people: AsPerson, scale: CapScale): Promise<readonly Credential[]> {
  const credentials: Credential[] = []
  let next = 0
  const work = async () => {
    for (let n = next++; n < scale.keys; n = next++) {
      const credential = aCredential({ seed: `capped ${n}` })
      credentials[n] = credential
      const i = n % scale.people
      const places = placesOf(i, scale)
      const delivery = { digest: `sha256:${digestOf(credential)}`, keyId: credential.keyId }
      const accessNamespace = places[Math.floor(n / scale.people) % places.length]
      const spec = { accessNamespace, permissions: permissionsOf(scale), delivery }
      // where everything is slow, admission refuses in time and says to try again
      const made = () => applyKey(people.as({ user: whoIs(i) }), `team/key-${n}`, spec).catch(() => undefined)
      await until(`key ${n} is made`, made, 30_000)
    }
  }
  await Promise.all(Array.from({ length: 16 }, work))
  return credentials
}

const reviewsBy = async ({ metric }: Operator, ...lanes: readonly string[]): Promise<number> => {
  const counts = await Promise.all(lanes.map((lane) => metric(`keyward_access_reviews_total{lane="${lane}"}`)))
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
}

/** Until no more come for a second. */
async function quiet(operator: Operator, withinMs: number): Promise<number> {
  let [last, since] = [-1, performance.now()]
  await until(
    'everything was asked',
    async () => {
      await sleep(100)
      const now = await reviewsBy(operator, 'change', 'renewal')
      const depth = await operator.metric('keyward_operator_queue_depth')
      if (now !== last || depth !== 0) since = performance.now()
      last = now
      return performance.now() - since > 1000
    },
    withinMs,
  )
  return last
}

/** Keys by which enforcement is asked. */
const SAMPLES = 20
const SETTLED = 'keyward_operator_reconciles_total{outcome="settled"}'

/** What could not be asked in time is asked again later: how many were looked at says nothing then. */
async function areActive(cluster: Cluster, keys: number): Promise<boolean> {
  await sleep(1000)
  const { body } = await cluster.request('GET', '/apis/keyward.dev/v1alpha1/namespaces/team/apikeys')
  const { items } = body as { readonly items: readonly { metadata: { name: string }; status?: { phase?: string } }[] }
  const isOurs = (name: string) => name.startsWith('key-')
  return items.filter(({ metadata, status }) => isOurs(metadata.name) && status?.phase === 'Active').length >= keys
}

/** @param cluster whose webhooks are answered */
export async function measureCap(cluster: Cluster, scale: CapScale, withinMs: number): Promise<CapFigures> {
  const people = asPerson(cluster)
  await cluster.apply(capManifests(scale))
  await Promise.all(Array.from({ length: scale.people }, (_, i) => setRoleOf(cluster, i, scale)))
  await setRoleOfAll(cluster, scale)
  await bind(cluster, { role: EVERYBODY, subjects: [group('system:authenticated')] })
  await sleep(500)
  const credentials = await makeKeys(people, scale)
  const authz: ClusterAuthz = await startClusterAuthz(cluster)
  const first = await startOperator(cluster)
  await first.leads()
  const isSettled = async ({ metric }: Operator) => ((await metric(SETTLED)) ?? 0) >= scale.keys
  await until('every key is in force', () => areActive(cluster, scale.keys), withinMs)
  await quiet(first, withinMs)
  await first.stop()

  const mark = auditMark(cluster)
  const began = performance.now()
  const operator = await startOperator(cluster)
  await until('every key was looked at', () => isSettled(operator), withinMs)
  const takeOverS = (performance.now() - began) / 1000
  const reviewsOfPass = await quiet(operator, withinMs)
  const writesOfTakeOver = writesIn(askedBy(cluster, OPERATOR, mark))
    // a look at the Secret of a workload is an empty patch
    .filter(({ resource }) => resource !== 'subjectaccessreviews' && resource !== 'secrets')
    .map(({ verb, uri }) => `${verb} ${uri}`)

  const one = 7 % scale.people
  const all = permissionsOf(scale)
  const key = credentials[one]?.text
  const told = (permissions: readonly string[], outcome: string): Follows => ({
    ...{ authz, key: `team/key-${one}`, permissions, outcome },
    question: { path: '/p0', key },
  })
  await followsWithin(cluster, told(all, '200'), 10_000).catch(async (error: unknown) => {
    throw new Error(`${error}; ${JSON.stringify((await getKey(cluster, `team/key-${one}`))?.status)}`)
  })
  const asked = () => reviewsBy(operator, 'change')
  const before = await asked()
  await setRoleOf(cluster, one, scale, ['other:thing'])
  const lossMs = await followsWithin(cluster, told(sharedOf(scale), '403 creator_access_lost'), 10_000)
  await sleep(1500)
  const between = await asked()
  await setRoleOf(cluster, one, scale)
  const regainMs = await followsWithin(cluster, told(all, '200'), 10_000)
  await sleep(1500)
  const after = await asked()

  const client = clientOf(accessOf(await almightyFolder(cluster), cluster))
  const everybody = async (verbs: string[], wanted: Pick<Holding, 'isHeld' | 'outcome'>) => {
    const began = await asked()
    const [permission = ''] = sharedOf(scale)
    // of as many people
    const every = Math.floor(scale.keys / SAMPLES) + 1
    const holding: Holding = {
      ...{ ...wanted, permission, path: `/${permission.slice('thing:'.length)}` },
      names: new Set(credentials.map((_, n) => `key-${n}`)),
      samples: credentials.flatMap(({ text }, n) => (n % every === 0 ? [text] : [])),
    }
    const held = await heldByAll({ client, authz, withinMs }, holding, () => setRoleOfAll(cluster, scale, verbs))
    await quiet(operator, withinMs)
    return { ...held, reviews: (await asked()) - began }
  }
  const lossOfAll = await everybody(['other:thing'], { isHeld: false, outcome: '403 creator_access_lost' })
  const regainOfAll = await everybody(sharedOf(scale), { isHeld: true, outcome: '200' })
  await Promise.all([operator.stop(), authz.stop()])
  return {
    ...{ reviewsOfPass, reviewsOfLoss: between - before, reviewsOfRegain: after - between },
    ...{ lossMs, regainMs, lossOfAll, regainOfAll, takeOverS, writesOfTakeOver },
  }
}
