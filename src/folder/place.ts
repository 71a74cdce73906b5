/** Which of several places speaks for an object: the one that is in force, else the first. */

import { sameJson } from '../resources/same-json.ts'
import type { Accepted } from './accepted.ts'
import type { Seen } from './sight.ts'

export type Places = {
  /** By file and line. */
  readonly places: readonly Seen[]
  readonly inForce: Accepted | undefined
  /** Whether a file may hold objects that can't be seen in it now. */
  readonly mayHide: (file: string) => boolean
}

/** undefined: its own file can't be read in full and may still hold it, so that no other place may change it. */
export function speakerOf({ places, inForce, mayHide }: Places): Seen | undefined {
  if (inForce === undefined) return places[0]
  const home = places.filter(({ file }) => file === inForce.file)
  if (home.length === 1) return home[0]
  const same = (home.length > 0 ? home : places).find(({ value }) => sameJson(value, inForce.manifest))
  return same ?? home[0] ?? (mayHide(inForce.file) ? undefined : places[0])
}
