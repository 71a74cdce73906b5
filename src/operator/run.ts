/** Wiring of the operator: the cluster watched by every replica, the Lease campaigned for, and work for whoever has it. */
import { hostname } from 'node:os'
import { z } from 'zod'
import { Trouble } from '../core/trouble.ts'
import { askedToWaitMs, isForbidden } from '../kube/api-error.ts'
import { fenced, type KubeClient, makeClient } from '../kube/client.ts'
import { kubeOptions, openKube } from '../kube/config.ts'
import { makeEvents } from '../kube/events.ts'
import { openKeyCaches } from '../kube/key-caches.ts'
import { makeClusterKeyPort } from '../kube/key-port.ts'
import { campaign } from '../kube/leader.ts'
import { API_KEYS, apiVersionOf } from '../kube/objects.ts'
import { openPolicyCaches } from '../kube/policy-caches.ts'
import { makePolicyStatuses } from '../kube/policy-status.ts'
import { makePolicyWrites } from '../kube/policy-writes.ts'
import { reflect } from '../kube/reflector.ts'
import { keepYoungSmall } from '../runtime/collector.ts'
import { loadConfig } from '../runtime/config.ts'
import { health } from '../runtime/health.ts'
import { listen } from '../runtime/listen.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { aborted, complain, explained, type RunParts, refuseCall, STOP_WITHIN_MS } from '../runtime/running.ts'
import { jitter, nowMs, random, steadyMs, uuid } from '../runtime/system.ts'
import { OPERATOR, OPERATOR_PORTS } from './config.ts'
import { makeFollowing } from './following.ts'
import { type Leading, startLeading } from './leading.ts'
import { makeOperatorMetrics, type OperatorMetrics } from './metrics.ts'
import { type Reporting, startReporting } from './reporting.ts'
import { telling } from './telling.ts'
import { makeTroubles, type Troubles } from './troubles.ts'
import type { KeyRef } from './world.ts'

const COMMAND = 'keyward operator'
const LEASE = 'keyward-operator'
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
    const client = makeClient({ access, steadyMs, jitter })
    try {
      return await serve({ ...parts, config, log, client, namespace })
    } finally {
      await client.close()
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
  /** Keyward's own. */
  readonly namespace: string
}

async function serve(parts: Serving): Promise<number> {
  const { config, log, client, namespace, stop, version } = parts
  // never the same after a restart: what one process began is not another's
  const identity = `${config.identity ?? hostname()}_${uuid()}`
  let leading: Leading | undefined
  const metrics: OperatorMetrics = makeOperatorMetrics(version, {
    leading: () => leading !== undefined && lease.isLeading(),
    queueDepth: () => leading?.depth() ?? 0,
    staleMs: () => staleMs(),
  })
  const troubles = makeTroubles({ log, count: metrics.trouble, steadyMs })
  const staleMs = (): number => Math.max(caches.staleMs(), policy.staleMs())
  const following = makeFollowing({ log, tell: troubles.note, staleMs, steadyMs })
  const problem = `the permission to get, create and update leases.coordination.k8s.io in the Kubernetes namespace ${namespace} is missing`
  const lease = campaign({
    ...{ client, namespace, name: LEASE, identity, durationMs: config.leaseDuration, steadyMs, nowMs, jitter },
    onTrouble: (error) =>
      troubles.note('the Lease can not be had or kept', error, isForbidden(error) ? { problem } : {}),
  })
  const caches = openKeyCaches({
    ...{ client, namespace, reflect, steadyMs, jitter },
    wake: (ref) => leading?.wake(ref),
    onTrouble: following.onTrouble,
  })
  let reporting: Reporting | undefined
  const statuses = makePolicyStatuses()
  const policy = openPolicyCaches({
    ...{ client, reflect, steadyMs, jitter, remember: statuses.remember },
    onChange: () => reporting?.changed(),
    onTrouble: following.onTrouble,
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

  const lead = async (lost: AbortSignal): Promise<void> => {
    log.info({ identity }, 'leading')
    try {
      // what the leader before wrote last may not be known here yet
      await Promise.race([caches.relist().catch(() => aborted(lost)), aborted(lost)])
      if (lost.aborted) return
      const port = makeClusterKeyPort({
        client: fenced(client, lease.isLeading),
        namespace,
        caches,
        events,
        nowMs,
        uuid,
      })
      leading = startLeading({
        ...{ nowMs, steadyMs, random, jitter, askedToWaitMs, ...onward(troubles, metrics) },
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
      await Promise.all([leading?.stop(), reporting?.stop()])
      leading = undefined
      reporting = undefined
      log.info({ identity }, 'not leading any more')
    }
  }

  const missing = (): string | undefined => {
    if (stop.aborted) return 'stopping'
    return caches.missing()
  }
  const server = await listen(health({ metrics, missing }), {
    host: config.listen,
    port: OPERATOR_PORTS.metrics + config.portOffset,
  })
  const looking = setInterval(following.look, LOOK_EVERY_MS)
  try {
    const watching = Promise.all([caches.run(stop), policy.run(stop)])
    await Promise.race([caches.whenSynced().catch(() => aborted(stop)), aborted(stop)])
    if (!stop.aborted) log.info({ identity, namespace }, 'in step with the cluster')
    await lease.run(lead, stop)
    await watching
    log.info('stopping')
    return 0
  } finally {
    clearInterval(looking)
    await events.stop()
    await server.stop(STOP_WITHIN_MS)
  }
}

function onward(troubles: Troubles, { reconciled }: OperatorMetrics) {
  return {
    onReconciled: reconciled,
    onTrouble: ({ namespace, name }: KeyRef, error: unknown, retryMs: number | undefined) =>
      troubles.note('a key is not where its manifest wants it', error, { key: `${namespace}/${name}`, retryMs }),
    onClaimsTrouble: (error: unknown) => troubles.note('claims that are past their time can not be removed', error),
  }
}
