/** Work that costs about the same for one as for many: what comes within one turn of the event loop is done together. */

/** Says for each item, in order, whether it was done (undefined) or why not. */
export type Work<T> = (items: readonly T[]) => readonly (Error | undefined)[] | Promise<readonly (Error | undefined)[]>

export type Batch<T> = {
  /** Resolves when the item is done. */
  readonly add: (item: T) => Promise<void>
  /** Resolves when nothing is under way. */
  readonly settled: () => Promise<void>
}

type Waiting<T> = { readonly item: T; readonly done: () => void; readonly failed: (error: unknown) => void }

/** @param limit how many items are done together at most, so that the event loop is not held for long */
export function makeBatch<T>(limit: number, work: Work<T>): Batch<T> {
  let waiting: Waiting<T>[] = []
  let busy: Promise<void> | undefined

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve))
      const now = waiting.slice(0, limit)
      waiting = waiting.slice(limit)
      await settle(now)
    }
    busy = undefined
  }

  const settle = async (now: readonly Waiting<T>[]): Promise<void> => {
    try {
      const outcomes = await work(now.map(({ item }) => item))
      now.forEach(({ done, failed }, i) => {
        const error = outcomes[i]
        if (error === undefined) done()
        else failed(error)
      })
    } catch (error) {
      for (const { failed } of now) failed(error)
    }
  }

  return {
    add: (item) =>
      new Promise((done, failed) => {
        waiting.push({ item, done, failed })
        busy ??= flush()
      }),
    settled: async () => {
      await busy
    },
  }
}
