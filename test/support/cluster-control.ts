/** A part of the control plane that a test kills, stops and starts again on its old port. */
import type { Command } from './control-plane.ts'
import { type Running, startProcess, untilReady } from './process.ts'

export type Control = {
  /** On its old port, ready when it resolves. */
  readonly start: () => Promise<void>
  /** SIGKILL. */
  readonly kill: () => Promise<void>
  /** SIGTERM: what it has in hand is ended orderly first, watches too. */
  readonly stop: () => Promise<void>
  /** SIGSTOP: connections stay open and nobody answers. */
  readonly pause: () => void
  readonly resume: () => void
  /** What it wrote since it was last started. */
  readonly output: () => string
}

const READY_WITHIN_MS = 60_000

export function control({ path, args }: Command, isReady: () => Promise<boolean>): Control {
  let running: Running | undefined
  return {
    start: async () => {
      running = startProcess(path, args)
      await untilReady(`${path} is ready`, { process: running, ready: isReady, withinMs: READY_WITHIN_MS })
    },
    kill: async () => void (await running?.kill()),
    stop: async () => void (await running?.stop()),
    pause: () => running?.signal('SIGSTOP'),
    resume: () => running?.signal('SIGCONT'),
    output: () => running?.output() ?? '',
  }
}
