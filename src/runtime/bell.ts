/** Waits a time, or less where somebody rings; a ring that nobody waited for counts for whoever waits next. */

export type Bell = { readonly ring: () => void; readonly wait: (ms: number) => Promise<void> }

/** @param pause ends early where it is interrupted */
export function makeBell(pause: (ms: number, signal: AbortSignal) => Promise<void>): Bell {
  let rung = new AbortController()
  return {
    ring: () => rung.abort(),
    wait: async (ms) => {
      await pause(ms, rung.signal)
      rung = new AbortController()
    },
  }
}
