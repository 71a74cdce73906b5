/** `keyward explain` of somebody who may read keys, and a running authz, on one real API server: they come to the same. */
import { expect, test } from 'vitest'
import type { Cluster as Commanded } from '../../src/cli/cluster.ts'
import { explainKey } from '../../src/cli/explain-key.ts'
import { openCluster } from '../../src/cli/run.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { jitter, steadyMs } from '../../src/runtime/system.ts'
import { type Draw, seeded } from '../corpus/seeded.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { startClusterAuthz } from '../support/cluster-authz.ts'
import { apiKeyPath, createApiKey, editSpec, expectOk, SECRETS_PATH } from '../support/granted-keys.ts'
import { type GrpcClient, grpcClient, outcomeOf } from '../support/grpc-check.ts'
import { type RandomKey, type RandomWorld, randomRequest, randomWorld } from '../support/random-world.ts'

const WORLDS = 5
const CASES_EACH = 100
const GROUP = '/apis/keyward.dev/v1alpha1'
const READER = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
  - {apiGroups: [keyward.dev], resources: [apikeys, protectedapis, accessnamespaces], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: reader}]
`

/** explain speaks for the reverse proxy, which can filter; Envoy can't. */
function withoutFilters({ metadata, spec }: KubeObject): object {
  const { routes } = spec as { readonly routes: readonly { readonly narrow?: { readonly filter?: object } }[] }
  const narrow = { upstream: true }
  const served = routes.map((route) => (route.narrow?.filter === undefined ? route : { ...route, narrow }))
  return { metadata: { name: metadata.name }, spec: { ...(spec as object), routes: served } }
}

/** What stands in no manifest: a spec that the API server would refuse. */
const isReadable = ({ spec }: KubeObject): boolean => Array.isArray((spec as { routes?: unknown }).routes)

async function putPolicy(cluster: Cluster, { namespaces, apis }: RandomWorld): Promise<void> {
  const put = (path: string, kind: string, object: object) =>
    expectOk(cluster, 'POST', `${GROUP}/${path}`, { apiVersion: 'keyward.dev/v1alpha1', kind, ...object })
  for (const { metadata, spec } of namespaces) {
    await put('accessnamespaces', 'AccessNamespace', { metadata: { name: metadata.name }, spec })
  }
  for (const api of apis.filter(isReadable)) {
    await put('namespaces/team/protectedapis', 'ProtectedApi', withoutFilters(api))
  }
}

/** As the operator leaves them, with the edits that came since. */
async function putKeys(
  cluster: Cluster,
  draws: (uidOf?: (name: string) => string) => RandomWorld,
): Promise<RandomWorld> {
  const uids = new Map<string, string>()
  for (const { apiKey, granted } of draws().keys) {
    const { name } = apiKey.metadata
    uids.set(name, (await createApiKey(cluster, `team/${name}`, granted)).metadata.uid)
  }
  const world = draws((name) => uids.get(name) ?? '')
  for (const { apiKey, digestSecret } of world.keys) {
    const { name, generation } = apiKey.metadata
    const { uid: _, resourceVersion: __, creationTimestamp: ___, ...metadata } = digestSecret.metadata
    await expectOk(cluster, 'POST', SECRETS_PATH, { ...digestSecret, metadata })
    const path = apiKeyPath(`team/${name}`)
    const { status } = apiKey as { readonly status?: unknown }
    await expectOk(cluster, 'PATCH', `${path}/status`, { status }, 'application/merge-patch+json')
    if (generation === 2) await editSpec(cluster, { path }, apiKey.spec as Readonly<Record<string, unknown>>)
  }
  return world
}

async function clear(cluster: Cluster): Promise<void> {
  for (const path of [`${GROUP}/namespaces/team/apikeys`, SECRETS_PATH, `${GROUP}/namespaces/team/protectedapis`]) {
    await expectOk(cluster, 'DELETE', path)
  }
  await expectOk(cluster, 'DELETE', `${GROUP}/accessnamespaces`)
}

type Asked = { readonly authz: GrpcClient; readonly reader: Commanded; readonly key: RandomKey; readonly draw: Draw }

async function askBoth({ authz, reader, key, draw }: Asked) {
  const { method, host, target, headers, address } = randomRequest(draw)
  const fields = Object.fromEntries(headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : [])))
  const question = { method, host, target, headers, address }
  const credential = { authorization: `Bearer ${key.credential}` }
  const outcome = outcomeOf(
    await authz.check({ method, host, path: target, address, headers: { ...fields, ...credential } }),
  )
  const asked = { ...question, now: Date.now() }
  const named = `team/${key.apiKey.metadata.name}`
  const { answer } = await explainKey(reader, { key: named, namespace: 'team', question: asked, self: 'keyward' })
  return { question, named, answer, answered: outcome === '200' ? 'allow' : outcome.replace(/^\d+ /, '') }
}

test('500 random requests with random keys at random policies: explained as a running authz answers them', async () => {
  const cluster = await startCluster({ admission: 'none' })
  await cluster.apply(`{apiVersion: v1, kind: Namespace, metadata: {name: team}}\n---${READER}`)
  const opening = { kubeconfig: cluster.kubeconfig, as: 'reader', asGroups: [], requestTimeoutMs: 10_000 }
  const nowhere = { context: undefined, server: undefined, tokenFile: undefined, certificateAuthority: undefined }
  const reader = await openCluster({ ...opening, ...nowhere }, { env: {}, steadyMs, jitter })
  const answers = new Map<string, number>()
  for (let i = 0; i < WORLDS; i += 1) {
    const draws = (uidOf?: (name: string) => string) => randomWorld(seeded(60 + i), `w${i}`, uidOf)
    await putPolicy(cluster, draws())
    const world = await putKeys(cluster, draws)
    const running = await startClusterAuthz(cluster)
    const authz = grpcClient(`127.0.0.1:${running.ports.grpc}`)
    const draw = seeded(i)
    for (let n = 0; n < CASES_EACH; n += 1) {
      const { question, named, answer, answered } = await askBoth({ authz, reader, key: draw.pick(world.keys), draw })
      // what the user does not see is not guessed; anything else is the same
      if (answer !== 'undecided') expect([i, n, named, question, answer]).toEqual([i, n, named, question, answered])
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
    await running.stop()
    await clear(cluster)
  }
  // a generator that only ever comes to one answer would agree about nothing
  expect(answers.get('allow')).toBeGreaterThan(25)
  expect(answers.get('undecided') ?? 0).toBeLessThan(50)
  expect(answers.size).toBeGreaterThan(10)
})
