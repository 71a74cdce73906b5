/** Names that are worked through beside everything else: so many at a time, those that take long by themselves, and what fails again later. */

export type RechecksParts = {
  readonly act: (name: string) => Promise<void>
  /** It takes so long that the others would wait for it. */
  readonly isLong: (name: string) => boolean
  /** Ends early where it is interrupted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
  /** The first of what fails at about the same time; all of it is tried again. */
  readonly onTrouble: (error: unknown) => void
}

export type Rechecks = {
  /** Once each, however often they are added before their turn. */
  readonly add: (names: Iterable<string>, stop: AbortSignal) => void
}

const AT_ONCE = 64
const LONG_AT_ONCE = 8
const AGAIN_MS = 1000

export function makeRechecks({ act, isLong, pause, onTrouble }: RechecksParts): Rechecks {
  const failed = new Set<string>()

  const again = async (stop: AbortSignal): Promise<void> => {
    await pause(AGAIN_MS, stop)
    const names = [...failed]
    failed.clear()
    add(names, stop)
  }

  const one = async (name: string, stop: AbortSignal): Promise<void> => {
    try {
      await act(name)
    } catch (error) {
      if (stop.aborted) return
      const isFirst = failed.size === 0
      failed.add(name)
      if (!isFirst) return
      onTrouble(error)
      void again(stop)
    }
  }

  const line = (atOnce: number) => {
    const waiting = new Set<string>()
    let working = 0
    const work = async (stop: AbortSignal): Promise<void> => {
      working += 1
      // what is added meanwhile comes last
      for (const name of waiting) {
        waiting.delete(name)
        if (!stop.aborted) await one(name, stop)
      }
      working -= 1
    }
    return (name: string, stop: AbortSignal): void => {
      waiting.add(name)
      if (working < atOnce) void work(stop)
    }
  }
  const [long, short] = [line(LONG_AT_ONCE), line(AT_ONCE)]

  const add: Rechecks['add'] = (names, stop) => {
    for (const name of names) (isLong(name) ? long : short)(name, stop)
  }
  return { add }
}
