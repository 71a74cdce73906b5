/** An operator that finds many keys when it starts: how long until all are in force, and how quiet its next start is. */
import { setTimeout as sleep } from 'node:timers/promises'
import { askedBy, auditMark, OPERATOR, writesIn } from './audit.ts'
import type { Cluster } from './cluster.ts'
import { type Operator, startOperator } from './operator.ts'
import { until } from './until.ts'

export type Scale = {
  /** From the start of the process to the last key being settled. */
  readonly reconciledS: number
  /** Of the next start: to having looked at every key. */
  readonly quietS: number
  readonly writesWhenSettled: readonly string[]
  readonly rssMiB: number
}

const SETTLED = 'keyward_operator_reconciles_total{outcome="settled"}'
/** What writes nothing for this long writes nothing. */
const STAYS_QUIET_MS = 3000
const ASK_EVERY_MS = 200

/** Every key was looked at since it started, and nothing waits. */
export function untilSettled({ metric }: Operator, keys: number, withinMs: number): Promise<boolean> {
  const isDone = async () => {
    // each question costs the operator milliseconds
    await sleep(ASK_EVERY_MS)
    return ((await metric(SETTLED)) ?? 0) >= keys && (await metric('keyward_operator_queue_depth')) === 0
  }
  return until('every key is settled', isDone, withinMs)
}

/** Looks are counted, and one key may take several: where something failed it is tried again after a while. */
async function areActive(cluster: Pick<Cluster, 'request'>, keys: number): Promise<boolean> {
  const { body } = await cluster.request('GET', '/apis/keyward.dev/v1alpha1/apikeys')
  const { items } = body as { readonly items: readonly { readonly status?: { readonly phase?: string } }[] }
  if (items.filter(({ status }) => status?.phase === 'Active').length >= keys) return true
  await sleep(1000)
  return false
}

/** @param keys how many are there already */
export async function measureScale(cluster: Cluster, keys: number, withinMs: number): Promise<Scale> {
  const began = performance.now()
  const first = await startOperator(cluster)
  await untilSettled(first, keys, withinMs)
  await until('every key is in force', () => areActive(cluster, keys), withinMs)
  const reconciledS = (performance.now() - began) / 1000
  const rssAtWork = await first.rssMiB()
  await sleep(1000)
  await first.stop()

  const mark = auditMark(cluster)
  const again = performance.now()
  const second = await startOperator(cluster)
  await untilSettled(second, keys, withinMs)
  const quietS = (performance.now() - again) / 1000
  await sleep(STAYS_QUIET_MS)
  const writes = writesIn(askedBy(cluster, OPERATOR, mark)).map(({ verb, uri }) => `${verb} ${uri}`)
  const rssMiB = Math.max(rssAtWork, await second.rssMiB())
  await second.stop()
  return { reconciledS, quietS, writesWhenSettled: writes, rssMiB }
}
