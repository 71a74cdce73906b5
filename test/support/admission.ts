/** The webhooks as a replica of the operator answers them, in this process, with the operator's own rights on a cluster. */
import { readFileSync } from 'node:fs'
import { subjectAccessReview } from '../../src/kube/admission-calls.ts'
import { makeClient } from '../../src/kube/client.ts'
import { inCluster } from '../../src/kube/in-cluster.ts'
import { makePolicyBeside } from '../../src/kube/policy-beside.ts'
import { openPolicyCaches, type PolicyCaches } from '../../src/kube/policy-caches.ts'
import { openRbacCaches } from '../../src/kube/rbac-caches.ts'
import { reflect } from '../../src/kube/reflector.ts'
import { openAdmission } from '../../src/operator/admission.ts'
import { makeLog } from '../../src/runtime/log.ts'
import { pause } from '../../src/runtime/pause.ts'
import { jitter, nowMs, random, steadyMs } from '../../src/runtime/system.ts'
import { makeReviews } from '../../src/webhook/reviews.ts'
import type { Admin } from './cluster-admin.ts'
import { WEBHOOKS } from './control-plane.ts'
import { until } from './until.ts'
import { webhooksAt } from './webhooks-at.ts'

/** As which the API server calls webhooks of a test, besides their Service: where ours runs elsewhere, it says where. */
const WEBHOOK_HOST = process.env.TEST_KIND_HOST ?? '127.0.0.1'

type Answered = Pick<Admin, 'apply' | 'request' | 'serviceAccount'> & {
  readonly podEnv: { readonly KUBERNETES_SERVICE_HOST: string; readonly KUBERNETES_SERVICE_PORT: string }
}

export type Admission = {
  readonly port: number
  /** How many questions were asked of the API server. */
  readonly reviews: () => number
  /** `allowed`, `refused`, … */
  readonly answers: readonly string[]
  readonly latencies: readonly number[]
  readonly troubles: readonly string[]
  readonly stop: () => Promise<void>
}

export type AdmissionOptions = { readonly port?: number; readonly now?: () => number; readonly lookEveryMs?: number }

/** Starts it, and points the webhooks at it. */
export async function startAdmission(cluster: Answered, options: AdmissionOptions = {}): Promise<Admission> {
  const { port = 0, now = nowMs, lookEveryMs = 10_000 } = options
  const folder = await cluster.serviceAccount('keyward-operator')
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: apiPort } = cluster.podEnv
  const client = makeClient({ access: inCluster({ folder, host, port: apiPort, steadyMs }), steadyMs, jitter })
  const [answers, troubles, latencies]: [string[], string[], number[]] = [[], [], []]
  let asked = 0
  const beside = makePolicyBeside({ client, policy: () => policy.all() })
  const policy: PolicyCaches = openPolicyCaches({
    ...{ client, reflect, steadyMs, jitter, remember: beside.remember },
    onChange: () => {},
    onTrouble: () => {},
  })
  const rbac = openRbacCaches({ ...{ client, reflect, steadyMs, jitter }, onChange: () => {}, onTrouble: () => {} })
  const stop = new AbortController()
  const admission = openAdmission({
    ...{ client, beside, steadyMs, random, nowMs: now, everyMs: lookEveryMs, drainMs: 0, endMs: 200 },
    reviews: makeReviews({
      ...{ review: subjectAccessReview(client), steadyMs, counted: () => asked++ },
      pause: (ms) => pause(ms, stop.signal),
    }),
    at: { host: WEBHOOK_HOST === '127.0.0.1' ? WEBHOOK_HOST : '0.0.0.0', port },
    ...{ namespace: 'keyward-system', operatorNamespace: 'keyward-operator' },
    names: ['keyward-webhooks.keyward-system.svc', WEBHOOK_HOST],
    certificateFolder: undefined,
    isLeading: () => true,
    isNamedGroup: rbac.isNamedGroup,
    grantsAnything: rbac.grantsAnything,
    counted: (_webhook, answer, ms) => {
      answers.push(answer)
      latencies.push(ms)
    },
    note: (_about, error) => troubles.push(String(error)),
    log: makeLog('error', { write: () => {} }),
  })
  const running = Promise.all([policy.run(stop.signal), rbac.run(stop.signal), admission.run(stop.signal)])
  const end = async () => {
    stop.abort()
    await running
    await client.close()
  }
  const listening = await until('the webhooks are answered', admission.port, 30_000)
  // as a replica does that is ready
  await rbac.whenSynced()
  await cluster.apply(webhooksAt(readFileSync(WEBHOOKS, 'utf8'), { host: WEBHOOK_HOST, port: listening }))
  await admission.look()
  return { port: listening, reviews: () => asked, answers, latencies, troubles, stop: end }
}
