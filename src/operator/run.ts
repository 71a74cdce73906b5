/** Wiring of the operator: the cluster watched by every replica, the Lease campaigned for, and work for whoever has it. */
import { hostname } from 'node:os'
import { z } from 'zod'
import type { KeyRef } from '../core/key-ref.ts'
import { Trouble } from '../core/trouble.ts'
import { subjectAccessReview } from '../kube/admission-calls.ts'
import { askedToWaitMs, isForbidden } from '../kube/api-error.ts'
import { fenced, type KubeClient, makeClient } from '../kube/client.ts'
import { kubeOptions, openKube } from '../kube/config.ts'
import { makeEvents } from '../kube/events.ts'
import { openKeyCaches } from '../kube/key-caches.ts'
import { makeClusterKeyPort } from '../kube/key-port.ts'
import { campaign } from '../kube/leader.ts'
import { API_KEYS, apiVersionOf } from '../kube/objects.ts'
import { makePolicyBeside } from '../kube/policy-beside.ts'
import { openPolicyCaches, type PolicyCaches } from '../kube/policy-caches.ts'
import { makePolicyStatuses } from '../kube/policy-status.ts'
import { makePolicyWrites } from '../kube/policy-writes.ts'
import { openRbacCaches, type RbacCaches } from '../kube/rbac-caches.ts'
import { makeReachWithin } from '../kube/reach-within.ts'
import { reflect } from '../kube/reflector.ts'
import { keepYoungSmall, wholeCollector } from '../runtime/collector.ts'
import { loadConfig } from '../runtime/config.ts'
import { health } from '../runtime/health.ts'
import { listen } from '../runtime/listen.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { pause } from '../runtime/pause.ts'
import { aborted, complain, explained, type RunParts, refuseCall, STOP_WITHIN_MS } from '../runtime/running.ts'
import { jitter, nowMs, random, steadyMs, uuid } from '../runtime/system.ts'
import { makeReviews } from '../webhook/reviews.ts'
import { type Admission, openAdmission } from './admission.ts'
import { type Capping, makeCapping } from './capping.ts'
import { OPERATOR, OPERATOR_PORTS } from './config.ts'
import { makeFollowing } from './following.ts'
import { makeHousekeeping } from './housekeeping.ts'
import { type Leading, startLeading } from './leading.ts'
import { makeOperatorMetrics, type OperatorMetrics } from './metrics.ts'
import { type Reporting, startReporting } from './reporting.ts'
import { telling } from './telling.ts'
import { makeTroubles, type Troubles } from './troubles.ts'

const COMMAND = 'keyward operator'
const LEASE = 'keyward-operator'
const WEBHOOKS_SERVICE = 'keyward-webhooks'
/** How soon it is told that trouble is over. */
const LOOK_EVERY_MS = 1000

export const OperatorConfig = z.object({ ...OPERATOR, ...kubeOptions })
type OperatorConfig = z.output<typeof OperatorConfig>

/** Runs until it is asked to stop. Resolves to the exit code: 0, 1 where it could not run, 2 where it was called wrongly. */
export async function runOperator(parts: RunParts): Promise<number> {
  const loaded = loadConfig(OperatorConfig, parts)
  if (!loaded.ok) return refuseCall(COMMAND, loaded.problems, parts)
  const { config } = loaded
  const log = makeLog(config.logLevel, { write: parts.err })
  keepYoungSmall()
  try {
    const opened = await openKube(config, { env: parts.env, steadyMs })
    if (!opened.ok) return refuseCall(COMMAND, opened.problems, parts)
    const { access, namespace } = opened.kube
    const connect = (): KubeClient => makeClient({ access, steadyMs, jitter })
    const clients = { client: connect(), urgent: connect(), leasing: connect() }
    try {
      return await serve({ ...parts, ...clients, config, log, namespace })
    } finally {
      await Promise.all(Object.values(clients).map((client) => client.close()))
    }
  } catch (error) {
    if (error instanceof Trouble) return complain(COMMAND, explained(error), parts)
    throw error
  }
}

type Serving = RunParts & {
  readonly config: OperatorConfig
  readonly log: Log
  readonly client: KubeClient
  /** With connections of its own, as somebody waits for admission. */
  readonly urgent: KubeClient
  /** The same for the Lease: neither admission nor what it allows, however much of it, may cost it. */
  readonly leasing: KubeClient
  /** Keyward's own. */
  readonly namespace: string
}

async function serve(parts: Serving): Promise<number> {
  const { config, log, client, urgent, leasing, namespace, version } = parts
  const failing = new AbortController()
  const stop = AbortSignal.any([parts.stop, failing.signal])
  // never the same after a restart: what one process began is not another's
  const identity = `${config.identity ?? hostname()}_${uuid()}`
  let leading: Leading | undefined
  const metrics: OperatorMetrics = makeOperatorMetrics(version, {
    leading: () => leading !== undefined && lease.isLeading(),
    queueDepth: () => leading?.depth() ?? 0,
    staleMs: () => staleMs(),
    certificateExpiresAt: () => admission.expiresAt(),
  })
  const collect = wholeCollector()
  const tidy = makeHousekeeping({ collect, depth: () => leading?.depth() ?? 0 })
  const troubles = makeTroubles({ log, count: metrics.trouble, steadyMs })
  const staleMs = (): number => Math.max(caches.staleMs(), policy.staleMs(), rbac.staleMs())
  const following = makeFollowing({ log, tell: troubles.note, staleMs, steadyMs })
  const problem = `the permission to get, create and update leases.coordination.k8s.io in the Kubernetes namespace ${namespace} is missing`
  const lease = campaign({
    ...{ client: leasing, namespace, name: LEASE, identity, durationMs: config.leaseDuration, steadyMs, nowMs, jitter },
    onTrouble: (error) =>
      troubles.note('the Lease can not be had or kept', error, isForbidden(error) ? { problem } : {}),
  })
  const caches = openKeyCaches({
    ...{ client, namespace, reflect, steadyMs, jitter },
    wake: (ref) => leading?.wake(ref),
    onTrouble: following.onTrouble,
  })
  let reporting: Reporting | undefined
  let capping: Capping | undefined
  const reach = makeReachWithin()
  const statuses = makePolicyStatuses()
  const beside = makePolicyBeside({ client: urgent, policy: () => policy.all() })
  const policy: PolicyCaches = openPolicyCaches({
    ...{ client, reflect, steadyMs, jitter },
    remember: (kind, key, now) => {
      statuses.remember(kind, key, now)
      beside.remember(kind, key, now)
      reach.remember(kind, key, now)
    },
    onChange: () => {
      reporting?.changed()
      capping?.changed()
    },
    onTrouble: following.onTrouble,
  })
  const rbac: RbacCaches = openRbacCaches({
    ...{ client, reflect, steadyMs, jitter },
    onChange: () => capping?.changed(),
    onTrouble: following.onTrouble,
  })
  const reviews = makeReviews({
    review: subjectAccessReview(urgent),
    steadyMs,
    pause: (ms) => pause(ms, stop),
    counted: metrics.reviewed,
  })
  const admission: Admission = openAdmission({
    ...{ client: urgent, reviews, beside, log, nowMs, steadyMs, random },
    at: { host: config.listen, port: OPERATOR_PORTS.webhooks + config.portOffset },
    ...{ namespace, operatorNamespace: config.operatorNamespace },
    names: [`${WEBHOOKS_SERVICE}.${namespace}.svc`, ...(config.webhookHosts ?? [])],
    certificateFolder: config.webhookCertificate,
    clientCa: config.webhookClientCa,
    drainMs: config.drain,
    isLeading: lease.isLeading,
    isNamedGroup: rbac.isNamedGroup,
    grantsAnything: rbac.grantsAnything,
    counted: metrics.admitted,
    note: troubles.note,
    // what nobody was proven to have made may be proven now, and the other way round
    onKeys: () => {
      for (const ref of caches.all()) leading?.wake(ref)
    },
  })
  const events = makeEvents({ client, nowMs, uuid, component: 'keyward.dev/operator', instance: identity })

  /** Keys do not wait for policy: they go on where it can't be read. */
  const report = async (lost: AbortSignal): Promise<void> => {
    await Promise.race([policy.relist().catch(() => aborted(lost)), aborted(lost)])
    if (lost.aborted) return
    const write = makePolicyWrites({ client: fenced(client, lease.isLeading), caches: policy, events })
    const due = () => new Map(statuses.due(policy.all(), nowMs()).map((one) => [`${one.kind} ${one.key}`, one]))
    reporting = startReporting({
      ...{ due, write, steadyMs, jitter, askedToWaitMs },
      onTrouble: (object, error, retryMs) => troubles.note('a status can not be written', error, { object, retryMs }),
    })
    await aborted(lost)
  }

  /** Before that nobody could be told from somebody who is gone, nor what some route reaches from what none does. */
  const knowsPeople = async (): Promise<void> => {
    await Promise.all([rbac.whenSynced(), policy.whenSynced()]).catch(() => aborted(stop))
  }

  const lead = async (lost: AbortSignal): Promise<void> => {
    log.info({ identity }, 'leading')
    let limiting: Promise<void> | undefined
    try {
      // what the leader before wrote last may not be known here yet
      await Promise.race([caches.relist().catch(() => aborted(lost)), aborted(lost)])
      // certificates are renewed, and callers told of them, by whoever leads
      void admission.look()
      await Promise.race([Promise.all([admission.whenKeys(), knowsPeople()]), aborted(lost)])
      if (lost.aborted) return
      capping = makeCapping({
        ...{ reviews, rbac, reach, steadyMs, nowMs, pause, stampKeys: admission.stampKeys },
        wake: (ref) => leading?.wake(ref),
        maxAttestationAgeMs: config.maxAttestationAge,
        onTrouble: (error) => troubles.note('what somebody may grant can not be asked', error),
      })
      const port = makeClusterKeyPort({
        ...{ client: fenced(client, lease.isLeading), namespace, caches, events, nowMs, uuid },
        people: capping.people,
      })
      limiting = capping.run(lost)
      leading = startLeading({
        ...{ nowMs, steadyMs, random, jitter, askedToWaitMs, ...onward({ troubles, metrics, tidy }) },
        port: telling(port, {
          note: ({ apiKey, ...happening }) => {
            events.note({
              regarding: { apiVersion: apiVersionOf(API_KEYS), kind: API_KEYS.kind, ...apiKey },
              ...happening,
            })
          },
          onHandedOver: metrics.handedOver,
          onDenied: metrics.denied,
        }),
        all: caches.all,
        strays: caches.strays,
        sweepClaims: port.sweepClaims,
      })
      await report(lost)
    } finally {
      await Promise.all([leading?.stop(), reporting?.stop(), limiting])
      leading = undefined
      capping = undefined
      reporting = undefined
      log.info({ identity }, 'not leading any more')
    }
  }

  const missing = (): string | undefined => {
    if (stop.aborted) return 'stopping'
    return caches.missing() ?? policy.missing() ?? rbac.missing() ?? admission.missing()
  }
  const server = await listen(health({ metrics, missing }), {
    host: config.listen,
    port: OPERATOR_PORTS.metrics + config.portOffset,
  })
  const looking = setInterval(following.look, LOOK_EVERY_MS)
  try {
    const watching = Promise.all([caches.run(stop), policy.run(stop), rbac.run(stop)])
    // what it can't listen on is for whoever starts it to mend: nothing else goes on without it
    const answering = admission.run(stop).catch((error: unknown) => {
      failing.abort()
      throw error
    })
    answering.catch(() => {})
    await Promise.race([caches.whenSynced().catch(() => aborted(stop)), aborted(stop)])
    // what the lists left behind, before anything is done
    collect(true)
    if (!stop.aborted) log.info({ identity, namespace }, 'in step with the cluster')
    await lease.run(lead, stop)
    await watching
    log.info('stopping')
    await answering
    return 0
  } finally {
    clearInterval(looking)
    await events.stop()
    await server.stop(STOP_WITHIN_MS)
  }
}

type Told = { readonly troubles: Troubles; readonly metrics: OperatorMetrics; readonly tidy: () => void }

function onward({ troubles, metrics, tidy }: Told) {
  return {
    onReconciled: (...told: Parameters<OperatorMetrics['reconciled']>) => {
      metrics.reconciled(...told)
      tidy()
    },
    onTrouble: ({ namespace, name }: KeyRef, error: unknown, retryMs: number | undefined) =>
      troubles.note('a key is not where its manifest wants it', error, { key: `${namespace}/${name}`, retryMs }),
    onClaimsTrouble: (error: unknown) => troubles.note('claims that are past their time can not be removed', error),
  }
}
