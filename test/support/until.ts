/** Waiting for something to become true, with an end. */
import { awakeMs } from './awake.ts'

/** Where only a hang is meant, and no figure. */
const NO_HANG_MS = 20_000

/**
 * Asks again and again until `attempt` gives something other than undefined or false; after `withinMs` (awake.ts) it throws,
 * naming `what`.
 */
export async function until<T>(
  what: string,
  attempt: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = NO_HANG_MS,
): Promise<T> {
  const end = awakeMs() + withinMs
  for (;;) {
    const late = awakeMs() > end
    const found = await attempt()
    if (found !== undefined && found !== false) return found
    // asked once more behind the end: what was so in time may only have been looked at too late
    if (late) throw new Error(`not so within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}
