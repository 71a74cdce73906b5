/** A clock for the waits of tests: it stands still while this process does, so that a bound is not broken by a machine that stalls. */

const BEAT_MS = 20
/** Timers are late by some milliseconds on any machine. */
const MOST_MS = 2 * BEAT_MS

let awake = 0
let lastMs: number | undefined

/**
 * Milliseconds in which this process could run: of a longer time in which its timers did not, only the first few count.
 * A machine that is paused, or whose cores others have, makes all of Keyward late and says nothing of it.
 */
export function awakeMs(): number {
  beat()
  return awake
}

function beat(): void {
  const now = performance.now()
  if (lastMs === undefined) setInterval(beat, BEAT_MS).unref()
  awake += Math.min(now - (lastMs ?? now), MOST_MS)
  lastMs = now
}

/** A pause in which something has to happen: as long as that needs, however often the machine stalls. */
export async function awakeFor(ms: number): Promise<void> {
  const end = awakeMs() + ms
  for (let left = ms; left > 0; left = end - awakeMs()) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, BEAT_MS)))
  }
}
