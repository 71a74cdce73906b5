/** A cluster of kind in the place of an API server of our own: emptied for each test file, and nothing of it killed or stopped. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { afterAll } from 'vitest'
import { startAdmission } from './admission.ts'
import { type Answering, type Cluster, heldBack } from './cluster.ts'
import { type Admin, adminOf } from './cluster-admin.ts'
import { kubeParts } from './control-plane.ts'
import { untilAdmitted } from './webhooks-at.ts'

type Kubeconfig = {
  readonly clusters: readonly { cluster: { server: string; 'certificate-authority-data': string } }[]
  readonly users: readonly { user: Readonly<Record<string, string | undefined>> }[]
}

type KindParts = {
  readonly kubeconfig: string
  readonly dir: string
  readonly deploy: boolean
  readonly answering: Answering
}

const BUILT_IN = /^(default|kube-.*|local-path-storage)$/

export async function clusterOfKind({ kubeconfig, dir, deploy, answering }: KindParts): Promise<Cluster> {
  const { clusters, users } = load(readFileSync(kubeconfig, 'utf8')) as Kubeconfig
  const [{ cluster } = none('cluster')] = clusters
  const [{ user } = none('user')] = users
  const [ca, cert, key] = [
    cluster['certificate-authority-data'],
    user['client-certificate-data'],
    user['client-key-data'],
  ].map((data = '') => Buffer.from(data, 'base64').toString()) as [string, string, string]
  const caFile = join(dir, 'ca.crt')
  writeFileSync(caFile, ca)
  const { server } = cluster
  const [kubectl] = kubeParts('kubectl')
  const reached = { server, ca, caFile, kubeconfig, kubectl, adminToken: user.token }
  const { deployKeyward, close, ...admin } = adminOf({ ...reached, ...(cert && { certificate: { cert, key } }) }, dir)
  await emptied(admin)
  if (deploy) await deployKeyward(heldBack(answering))
  const { hostname, port } = new URL(server)
  const podEnv = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }
  const admission = answering === 'here' ? await startAdmission({ ...admin, podEnv }) : undefined
  if (admission !== undefined) await untilAdmitted(admin)
  const { kubectl: run, apply, request, serviceAccount } = admin
  const control = { start: notOurs, kill: notOurs, stop: notOurs, pause: notOurs, resume: notOurs, output: () => '' }
  const stop = async () => {
    await admission?.stop()
    await close()
  }
  afterAll(stop)
  return {
    ...{ server, port: Number(port), caFile, kubeconfig, dir, kubectl: run, apply, request, serviceAccount },
    ...{ apiServer: control, etcd: control, controllers: control, stop, compact: notOurs, snapshot: notOurs },
    ...{
      restore: notOurs,
      etcdDump: notOurs,
      etcdPut: notOurs,
      etcdFiles: notOurs,
      auditLog: notOurs,
      podEnv,
      admission,
    },
  }
}

/** What another test file left: its Kubernetes namespaces, and everything of Keyward. */
async function emptied({ kubectl }: Pick<Admin, 'kubectl'>): Promise<void> {
  const { stdout } = await kubectl(['get', 'namespaces', '-o', 'jsonpath={.items[*].metadata.name}'])
  const left = stdout.split(' ').filter((name) => name !== '' && !BUILT_IN.test(name))
  // they let nobody take our namespaces away
  const policies = ['validatingadmissionpolicybindings', 'validatingadmissionpolicies']
  for (const kind of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations', ...policies])
    await kubectl(['delete', kind, '-l', 'app.kubernetes.io/name=keyward'])
  await kubectl(['delete', 'crd', '--all'])
  if (left.length > 0) await kubectl(['delete', 'namespace', ...left])
}

const none = (what: string): never => {
  throw new Error(`the kubeconfig names no ${what}`)
}

const notOurs = (): never => {
  throw new Error('this API server is not ours to kill, stop or look into: such tests are skipped where ON_KIND')
}
