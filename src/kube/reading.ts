/** What has not been read for the first time yet, and what keeps it from that, in words. */
import type { Resource } from './objects.ts'
import type { Reflector } from './reflector.ts'
import { resourceName, watchTrouble } from './watch-trouble.ts'

export type Reading = {
  readonly add: (resource: Resource, reflector: Pick<Reflector<unknown>, 'synced'>) => void
  readonly failed: (error: unknown, resource: Resource, namespace?: string) => void
  /** undefined: all of it was read. */
  readonly missing: () => string | undefined
}

export function makeReading(): Reading {
  const reading: (readonly [Resource, Pick<Reflector<unknown>, 'synced'>])[] = []
  const problems = new Map<Resource, string>()
  return {
    add: (resource, reflector) => reading.push([resource, reflector]),
    failed: (error, resource, namespace) => problems.set(resource, watchTrouble(error, resource, namespace)),
    missing: () => {
      const waiting = reading.filter(([, reflector]) => !reflector.synced())
      const words = waiting.map(([resource]) => problems.get(resource) ?? `${resourceName(resource)} are being read`)
      return words.length === 0 ? undefined : [...new Set(words)].join('; ')
    },
  }
}
