/** The files and command lines of a Kubernetes control plane on 127.0.0.1. Starts nothing and knows no test runner. */
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeIssuer } from './issuer.ts'

export type Command = { readonly path: string; readonly args: readonly string[] }

export type ControlPlane = {
  readonly server: string
  readonly etcdUrl: string
  readonly etcdData: string
  readonly caFile: string
  readonly ca: string
  /** Of an administrator. */
  readonly kubeconfig: string
  readonly adminToken: string
  readonly auditFile: string
  readonly etcd: Command
  readonly apiServer: Command
  readonly controllers: Command
  readonly kubectl: string
}

export type Ports = { readonly api: number; readonly etcd: number; readonly peer: number; readonly controllers: number }

export type KubePart = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kubectl' | 'helm'

const ROOT = join(import.meta.dirname, '../..')
const NAMES = ['localhost', '127.0.0.1', '10.96.0.1', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local']

/** Bodies of what may hold a secret, so that a test can look for one in what went over the wire. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: RequestResponse
    verbs: [create, update, patch, delete, get]
    resources:
      - group: keyward.dev
      - { group: "", resources: [secrets, configmaps, events] }
      - group: events.k8s.io
      - group: coordination.k8s.io
  - level: Metadata
`

/** The paths of executables. Waits where they have to be built first (hack/kube.sh), which hack/test.sh does before the tests. */
export function kubeParts<const Names extends readonly KubePart[]>(...names: Names): { [I in keyof Names]: string } {
  const { status, stdout, stderr } = spawnSync('bash', [join(ROOT, 'hack/kube.sh'), ...names], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`there is no Kubernetes to test on: ${stderr.trim()}`)
  return stdout.trim().split('\n') as { [I in keyof Names]: string }
}

/** Called by Service where Keyward runs in the cluster, by URL where it runs beside it. */
export const WEBHOOKS = join(ROOT, 'deploy/webhooks.yaml')
/** Without the webhooks they let no key be made. */
export const POLICIES = join(ROOT, 'deploy/policies.yaml')

/** The manifests of Keyward itself: its definitions and what it runs on. */
export const keywardManifests = (): readonly string[] =>
  ['crds', 'deploy'].flatMap((name) => {
    const folder = join(ROOT, name)
    if (!existsSync(folder)) return []
    const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))
    return files.sort().map((file) => join(folder, file))
  })

type ControlPlaneParts = { readonly folder: string; readonly ports: Ports; readonly apiServerFlags: readonly string[] }

/** Writes its files into `folder`, which is to be empty. */
export async function writeControlPlane({ folder, ports, apiServerFlags }: ControlPlaneParts): Promise<ControlPlane> {
  const [etcd, apiServer, controllers, kubectl] = kubeParts(
    ...(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kubectl'] as const),
  )
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const { ca, issue } = await makeIssuer('Keyward test cluster')
  const { cert, key } = await issue(NAMES)
  const [adminToken, controllersToken] = [randomBytes(24).toString('hex'), randomBytes(24).toString('hex')]
  const server = `https://127.0.0.1:${ports.api}`
  const etcdUrl = `http://127.0.0.1:${ports.etcd}`
  const peerUrl = `http://127.0.0.1:${ports.peer}`
  const [etcdData, auditFile] = [join(folder, 'etcd'), join(folder, 'audit.log')]
  const caFile = write('ca.crt', ca)
  const kubeconfig = write('admin.kubeconfig', kubeconfigOf({ server, ca, token: adminToken }))
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const serviceAccounts = write('service-accounts.key', privateKey.export({ type: 'sec1', format: 'pem' }).toString())
  // 0o700, or etcd warns of it
  mkdirSync(etcdData, { mode: 0o700 })
  return {
    ...{ server, etcdUrl, etcdData, caFile, ca, kubeconfig, adminToken, auditFile, kubectl },
    etcd: {
      path: etcd,
      args: [
        ...['--name=keyward', `--data-dir=${etcdData}`, '--unsafe-no-fsync', '--log-level=warn'],
        ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
        ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
        `--initial-cluster=keyward=${peerUrl}`,
      ],
    },
    apiServer: {
      path: apiServer,
      args: [
        ...[`--etcd-servers=${etcdUrl}`, '--bind-address=127.0.0.1', `--secure-port=${ports.api}`],
        ...['--endpoint-reconciler-type=none', '--service-cluster-ip-range=10.96.0.0/16', '--authorization-mode=RBAC'],
        `--token-auth-file=${write(
          'tokens.csv',
          `${adminToken},admin,admin,"system:masters"\n${controllersToken},system:kube-controller-manager,controllers\n`,
        )}`,
        ...[`--tls-cert-file=${write('tls.crt', cert)}`, `--tls-private-key-file=${write('tls.key', key)}`],
        '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
        ...[`--service-account-key-file=${serviceAccounts}`, `--service-account-signing-key-file=${serviceAccounts}`],
        ...[`--audit-policy-file=${write('audit.yaml', AUDIT_POLICY)}`, `--audit-log-path=${auditFile}`],
        ...['--audit-log-maxsize=0', ...apiServerFlags],
      ],
    },
    controllers: {
      path: controllers,
      args: [
        `--kubeconfig=${write('controllers.kubeconfig', kubeconfigOf({ server, ca, token: controllersToken }))}`,
        ...['--bind-address=127.0.0.1', `--secure-port=${ports.controllers}`, '--leader-elect=false'],
        ...['--use-service-account-credentials=true', `--service-account-private-key-file=${serviceAccounts}`],
        `--root-ca-file=${caFile}`,
      ],
    },
  }
}

type KubeconfigParts = { readonly server: string; readonly ca: string; readonly token: string }

/** JSON is YAML. */
function kubeconfigOf({ server, ca, token }: KubeconfigParts): string {
  const data = Buffer.from(ca).toString('base64')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'keyward', cluster: { server, 'certificate-authority-data': data } }],
    users: [{ name: 'keyward', user: { token } }],
    contexts: [{ name: 'keyward', context: { cluster: 'keyward', user: 'keyward' } }],
    'current-context': 'keyward',
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}
