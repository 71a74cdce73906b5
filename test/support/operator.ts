/** `keyward operator` as it runs in a pod: a process of its own on free ports, with a service account's folder. */
import { join } from 'node:path'
import { ask } from './ask.ts'
import type { Cluster } from './cluster.ts'
import { takeSlot } from './port-slot.ts'
import { type Running, startProcess, untilReady } from './process.ts'
import { until } from './until.ts'

export type OperatorOptions = {
  /** Of the Lease; 2 s unless given. */
  readonly leaseMs?: number
  readonly identity?: string
  /** On top of what a pod has: to go through a proxy, say. */
  readonly env?: Readonly<Record<string, string>>
  /** The folder of its service account, where it is not the usual one. */
  readonly serviceAccount?: string
  /** How long its webhooks are still answered once it is to stop; not at all unless given. */
  readonly drainS?: number
  /** Further arguments, last. */
  readonly args?: readonly string[]
  /** false: return as soon as the process runs. */
  readonly ready?: boolean
}

export type Operator = {
  /** `/readyz`, `/livez`, `/metrics`. */
  readonly adminUrl: string
  /** Of its webhooks. */
  readonly webhooksPort: number
  readonly process: Running
  readonly output: () => string
  readonly ready: () => Promise<void>
  /** The value of a metric, its labels as they are written; undefined: it is not there. */
  readonly metric: (series: string) => Promise<number | undefined>
  /** Waits until this one leads. */
  readonly leads: (withinMs?: number) => Promise<void>
  /** SIGTERM, and its exit code. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  readonly rssMiB: () => Promise<number>
}

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const START_WITHIN_MS = 30_000

/** Starts it and waits until what it watches is there. Killed at the end of the test file. */
export async function startOperator(cluster: Cluster, options: OperatorOptions = {}): Promise<Operator> {
  const { leaseMs = 2000, drainS = 0, identity, env = {}, args = [] } = options
  const folder = options.serviceAccount ?? (await cluster.serviceAccount('keyward-operator'))
  const slot = await takeSlot()
  const started = startProcess(
    process.execPath,
    [
      ...[MAIN, 'operator', '--service-account', folder, '--lease-duration', `${leaseMs / 1000}s`],
      ...['--port-offset', String(slot.offset), '--webhook-hosts', '127.0.0.1', '--drain', `${drainS}s`],
      ...(identity === undefined ? [] : ['--identity', identity]),
      ...args,
    ],
    { env: { ...cluster.podEnv, ...env } },
  )
  void started.exited.then(() => slot.free())
  const adminUrl = `http://127.0.0.1:${9090 + slot.offset}`
  const isReady = async () => (await ask(`${adminUrl}/readyz`).catch(() => undefined))?.status === 200
  const ready = () =>
    untilReady('the operator is ready', { process: started, ready: isReady, withinMs: START_WITHIN_MS })
  const metric = async (series: string) => {
    const answer = await ask(`${adminUrl}/metrics`).catch(() => undefined)
    const line = answer?.text.split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }
  if (options.ready !== false) await ready()
  return {
    adminUrl,
    webhooksPort: 9443 + slot.offset,
    process: started,
    output: started.output,
    ready,
    metric,
    leads: async (withinMs = 15_000) => {
      await until('the operator leads', async () => (await metric('keyward_operator_leading')) === 1, withinMs)
    },
    stop: started.stop,
    kill: started.kill,
    rssMiB: async () => ((await metric('process_resident_memory_bytes')) ?? 0) / 2 ** 20,
  }
}
