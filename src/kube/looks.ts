/** Live looks that somebody waits for: so many at once, each for a short time, and none for whoever waits no longer. */
import { Trouble } from '../core/trouble.ts'
import { get } from './calls.ts'
import type { KubeClient, KubeRequest } from './client.ts'
import type { KubeObject, Ref, Resource } from './objects.ts'

/** undefined: there is none. @param gone whoever asked waits no longer */
export type Look = (resource: Resource, ref: Ref, gone: AbortSignal | undefined) => Promise<KubeObject | undefined>

export type LooksParts = {
  readonly client: KubeClient
  /** At once; the others wait, and the first to come is next. */
  readonly most: number
}

/** Below the time that a webhook has. */
const WITHIN_MS = 2000

export function makeLooks({ client, most }: LooksParts): Look {
  const waiting: (() => void)[] = []
  let running = 0

  const turn = async (): Promise<void> => {
    if (running < most) {
      running += 1
      return
    }
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  /** Whoever is next has the turn at once, so that nobody who comes meanwhile takes it. */
  const over = (): void => {
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }

  return async (resource, ref, gone) => {
    await turn()
    try {
      if (gone?.aborted === true) throw new Trouble('kube_aborted', 'retry')
      const signal = gone === undefined ? {} : { signal: gone }
      const send = (request: KubeRequest) => client.send({ ...request, ...signal, timeoutMs: WITHIN_MS })
      return await get({ ...client, send }, resource, ref)
    } finally {
      over()
    }
  }
}
