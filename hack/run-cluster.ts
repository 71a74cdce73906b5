/** Starts a Kubernetes API server of your own with Keyward on it, and an API behind Envoy; says what to try, and leaves nothing behind. */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { upstream as licensingUpstream } from '../examples/licensing/upstream.ts'
import { type Admin, adminOf } from '../test/support/cluster-admin.ts'
import { type ControlPlane, WEBHOOKS, writeControlPlane } from '../test/support/control-plane.ts'
import { withPorts } from '../test/support/shipped-ports.ts'
import { until } from '../test/support/until.ts'
import { untilAdmitted, webhooksAt } from '../test/support/webhooks-at.ts'
import {
  answers,
  begin,
  listening,
  Missing,
  portOffsetOf,
  refuseOldNode,
  refuseTakenPorts,
  type Started,
  startProgram,
  untilStopped,
} from './starting.ts'

const ROOT = join(import.meta.dirname, '..')
const HOST = 'api.licensing.example'
const PATH = '/v1/customers'
/** Between the ports of authz and those of the operator, which has metrics too. */
const OPERATOR_OFFSET = 5
const KEY_WITHIN_MS = 30_000
const LAST_LINES = 5

/** `kubectl get secret` shows the key of this one. */
const KEY = `# A key that a Secret beside its ApiKey holds, for a workload of this Kubernetes namespace.
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: { name: website, namespace: licensing }
spec:
  displayName: Website
  accessNamespace: acme-licensing
  environment: production
  permissions: ["customer:read"]
  delivery: { secretName: website-key }
`

type Ports = ReturnType<typeof portsFor>
type Home = { readonly folder: string; readonly kubeconfig: string; readonly manifest: string; readonly ports: Ports }

const say = (text: string): void => console.log(text)

const portsFor = (offset: number) => ({
  ...{ api: 6471 + offset, etcd: 6472 + offset, peer: 6473 + offset, controllers: 6474 + offset },
  ...{ proxy: 10000 + offset, check: 9000 + offset, grpc: 9001 + offset, authz: 9090 + offset },
  ...{ operator: 9090 + OPERATOR_OFFSET + offset, webhooks: 9443 + OPERATOR_OFFSET + offset },
})

function askedOffset(): number {
  const { values } = parseArgs({ options: { 'port-offset': { type: 'string' } } })
  return portOffsetOf(values['port-offset'] ?? process.env.PORT_OFFSET ?? '', 40_000)
}

const namedPorts = (ports: Ports) => [
  { port: ports.proxy, what: 'the protected API' },
  { port: ports.check, what: 'the HTTP check' },
  { port: ports.grpc, what: 'the gRPC check' },
  { port: ports.authz, what: 'metrics and health of authz' },
  { port: ports.operator, what: 'metrics and health of the operator' },
  { port: ports.webhooks, what: 'the admission webhooks of the operator' },
  { port: ports.api, what: 'the Kubernetes API server' },
  { port: ports.etcd, what: 'etcd' },
  { port: ports.peer, what: 'etcd among themselves' },
  { port: ports.controllers, what: 'kube-controller-manager' },
]

/** Starts, says so, and remembers what is to be stopped. */
function makeStarter(folder: string) {
  const started: (readonly [string, Started])[] = []
  let stopped = false
  return {
    start: (program: {
      name: string
      path: string
      args: readonly string[]
      env?: Record<string, string>
    }): Started => {
      if (stopped) throw new Missing('stopped meanwhile')
      const one = startProgram({ ...program, log: join(folder, `${program.name}.log`) })
      started.push([program.name, one])
      return one
    },
    pidOf: (name: string) => started.find(([one]) => one === name)?.[1].child.pid,
    /** What ends by itself from now on, or has ended, is told; the rest goes on. */
    watch: (tell: (name: string, child: ChildProcess) => void) => {
      for (const [name, { child }] of started) {
        if (child.exitCode !== null || child.signalCode !== null) tell(name, child)
        else child.once('exit', () => (stopped ? undefined : tell(name, child)))
      }
    },
    /** The last one first: nobody is left without what it stands on. */
    stopAll: async () => {
      stopped = true
      for (const [, { stop }] of started.toReversed()) await stop()
    },
  }
}

type Starter = ReturnType<typeof makeStarter>
type Parts = { readonly starter: Starter; readonly plane: ControlPlane; readonly admin: Admin; readonly ports: Ports }

async function startControlPlane({ starter, plane, admin, ports }: Parts): Promise<void> {
  say('Starting etcd, kube-apiserver and kube-controller-manager.')
  const etcd = starter.start({ name: 'etcd', ...plane.etcd })
  const apiServer = starter.start({ name: 'kube-apiserver', ...plane.apiServer })
  await etcd.untilReady(admin.etcdIsUp)
  await apiServer.untilReady(admin.apiServerIsUp)
  const controllers = starter.start({ name: 'kube-controller-manager', ...plane.controllers })
  await Promise.all([controllers.untilReady(admin.controllersAreUp), admin.deployKeyward([WEBHOOKS])])
  await admin.apply(webhooksAt(readFileSync(WEBHOOKS, 'utf8'), { host: '127.0.0.1', port: ports.webhooks }))
}

/** Name to the command that starts it again. */
type Again = ReadonlyMap<string, string>

async function startKeyward({ starter, admin, ports }: Parts, offset: number): Promise<Again> {
  say('Starting the operator and authz, each as its service account.')
  const again = new Map<string, string>()
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(ports.api) }
  const keyward = async (part: 'operator' | 'authz', at: number) => {
    const args = [
      ...[join(ROOT, 'src/main.ts'), part, '--port-offset', String(at)],
      ...['--service-account', await admin.serviceAccount(`keyward-${part}`)],
      ...(part === 'operator' ? ['--webhook-hosts', '127.0.0.1', '--drain', '0s'] : []),
    ]
    const set = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    again.set(part, [...set, ...[process.execPath, ...args].map(quoted)].join(' '))
    return starter.start({ name: part, path: process.execPath, args, env })
  }
  const [operator, authz] = [await keyward('operator', offset + OPERATOR_OFFSET), await keyward('authz', offset)]
  await operator.untilReady(() => answers(`http://127.0.0.1:${ports.operator}/readyz`))
  await authz.untilReady(() => answers(`http://127.0.0.1:${ports.authz}/readyz`))
  return again
}

const quoted = (word: string): string => (/^[\w./:=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

async function startEnvoy({ starter, ports }: Parts, home: Home, upstream: number): Promise<void> {
  say('Starting Envoy, with the configuration that is shipped for it, in front of an API.')
  const shipped = readFileSync(join(ROOT, 'examples/envoy/envoy-grpc.yaml'), 'utf8')
  const file = join(home.folder, 'envoy.yaml')
  writeFileSync(file, withPorts(shipped, { proxy: ports.proxy, check: ports.check, grpc: ports.grpc, upstream }))
  const envoy = starter.start({
    name: 'envoy',
    path: partPath('envoy'),
    args: ['-c', file, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'warning'],
  })
  await envoy.untilReady(async () => (await fetch(`http://127.0.0.1:${ports.proxy}/`)).status > 0)
}

function partPath(name: string): string {
  const { status, stdout, stderr } = spawnSync('bash', [join(ROOT, 'hack/parts.sh'), name], { encoding: 'utf8' })
  if (status !== 0) throw new Missing(`there is no ${name}: ${stderr.trim()}`)
  return stdout.trim()
}

async function applyExample(admin: Admin, home: Home): Promise<void> {
  await admin.request('POST', '/api/v1/namespaces', { metadata: { name: 'licensing' } })
  await untilAdmitted(admin)
  for (const file of ['access-namespaces.yaml', 'api.yaml']) {
    await admin.apply(readFileSync(join(ROOT, 'examples/licensing/manifests', file), 'utf8'))
  }
  writeFileSync(home.manifest, KEY)
  await admin.apply(KEY)
  const secret = '/api/v1/namespaces/licensing/secrets/website-key'
  await until(
    'the operator has delivered the key',
    async () => {
      const { body } = await admin.request('GET', secret)
      return (body as { data?: { key?: string } }).data?.key !== undefined
    },
    KEY_WITHIN_MS,
  )
}

type Running = { readonly kubectl: string; readonly operator: number | undefined; readonly again: Again }

const describe = ({ folder, kubeconfig, manifest, ports }: Home, { kubectl, operator, again }: Running): string => `
Keyward runs on a Kubernetes API server of your own. In another shell:

  export KUBECONFIG=${kubeconfig} PATH=${join(kubectl, '..')}:$PATH
  kubectl get apikeys,protectedapis -A
  kubectl get accessnamespaces
  kubectl explain apikey.spec

The key was handed over into a Secret; Keyward itself keeps its digest only.

  KEY=$(kubectl get secret website-key -n licensing -o jsonpath='{.data.key}' | base64 -d)

Allowed (200): the key may read customers.

  curl -i -H "X-API-Key: $KEY" -H 'Host: ${HOST}' http://127.0.0.1:${ports.proxy}${PATH}

Refused (403): it may not manage licenses.

  curl -i -H "X-API-Key: $KEY" -H 'Host: ${HOST}' http://127.0.0.1:${ports.proxy}/v1/licenses

Suspended: the first line is answered with 401 at once, with Active instead of Suspended with 200 again.

  kubectl patch apikey website -n licensing --type merge -p '{"spec":{"state":"Suspended"}}'

The manifest of the key is ${manifest}: edit it and
kubectl apply -f it. What each part says is in ${folder}/*.log;
metrics are at http://127.0.0.1:${ports.operator}/metrics (operator) and http://127.0.0.1:${ports.authz}/metrics (authz).

Requests are answered without the operator too. Stop it, and start it again in a shell of its own:

  kill ${operator}
  ${again.get('operator')}

Ctrl-C here stops all of it, and removes the manifest and the logs.
`

async function run(): Promise<void> {
  refuseOldNode()
  const offset = askedOffset()
  const ports = portsFor(offset)
  await refuseTakenPorts(namedPorts(ports), `make cluster PORT_OFFSET=${offset + 100}`)
  const folder = mkdtempSync(join(tmpdir(), 'keyward-cluster-'))
  const server = licensingUpstream()
  const starter = makeStarter(folder)
  const stopping = untilStopped([])
  try {
    const plane = await writeControlPlane({ folder, ports, apiServerFlags: [] })
    const home = { folder, kubeconfig: plane.kubeconfig, manifest: join(folder, 'website.yaml'), ports }
    const admin = adminOf(plane, folder)
    const parts = { starter, plane, admin, ports }
    const up = async () => {
      await startControlPlane(parts)
      const again = await startKeyward(parts, offset)
      await Promise.all([applyExample(admin, home), startEnvoy(parts, home, await listening(server))])
      await admin.close()
      return again
    }
    const isUp = up()
    // whoever asks to stop does not wait for it, and what it then can't have is of no interest
    isUp.catch(() => {})
    const again = await Promise.race([isUp, stopping])
    if (again === undefined || typeof again === 'string') return
    say(describe(home, { kubectl: plane.kubectl, operator: starter.pidOf('operator'), again }))
    starter.watch((name, child) => say(endOf(name, child, { folder, again: again.get(name) })))
    await stopping
    say('Stopping.')
  } finally {
    await starter.stopAll()
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

type Ended = { readonly folder: string; readonly again: string | undefined }

function endOf(name: string, { signalCode, exitCode }: ChildProcess, { folder, again }: Ended): string {
  const log = join(folder, `${name}.log`)
  const how = signalCode === null ? `exit code ${exitCode}` : `by ${signalCode}`
  const last = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LAST_LINES)
  const next =
    again === undefined ? 'To have it back, stop all with Ctrl-C and begin anew.' : `Start it again:\n\n  ${again}\n`
  return [`\n${name} ended (${how}); the rest goes on. The end of ${log}:\n`, ...last, `\n${next}`].join('\n')
}

begin(run)
