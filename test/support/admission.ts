/** The webhooks as a replica of the operator answers them, in this process, with the operator's own rights on a cluster. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownSecret, serverSideApply, subjectAccessReview } from '../../src/kube/admission-calls.ts'
import { get, list } from '../../src/kube/calls.ts'
import { makeClient } from '../../src/kube/client.ts'
import { inCluster } from '../../src/kube/in-cluster.ts'
import { ACCESS_NAMESPACES, API_KEYS, type KubeObject, PROTECTED_APIS } from '../../src/kube/objects.ts'
import { type Manifest, parseManifest } from '../../src/resources/manifest.ts'
import { listen } from '../../src/runtime/listen.ts'
import { jitter, nowMs, random, steadyMs } from '../../src/runtime/system.ts'
import { type AdmitParts, admit, stamp } from '../../src/webhook/admit.ts'
import {
  CERTIFICATES_SECRET,
  certificateStore,
  OPERATOR_SECRET_TYPE,
  STAMP_KEY_SECRET,
  sharedStampKeys,
} from '../../src/webhook/certificate-secret.ts'
import { makeReviews } from '../../src/webhook/reviews.ts'
import { admissionListener } from '../../src/webhook/serve.ts'
import { bundlePatch, makeServing } from '../../src/webhook/serving.ts'
import type { Cluster } from './cluster.ts'

const DEPLOY = join(import.meta.dirname, '../../deploy/admission')
const NAMESPACE = 'keyward-system'

const WEBHOOKS = {
  MutatingWebhookConfiguration: ['stamp.keyward.dev'],
  ValidatingWebhookConfiguration: [
    'apikeys.keyward.dev',
    'apikeyclaims.keyward.dev',
    'accessnamespaces.keyward.dev',
    'protectedapis.keyward.dev',
  ],
} as const

const text = (file: string) => readFileSync(join(DEPLOY, file), 'utf8')

/** The webhooks at a port of this machine instead of a Service. */
function webhooksAt(port: number): string {
  const service = /service:\s*\{\s*namespace: keyward-system,\s*name: keyward-webhooks,\s*path: (\/\w+),?\s*\}/g
  return text('webhooks.yaml').replace(service, (_all, path) => `url: "https://127.0.0.1:${port}${path}"`)
}

export type Admission = {
  readonly port: number
  readonly reviews: () => number
  readonly answers: readonly string[]
  readonly latencies: readonly number[]
  readonly troubles: readonly string[]
  readonly stop: () => Promise<void>
}

export type AdmissionOptions = { readonly port?: number; readonly now?: () => number; readonly lookEveryMs?: number }

export async function startAdmission(
  cluster: Cluster,
  { port = 0, now = nowMs, lookEveryMs = 30_000 }: AdmissionOptions = {},
): Promise<Admission> {
  await cluster.apply(text('rbac.yaml'))
  await cluster.apply(text('policies.yaml'))
  const folder = await cluster.serviceAccount('keyward-operator')
  const access = inCluster({ folder, host: '127.0.0.1', port: String(cluster.port), steadyMs })
  const client = makeClient({ access, steadyMs, jitter })
  const secret = (name: string) => ownSecret(client, { namespace: NAMESPACE, name, type: OPERATOR_SECRET_TYPE })
  let asked = 0
  const [answers, troubles, latencies]: [string[], string[], number[]] = [[], [], []]

  // a cluster's reflectors keep these; looked at anew here, half a second at most behind
  const known = { namespaces: [] as Manifest[], apis: [] as Manifest[] }
  const refresh = async () => {
    known.namespaces = (await list(client, ACCESS_NAMESPACES, {})).items.flatMap((object) =>
      read('AccessNamespace', object),
    )
    known.apis = (await list(client, PROTECTED_APIS, {})).items.flatMap((object) => read('ProtectedApi', object))
  }
  await refresh()
  const stop = new AbortController()
  const refreshing = (async () => {
    while (!stop.signal.aborted) {
      await sleep(500)
      await refresh().catch(() => undefined)
    }
  })()

  const keys = await sharedStampKeys(secret(STAMP_KEY_SECRET), random)
  const parts: AdmitParts = {
    reviews: makeReviews({
      review: subjectAccessReview(client),
      steadyMs,
      pause: (ms) => sleep(ms),
      counted: () => asked++,
    }),
    beside: {
      namespaces: () => known.namespaces.filter((one) => one.kind === 'AccessNamespace'),
      apis: () => known.apis.filter((one) => one.kind === 'ProtectedApi'),
    },
    apiKey: async (namespace, name) => {
      const object = await get(client, API_KEYS, { namespace, name })
      return object && read('ApiKey', object).find((one) => one.kind === 'ApiKey')
    },
    stampKeys: () => keys,
    isNamedGroup: undefined,
    grantsAnything: () => false,
    now,
  }
  const serving = await makeServing({
    store: certificateStore(secret(CERTIFICATES_SECRET)),
    names: ['keyward-webhooks.keyward-system.svc', '127.0.0.1'],
    now,
    mayRenew: () => true,
    clientCa: undefined,
    everyMs: lookEveryMs,
    pause: async (ms, signal) => {
      await sleep(ms, undefined, { signal }).catch(() => undefined)
    },
    trouble: (error) => troubles.push(String(error)),
    applyBundle: async (bundle) => {
      for (const kind of Object.keys(WEBHOOKS) as (keyof typeof WEBHOOKS)[]) {
        const path = `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}s/keyward`
        const object = bundlePatch(kind, 'keyward', { webhooks: WEBHOOKS[kind], bundle })
        await serverSideApply(client, { path, object, fieldManager: 'keyward-certificates' })
      }
    },
  })
  const listening = await listen(
    admissionListener({
      endpoints: { '/mutate': (request) => stamp(request, parts), '/validate': (request) => admit(request, parts) },
      deadlineMs: 2500,
      pause: (ms) => sleep(ms, undefined, { ref: false }),
      counted: (_path, answer, ms) => {
        answers.push(answer)
        latencies.push(ms)
      },
      steadyMs,
      trouble: (code) => troubles.push(code),
    }),
    { host: '127.0.0.1', port },
    serving.tls,
  )
  await cluster.apply(webhooksAt(listening.port))
  const running = serving.run(stop.signal)
  const end = async () => {
    stop.abort()
    await Promise.all([listening.stop(500), running, refreshing])
    await client.close()
  }
  return { port: listening.port, reviews: () => asked, answers, latencies, troubles, stop: end }
}

function read(kind: Manifest['kind'], { metadata, spec }: KubeObject): readonly Manifest[] {
  const { name, namespace } = metadata
  const parsed = parseManifest({ apiVersion: 'keyward.dev/v1alpha1', kind, metadata: { name, namespace }, spec })
  return parsed.ok ? [parsed.manifest] : []
}
