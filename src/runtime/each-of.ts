/** The same for each of many, so many at once: one that fails keeps none of the others from its turn. */

/** @returns what failed */
export async function eachOf<T>(
  all: Iterable<T>,
  atOnce: number,
  act: (one: T) => Promise<void>,
): Promise<readonly unknown[]> {
  const left = Iterator.from(all)
  const failed: unknown[] = []
  const work = async (): Promise<void> => {
    for (const one of left) await act(one).catch((error: unknown) => failed.push(error))
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return failed
}
