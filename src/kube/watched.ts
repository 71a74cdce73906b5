/** The resources that authz watches: what each still waits for, how old each may be, and in words what is wrong with one. */
import { Trouble } from '../core/trouble.ts'
import type { Log } from '../runtime/log.ts'
import type { Resource } from './objects.ts'
import type { Reflector } from './reflector.ts'
import { resourceName, watchTrouble } from './watch-trouble.ts'

export type Watched = {
  /** For the reflector. */
  readonly onTrouble: (error: unknown) => void
  readonly follow: (reflector: Pick<Reflector<unknown>, 'synced' | 'staleMs'>) => void
  /** Looks whether trouble is over, and says so. */
  readonly look: () => void
  /** What it waits for before it was read for the first time; undefined: it was. */
  readonly missing: () => string | undefined
  readonly staleMs: () => number
  readonly name: string
}

export type WatchedParts = {
  readonly resource: Resource
  /** undefined: of the whole cluster. */
  readonly namespace?: string
  readonly log: Pick<Log, 'warn' | 'info'>
  readonly countTrouble: (kind: string) => void
  readonly steadyMs: () => number
}

export function makeWatched({ resource, namespace, log, countTrouble, steadyMs }: WatchedParts): Watched {
  const name = resourceName(resource)
  let followed: Pick<Reflector<unknown>, 'synced' | 'staleMs'> | undefined
  let trouble: { readonly words: string; readonly atMs: number } | undefined
  return {
    name,
    onTrouble: (error) => {
      countTrouble(error instanceof Trouble ? error.code : 'unknown')
      const words = watchTrouble(error, resource, namespace)
      if (trouble?.words !== words) log.warn({ resource: name, problem: words }, 'the API server can not be followed')
      trouble = { words, atMs: steadyMs() }
    },
    follow: (reflector) => {
      followed = reflector
    },
    look: () => {
      if (trouble === undefined || followed === undefined) return
      if (followed.staleMs() >= steadyMs() - trouble.atMs) return
      trouble = undefined
      log.info({ resource: name }, 'the API server is followed again')
    },
    missing: () => (followed?.synced() ? undefined : (trouble?.words ?? `${name} are being read`)),
    staleMs: () => followed?.staleMs() ?? Number.POSITIVE_INFINITY,
  }
}
