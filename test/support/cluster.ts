/** A real Kubernetes API server with its own etcd, for one test file: nothing of it outlives the file, and no two share anything. */
import { cpSync, createReadStream, existsSync, readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'
import { type Admission, startAdmission } from './admission.ts'
import { strayed } from './audit.ts'
import { type Admin, adminOf } from './cluster-admin.ts'
import { type Control, control } from './cluster-control.ts'
import { type EtcdView, etcdView } from './cluster-etcd.ts'
import { clusterOfKind } from './cluster-kind.ts'
import { POLICIES, WEBHOOKS, writeControlPlane } from './control-plane.ts'
import { freePort, temporaryFolder } from './process.ts'
import { untilAdmitted } from './webhooks-at.ts'

export type { Answer } from './cluster-admin.ts'
export type { Control } from './cluster-control.ts'

export type Cluster = Pick<Admin, 'kubectl' | 'apply' | 'request' | 'serviceAccount'> & {
  readonly server: string
  readonly port: number
  readonly caFile: string
  /** Of an administrator, as whom all of the above is done unless told otherwise. */
  readonly kubeconfig: string
  readonly dir: string
  readonly podEnv: { readonly KUBERNETES_SERVICE_HOST: string; readonly KUBERNETES_SERVICE_PORT: string }
  readonly apiServer: Control
  readonly etcd: Control
  /** Who answers the webhooks, where that is `here`. */
  readonly admission: Admission | undefined
  /** kube-controller-manager; only there where `controllers` was asked for. */
  readonly controllers: Control | undefined
  /** Cuts etcd's history off now. What the API server's watch cache holds it still serves: restart it for 410 to whatever is older. */
  readonly compact: () => Promise<void>
  /** The state of now as a folder at this path. Requests wait some milliseconds meanwhile. */
  readonly snapshot: (path: string) => Promise<void>
  /** The state of a snapshot, with its lower resourceVersions, behind a restarted API server. */
  readonly restore: (path: string) => Promise<void>
  /** Every key and value as stored now. */
  readonly etcdDump: () => Promise<Buffer>
  /** Stores objects behind the API server's back. */
  readonly etcdPut: EtcdView['put']
  /** The bytes of etcd's files, with what was stored before and since overwritten or deleted. */
  readonly etcdFiles: () => Buffer
  /** A JSON line per request that the API server answered; with bodies for what may hold a secret, but for lists. */
  readonly auditLog: () => string
  readonly stop: () => Promise<void>
}

export type Answering = 'here' | 'elsewhere' | 'none'

/** Of deploy/, what is not simply applied. */
export const heldBack = (admission: Answering): readonly string[] =>
  admission === 'none' ? [WEBHOOKS, POLICIES] : [WEBHOOKS]

export type ClusterOptions = {
  /** kube-controller-manager: without it nothing is garbage-collected and no namespace goes away. Not started unless told. */
  readonly controllers?: boolean
  /** Keyward's crds/ and deploy/ are applied, unless told not to. */
  readonly deploy?: boolean
  /**
   * Who answers the webhooks. here: this process, whatever operators come and go (unless told); elsewhere: they are not yet
   * pointed at anybody, so that no key can be made; none: neither webhooks nor policies are there, and everything can be made.
   */
  readonly admission?: Answering
  readonly apiServerFlags?: readonly string[]
  /** What the test asks for as one of our ServiceAccounts to see it denied: `keyward-operator delete secrets team/db`. */
  readonly denials?: readonly RegExp[]
}

/** The kubeconfig of a cluster of kind that was made for these tests (make e2e-kind). */
const KIND = process.env.TEST_KIND_CONFIG

/** There the processes of the control plane are not ours: tests that kill, stop or look into them are to be skipped. */
export const ON_KIND = KIND !== undefined

// here and not where a cluster is started, since a hook that is set within another hook is never run
const atEnd: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const end of atEnd.splice(0)) await end()
})

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const dir = temporaryFolder()
  const { deploy = true, admission: answering = deploy ? 'here' : 'none' } = options
  if (KIND !== undefined) return clusterOfKind({ kubeconfig: KIND, dir, deploy, answering })
  const [api, etcdPort, peer, controllersPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const ports = { api, etcd: etcdPort, peer, controllers: controllersPort }
  const plane = await writeControlPlane({ folder: dir, ports, apiServerFlags: options.apiServerFlags ?? [] })
  const { deployKeyward, close, ...admin } = adminOf(plane, dir)
  const view = etcdView(plane.etcdUrl, plane.etcdData)

  const etcd = control(plane.etcd, admin.etcdIsUp)
  const apiServer = control(plane.apiServer, admin.apiServerIsUp)
  const controllers = options.controllers === true ? control(plane.controllers, admin.controllersAreUp) : undefined
  let admission: Admission | undefined
  const stop = async () => {
    await admission?.stop()
    await Promise.all([controllers?.kill(), apiServer.kill(), etcd.kill()])
    await close()
  }
  atEnd.push(async () => {
    await stop()
    const asked = await strayed(linesOf(plane.auditFile), options.denials)
    if (asked.length > 0) throw new Error(`our own accounts asked for what they should not:\n${asked.join('\n')}`)
  })
  // the API server waits for etcd by itself
  await Promise.all([etcd.start(), apiServer.start()])
  await Promise.all([deploy ? deployKeyward(heldBack(answering)) : undefined, controllers?.start()])
  const podEnv = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api) }
  if (answering === 'here') {
    admission = await startAdmission({ ...admin, podEnv })
    await untilAdmitted(admin)
  }

  return {
    ...{ server: plane.server, port: api, caFile: plane.caFile, kubeconfig: plane.kubeconfig, dir },
    ...{ kubectl: admin.kubectl, apply: admin.apply, request: admin.request, serviceAccount: admin.serviceAccount },
    ...{
      apiServer,
      etcd,
      controllers,
      stop,
      compact: view.compact,
      etcdDump: view.dump,
      etcdPut: view.put,
      etcdFiles: view.files,
    },
    ...{ podEnv, admission },
    snapshot: async (path) => {
      // as after a crash just now, which etcd starts from
      etcd.pause()
      cpSync(plane.etcdData, path, { recursive: true })
      etcd.resume()
    },
    restore: async (path) => {
      await Promise.all([apiServer.kill(), etcd.kill()])
      rmSync(plane.etcdData, { recursive: true })
      cpSync(path, plane.etcdData, { recursive: true })
      await Promise.all([etcd.start(), apiServer.start()])
    },
    auditLog: () => readFileSync(plane.auditFile, 'utf8'),
  }
}

/** A log may be larger than a string can be. */
const linesOf = (file: string): AsyncIterable<string> | readonly string[] =>
  existsSync(file) ? createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY }) : []
