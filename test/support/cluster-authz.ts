/** `keyward authz` as it runs in a pod: a process of its own on free ports, with a service account's folder. */
import { join } from 'node:path'
import { ask } from './ask.ts'
import type { Cluster } from './cluster.ts'
import { takeSlot } from './port-slot.ts'
import { type Running, startProcess, untilReady } from './process.ts'
import { until } from './until.ts'

export type ClusterAuthzOptions = {
  /** On top of what a pod has: to go through a proxy, say. */
  readonly env?: Readonly<Record<string, string>>
  /** The folder of its service account, where it is not the usual one. */
  readonly serviceAccount?: string
  /** Further arguments, last. */
  readonly args?: readonly string[]
  /** false: return as soon as the process runs. */
  readonly ready?: boolean
  readonly readyWithinMs?: number
}

export type ClusterAuthz = {
  /** The HTTP check; adminUrl: `/readyz`, `/livez`, `/metrics`. */
  readonly checkUrl: string
  readonly adminUrl: string
  readonly ports: { readonly check: number; readonly grpc: number; readonly metrics: number }
  readonly process: Running
  readonly output: () => string
  readonly ready: () => Promise<void>
  /** The value of a metric, its labels as they are written; undefined: it is not there. */
  readonly metric: (series: string) => Promise<number | undefined>
  /** Asks as Traefik does: 200, or the status of the refusal with its code. */
  readonly outcome: (question: Question) => Promise<string>
  /** Waits until a question has this outcome. */
  readonly comesTo: (question: Question, outcome: string, withinMs?: number) => Promise<void>
  /** SIGTERM, and its exit code. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
}

export type Question = {
  /** `api.test` unless given. */
  readonly host?: string
  readonly method?: string
  readonly path?: string
  readonly key?: string | undefined
}

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const START_WITHIN_MS = 30_000
/** What a change on the API server may take until it is in force: far beyond what it does take. */
const SOON_MS = 2000

/** Starts it and waits until all of the cluster is in force. Killed at the end of the test file. */
export async function startClusterAuthz(cluster: Cluster, options: ClusterAuthzOptions = {}): Promise<ClusterAuthz> {
  const { env = {}, args = [], readyWithinMs = START_WITHIN_MS } = options
  const folder = options.serviceAccount ?? (await cluster.serviceAccount('keyward-authz'))
  const slot = await takeSlot()
  const { offset } = slot
  const started = startProcess(
    process.execPath,
    [MAIN, 'authz', '--service-account', folder, '--port-offset', String(offset), ...args],
    { env: { ...cluster.podEnv, ...env } },
  )
  void started.exited.then(() => slot.free())
  const ports = { check: 9000 + offset, grpc: 9001 + offset, metrics: 9090 + offset }
  const [checkUrl, adminUrl] = [`http://127.0.0.1:${ports.check}`, `http://127.0.0.1:${ports.metrics}`]
  const isReady = async () => (await ask(`${adminUrl}/readyz`).catch(() => undefined))?.status === 200
  const ready = () => untilReady('authz is ready', { process: started, ready: isReady, withinMs: readyWithinMs })
  const outcome = async ({ host = 'api.test', method = 'GET', path = '/things', key }: Question) => {
    const answer = await ask(`${checkUrl}/check/forwarded`, {
      key,
      headers: { 'x-forwarded-method': method, 'x-forwarded-uri': path, 'x-forwarded-host': host },
    })
    return answer.status === 200 ? '200' : `${answer.status} ${answer.json.code}`
  }
  if (options.ready !== false) await ready()
  return {
    ...{ checkUrl, adminUrl, ports, process: started, output: started.output, ready, outcome },
    metric: async (series) => {
      const { text } = await ask(`${adminUrl}/metrics`)
      const line = text.split('\n').find((one) => one.startsWith(`${series} `))
      return line === undefined ? undefined : Number(line.slice(series.length + 1))
    },
    comesTo: async (question, expected, withinMs = SOON_MS) => {
      let last = ''
      await until(
        expected,
        async () => {
          last = await outcome(question)
          return last === expected
        },
        withinMs,
      ).catch((error: unknown) => {
        throw new Error(
          `${error instanceof Error ? error.message : error}; last: ${last}; it wrote:\n${started.output()}`,
        )
      })
    },
    stop: started.stop,
    kill: started.kill,
  }
}
