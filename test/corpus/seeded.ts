/** Chance that can be had again: the same seed draws the same numbers. */

export type Draw = {
  /** 0 ≤ n < below */
  readonly below: (below: number) => number
  readonly pick: <T>(from: readonly T[]) => T
  readonly chance: (share: number) => boolean
}

/** mulberry32: 32 bits of state are plenty for a walk through damaged requests. */
export function seeded(seed: number): Draw {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    pick: (from) => {
      const drawn = from[below(from.length)]
      if (drawn === undefined) throw new RangeError('nothing to pick from')
      return drawn
    },
    chance: (share) => next() < share,
  }
}
