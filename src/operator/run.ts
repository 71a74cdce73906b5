/** Wiring of the operator: the cluster watched by every replica, the Lease campaigned for, and work for whoever has it. */
import { hostname } from 'node:os'
import { z } from 'zod'
import { Trouble } from '../core/trouble.ts'
import { fenced, type KubeClient, makeClient } from '../kube/client.ts'
import { kubeOptions, openKube } from '../kube/config.ts'
import { makeEvents } from '../kube/events.ts'
import { openKeyCaches } from '../kube/key-caches.ts'
import { makeClusterKeyPort } from '../kube/key-port.ts'
import { campaign } from '../kube/leader.ts'
import { API_KEYS, apiVersionOf } from '../kube/objects.ts'
import { reflect } from '../kube/reflector.ts'
import { loadConfig } from '../runtime/config.ts'
import { health } from '../runtime/health.ts'
import { listen } from '../runtime/listen.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { aborted, complain, explained, type RunParts, refuseCall, STOP_WITHIN_MS } from '../runtime/running.ts'
import { keepYoungSmall } from '../runtime/small-young.ts'
import { jitter, nowMs, random, steadyMs, uuid } from '../runtime/system.ts'
import { OPERATOR, OPERATOR_PORTS } from './config.ts'
import { type Leading, startLeading } from './leading.ts'
import { makeOperatorMetrics, type OperatorMetrics } from './metrics.ts'
import { telling } from './telling.ts'
import { makeTroubles, type Troubles } from './troubles.ts'
import type { KeyRef } from './world.ts'

const COMMAND = 'keyward operator'
const LEASE = 'keyward-operator'

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
    staleMs: () => caches.staleMs(),
  })
  const troubles = makeTroubles({ log, count: metrics.trouble, steadyMs })
  const lease = campaign({
    ...{ client, namespace, name: LEASE, identity, durationMs: config.leaseDuration, steadyMs, nowMs, jitter },
    onTrouble: (error) => troubles.note('the Lease can not be had or kept', error),
  })
  const caches = openKeyCaches({
    ...{ client, namespace, reflect, steadyMs, jitter },
    wake: (ref) => leading?.wake(ref),
    onTrouble: (error) => troubles.note('the API server can not be followed', error),
  })
  const events = makeEvents({ client, nowMs, uuid, component: 'keyward.dev/operator', instance: identity })

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
        ...{ nowMs, steadyMs, random, jitter, ...onward(troubles, metrics) },
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
      await aborted(lost)
    } finally {
      await leading?.stop()
      leading = undefined
      log.info({ identity }, 'not leading any more')
    }
  }

  const missing = (): string | undefined => {
    if (stop.aborted) return 'stopping'
    return caches.synced() ? undefined : 'the cluster is being read'
  }
  const server = await listen(health({ metrics, missing }), {
    host: config.listen,
    port: OPERATOR_PORTS.metrics + config.portOffset,
  })
  try {
    const watching = caches.run(stop)
    await Promise.race([caches.whenSynced().catch(() => aborted(stop)), aborted(stop)])
    if (!stop.aborted) log.info({ identity, namespace }, 'in step with the cluster')
    await lease.run(lead, stop)
    await watching
    log.info('stopping')
    return 0
  } finally {
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
