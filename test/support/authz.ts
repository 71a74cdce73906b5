/** `keyward authz` as its users start it: a process of its own on free ports, beside the home of a standalone. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { ask } from './ask.ts'
import { takeSlot, unlessPortsAreTaken } from './port-slot.ts'
import { until } from './until.ts'

export type AuthzOptions = {
  /** Holds `manifests/` and `data/`: the home of a standalone, which may start later. */
  readonly home: string
  /** Further arguments, last. */
  readonly args?: readonly string[]
  /** Further variables of the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** false: return as soon as the process runs, for tests of a start that fails or takes its time. */
  readonly ready?: boolean
  /** Runs as this user and group. */
  readonly uid?: number
}

export type Authz = {
  /** The HTTP check; adminUrl: `/readyz`, `/livez`, `/metrics`. */
  readonly checkUrl: string
  readonly adminUrl: string
  /** `127.0.0.1:port` of the gRPC check. */
  readonly grpcAddress: string
  readonly ports: { readonly check: number; readonly grpc: number; readonly metrics: number }
  readonly process: ChildProcess
  /** What the process wrote to stdout and stderr so far. */
  readonly output: () => string
  readonly ready: () => Promise<void>
  /** SIGTERM, and its exit code. */
  readonly stop: () => Promise<number | null>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** Its exit code, once it has ended. */
  readonly exited: Promise<number | null>
}

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const START_WITHIN_MS = 60_000

const running = new Map<ChildProcess, Promise<unknown>>()
const killAll = () => {
  for (const child of running.keys()) child.kill('SIGKILL')
}
afterAll(async () => {
  killAll()
  await Promise.all(running.values())
})
// a test run that is interrupted leaves no processes behind
process.once('exit', killAll)

/** Starts it and waits until it is ready. What still runs when the test file ends is killed. */
export function startAuthz(options: AuthzOptions): Promise<Authz> {
  return unlessPortsAreTaken(() => startOnce(options))
}

async function startOnce({ home, args = [], env = {}, ready = true, uid }: AuthzOptions): Promise<Authz> {
  const slot = await takeSlot()
  const { offset } = slot
  const [manifests, data] = [join(home, 'manifests'), join(home, 'data')]
  const child = spawn(
    process.execPath,
    [MAIN, 'authz', '--manifests', manifests, '--data', data, '--port-offset', String(offset), ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    },
  )
  const written: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => written.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => written.push(chunk))
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child)
      void slot.free().then(() => resolve(code))
    })
  })
  running.set(child, exited)
  const output = () => Buffer.concat(written).toString('utf8')
  const ports = { check: 9000 + offset, grpc: 9001 + offset, metrics: 9090 + offset }
  const adminUrl = `http://127.0.0.1:${ports.metrics}`
  const untilReady = async () => {
    await until(
      'authz is ready',
      async () => {
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(`authz ended (${child.exitCode ?? child.signalCode}) before it was ready:\n${output()}`)
        }
        const answer = await ask(`${adminUrl}/readyz`).catch(() => undefined)
        return answer?.status === 200
      },
      START_WITHIN_MS,
    ).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : error}; it wrote:\n${output()}`)
    })
  }
  const stopWith = (signal: 'SIGTERM' | 'SIGKILL') => {
    child.kill(signal)
    return exited
  }
  if (ready) await untilReady()
  return {
    checkUrl: `http://127.0.0.1:${ports.check}`,
    adminUrl,
    grpcAddress: `127.0.0.1:${ports.grpc}`,
    ports,
    process: child,
    output,
    ready: untilReady,
    stop: () => stopWith('SIGTERM'),
    kill: async () => void (await stopWith('SIGKILL')),
    exited,
  }
}
