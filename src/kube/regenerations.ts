/** With which writing each ApiKey came to its present `spec.regenerate`, as far as was seen: clocks tell no more than seconds. */
import { regenerateOf } from './claims.ts'
import { type KubeObject, keyOf } from './objects.ts'
import { isLater } from './resource-version.ts'

type Sight = { readonly uid: string; readonly regenerate: number; readonly version: string }

export type Regenerations = {
  /** Every ApiKey as it comes to be known, in any order. */
  readonly saw: (object: KubeObject) => void
  readonly gone: (name: string, uid: string) => void
  /** What was written later than this came after the last regeneration; undefined: it was not seen. */
  readonly seenAt: (object: KubeObject) => string | undefined
}

export function makeRegenerations(): Regenerations {
  const sights = new Map<string, Sight>()
  return {
    saw: (object) => {
      const now = sightOf(object)
      const name = keyOf(object)
      const before = sights.get(name)
      // most keys never are
      if (now !== undefined && (before === undefined || tellsMore(now, before))) sights.set(name, now)
    },
    gone: (name, uid) => {
      if (sights.get(name)?.uid === uid) sights.delete(name)
    },
    seenAt: (object) => {
      const wanted = sightOf(object)
      const sight = sights.get(keyOf(object))
      return sight?.uid === wanted?.uid && sight?.regenerate === wanted?.regenerate ? sight?.version : undefined
    },
  }
}

/** It is only ever raised; of two sights of one number the first is nearer to the truth. */
function tellsMore(now: Sight, before: Sight): boolean {
  if (now.uid !== before.uid) return isLater(now.version, before.version)
  if (now.regenerate !== before.regenerate) return now.regenerate > before.regenerate
  return isLater(before.version, now.version)
}

function sightOf(object: KubeObject): Sight | undefined {
  const { uid, resourceVersion: version } = object.metadata
  const regenerate = regenerateOf(object)
  return regenerate === 0 ? undefined : { uid, regenerate, version }
}
