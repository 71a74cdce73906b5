/** PURE: when what a wave of work left behind is collected: V8 would let it grow to twice of what stays. */

export type HousekeepingParts = {
  /** Of what is dead; thorough: the room goes back to the machine too, which takes several times as long. */
  readonly collect: (thorough: boolean) => void
  /** How many keys wait for their turn or are at it. */
  readonly depth: () => number
}

/** In the middle of a wave. */
const EVERY = 1000
/** Fewer leave behind what V8 deals with by itself. */
const A_WAVE = 500

/** To be called after each key. */
export function makeHousekeeping({ collect, depth }: HousekeepingParts): () => void {
  let since = 0
  let inWave = 0
  return () => {
    since += 1
    inWave += 1
    // the one that calls is still counted
    const isOver = depth() <= 1
    if (isOver && inWave >= A_WAVE) collect(true)
    else if (since >= EVERY) collect(false)
    else if (!isOver) return
    since = 0
    if (isOver) inWave = 0
  }
}
