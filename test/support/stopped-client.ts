/** A client of the API server that stops at its n-th request: for good, or until it is let go on. */
import type { KubeClient, KubeRequest } from '../../src/kube/client.ts'
import { Crash, type Point } from './crash.ts'

/** Whoever is killed asks for nothing more. */
export function killedAt(client: KubeClient, { call, when }: Point): KubeClient {
  let calls = 0
  let dead = false
  const die = (): never => {
    dead = true
    throw new Crash()
  }
  return {
    ...client,
    send: async (request) => {
      if (dead) throw new Crash()
      const mine = calls++
      if (mine === call && when === 'before') die()
      try {
        return await client.send(request)
      } finally {
        // whatever the answer was, nobody hears it
        if (mine === call && when === 'after') die()
      }
    },
  }
}

export type Paused = {
  readonly client: KubeClient
  /** Resolves when it has come to that request. */
  readonly reached: Promise<void>
  readonly goOn: () => void
}

/** @param call which write it stands still before, counted from 0 */
export function pausedBefore(client: KubeClient, call: number): Paused {
  const reached = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  let writes = 0
  const send = async (request: KubeRequest): Promise<unknown> => {
    if (request.method !== 'GET' && writes++ === call) {
      reached.resolve()
      await gate.promise
    }
    return await client.send(request)
  }
  return { client: { ...client, send }, reached: reached.promise, goOn: gate.resolve }
}
