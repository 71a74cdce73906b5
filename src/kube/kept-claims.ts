/** All claims that are known, found by the ApiKey that they ask for. */
import { type Claim, olderFirst } from './claims.ts'

export type KeptClaims = {
  /** For this `namespace/name`, oldest first. */
  readonly of: (apiKey: string) => readonly Claim[]
  /** Of ApiKeys. */
  readonly names: () => Iterable<string>
  readonly all: () => Iterable<Claim>
  /** The resourceVersion that it was made with; undefined: it was there before anybody watched. */
  readonly madeAt: (claim: Claim) => string | undefined
  /** To be told of every change. */
  readonly changed: (key: string, now: Claim | undefined) => void
  /** What was there before may have been written to since it was made. */
  readonly watchBegins: () => void
}

export function keepClaims(): KeptClaims {
  const byKey = new Map<string, Claim>()
  const byApiKey = new Map<string, Map<string, Claim>>()
  /** By uid. */
  const made = new Map<string, string>()
  let isWatched = false

  const drop = (key: string, { apiKey }: Claim): void => {
    const others = byApiKey.get(apiKey)
    others?.delete(key)
    if (others?.size === 0) byApiKey.delete(apiKey)
    byKey.delete(key)
  }

  return {
    watchBegins: () => {
      isWatched = true
    },
    madeAt: ({ object }) => made.get(object.metadata.uid),
    changed: (key, now) => {
      const before = byKey.get(key)
      const isOther = before?.object.metadata.uid !== now?.object.metadata.uid
      if (before !== undefined) drop(key, before)
      if (before !== undefined && isOther) made.delete(before.object.metadata.uid)
      if (now === undefined) return
      const { uid, resourceVersion } = now.object.metadata
      if (isOther && isWatched) made.set(uid, resourceVersion)
      byKey.set(key, now)
      const others = byApiKey.get(now.apiKey) ?? new Map<string, Claim>()
      byApiKey.set(now.apiKey, others.set(key, now))
    },
    of: (apiKey) => [...(byApiKey.get(apiKey)?.values() ?? [])].sort(olderFirst),
    names: () => byApiKey.keys(),
    all: () => byKey.values(),
  }
}
