/** Waiting for something to become true, with an end. */

/** Asks again and again until `attempt` gives something other than undefined or false; after `withinMs` it throws, naming `what`. */
export async function until<T>(
  what: string,
  attempt: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 5000,
): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const found = await attempt()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`not so within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}
