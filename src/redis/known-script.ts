/** A script that Redis forgot while it was being sent again. */

const MOST_TRIES = 4

/**
 * ioredis sends a script whole where Redis does not know it, once: where scripts are flushed in that very moment it gives up.
 * Nothing of it has run then, so it may be sent again.
 */
export async function withKnownScript<T>(send: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await send()
    } catch (error) {
      if (tries >= MOST_TRIES || !(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    }
  }
}
