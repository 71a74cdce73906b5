/** An operator that finds many keys when it starts: how long until all are in force, and how quiet its next start is. */
import { setTimeout as sleep } from 'node:timers/promises'
import { askedBy, auditMark, OPERATOR, writesIn } from './audit.ts'
import type { Cluster } from './cluster.ts'
import { importKeys } from './many-keys.ts'
import { startOperator } from './operator.ts'
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

export async function measureScale(cluster: Cluster, keys: number, withinMs: number): Promise<Scale> {
  await importKeys(cluster, keys)
  const began = performance.now()
  const first = await startOperator(cluster)
  const isDone = async ({ metric }: typeof first) => {
    // each question costs the operator milliseconds
    await sleep(ASK_EVERY_MS)
    return ((await metric(SETTLED)) ?? 0) >= keys && (await metric('keyward_operator_queue_depth')) === 0
  }
  await until('every key is settled', () => isDone(first), withinMs)
  const reconciledS = (performance.now() - began) / 1000
  const rssAtWork = await first.rssMiB()
  await sleep(1000)
  await first.stop()

  const mark = auditMark(cluster)
  const again = performance.now()
  const second = await startOperator(cluster)
  await until('every key was looked at', () => isDone(second), withinMs)
  const quietS = (performance.now() - again) / 1000
  await sleep(STAYS_QUIET_MS)
  const writes = writesIn(askedBy(cluster, OPERATOR, mark)).map(({ verb, uri }) => `${verb} ${uri}`)
  const rssMiB = Math.max(rssAtWork, await second.rssMiB())
  await second.stop()
  return { reconciledS, quietS, writesWhenSettled: writes, rssMiB }
}
