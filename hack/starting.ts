/** What the commands that start something for a developer share: words for what is missing, ports, processes that leave nothing behind. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'

/** What could not be had, in words for whoever typed the command. */
export class Missing extends Error {}

export type Port = { readonly port: number; readonly what: string }

export type Program = {
  /** What it is called when something is wrong with it. */
  readonly name: string
  readonly path: string
  readonly args: readonly string[]
  /** Where its output goes. */
  readonly log: string
  readonly env?: Readonly<Record<string, string>>
}

export type Started = {
  readonly child: ChildProcess
  /** Resolves when it answers; throws Missing, with what it wrote, where it does not or ended. */
  readonly untilReady: (isReady: () => Promise<boolean>) => Promise<void>
  /** SIGTERM, and SIGKILL where that does not help. */
  readonly stop: () => Promise<void>
}

const READY_WITHIN_S = 60
const STOP_WITHIN_MS = 10_000
/** Ends a process with ours, even where ours is killed. Part of every Debian (util-linux). */
const WITH_US = ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] as const

export function refuseOldNode(): void {
  const [major = 0, minor = 0, patch = 0] = process.versions.node.split('.').map(Number)
  if (major > 24 || (major === 24 && (minor > 14 || (minor === 14 && patch >= 1)))) return
  throw new Missing(`Node 24.14.1 or newer is needed, and this is ${process.versions.node}; make brings its own`)
}

/** @param text of a command line or a variable */
export function portOffsetOf(text: string, most: number): number {
  const offset = Number(text)
  if (Number.isInteger(offset) && offset >= 0 && offset <= most) return offset
  throw new Missing(`the port offset is ${text}, and must be a whole number from 0 to ${most}`)
}

/** @param instead what to type for other ports */
export async function refuseTakenPorts(ports: readonly Port[], instead: string): Promise<void> {
  const problems: string[] = []
  for (const { port, what } of ports) {
    const problem = await problemOf(port)
    if (problem !== undefined) problems.push(`port ${port} of 127.0.0.1, for ${what}: ${problem}`)
  }
  if (problems.length === 0) return
  problems.push(`end what listens there, or move all ports up: ${instead}`)
  throw new Missing(problems.join('\n  '))
}

function problemOf(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code === 'EADDRINUSE' ? 'another process listens on it' : `can't be had (${code})`)
    })
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)))
  })
}

/** Its port. */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

export function startProgram({ name, path, args, log, env = {} }: Program): Started {
  const output = openSync(log, 'a')
  const [command = path, ...all] = existsSync(WITH_US[0]) ? [...WITH_US, path, ...args] : [path, ...args]
  // a group of its own: Ctrl-C reaches us alone, and what we started gets one orderly request to stop
  const child = spawn(command, all, {
    stdio: ['ignore', output, output],
    detached: true,
    env: { ...process.env, ...env },
  })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  const wrote = () => `it wrote:\n${readFileSync(log, 'utf8').split('\n').slice(-20).join('\n')}`
  return {
    child,
    untilReady: async (isReady) => {
      const end = performance.now() + READY_WITHIN_S * 1000
      while (performance.now() < end) {
        if (hasEnded()) throw new Missing(`${name} ended by itself (exit code ${child.exitCode}); ${wrote()}`)
        if (await isReady().catch(() => false)) return
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Missing(`${name} is not ready after ${READY_WITHIN_S} s; ${wrote()}`)
    },
    stop: async () => {
      if (hasEnded()) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      const late = setTimeout(kill, STOP_WITHIN_MS)
      await ended
      clearTimeout(late)
    },
  }
}

export const answers = async (url: string): Promise<boolean> => (await fetch(url)).status === 200

/** Resolves at the first SIGINT or SIGTERM with nothing, or with the name of what ended by itself. */
export const untilStopped = (programs: readonly (readonly [string, ChildProcess])[]): Promise<string | undefined> =>
  new Promise((resolve) => {
    process.once('SIGINT', () => resolve(undefined))
    process.once('SIGTERM', () => resolve(undefined))
    for (const [name, child] of programs) child.once('exit', () => resolve(name))
  })

/** Runs a command of a developer: what is missing is said in words, and ends it with 1. */
export function begin(run: () => Promise<void>): void {
  run().catch((error: unknown) => {
    if (!(error instanceof Missing)) throw error
    console.error(`Can't start:\n  ${error.message}`)
    process.exitCode = 1
  })
}
