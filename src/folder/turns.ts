/** Runs one thing at a time: who asks while one run is on gets the next one, together with all others who asked. */

export type Removals = 'now' | 'later'

type Turn<T> = { removals: Removals; readonly done: Promise<T> }

export type Turns<T> = {
  readonly next: (removals: Removals) => Promise<T>
  /** Something else that must not fall together with a run, nor with another of its kind. */
  readonly alone: <R>(act: () => Promise<R>) => Promise<R>
}

export function makeTurns<T>(run: (removals: Removals) => Promise<T>): Turns<T> {
  let last: Promise<unknown> = Promise.resolve()
  let waiting: Turn<T> | undefined

  const begin = (turn: { readonly removals: Removals } | undefined, asked: Removals) => {
    waiting = undefined
    return run(turn?.removals ?? asked)
  }

  const next = (removals: Removals): Promise<T> => {
    if (waiting !== undefined) {
      if (removals === 'now') waiting.removals = 'now'
      return waiting.done
    }
    const done: Promise<T> = last.then(() => begin(waiting, removals))
    last = done.catch(() => undefined)
    waiting = { removals, done }
    return done
  }

  const alone = <R>(act: () => Promise<R>): Promise<R> => {
    const done = last.then(act)
    last = done.catch(() => undefined)
    return done
  }
  return { next, alone }
}
