/** Runs one thing at a time: who asks while one run is on gets the next one, together with all others who asked. */

export type Removals = 'now' | 'later'

type Turn<T> = { removals: Removals; readonly done: Promise<T> }

export function oneAtATime<T>(run: (removals: Removals) => Promise<T>): (removals: Removals) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  let waiting: Turn<T> | undefined

  const begin = (turn: { readonly removals: Removals } | undefined, asked: Removals) => {
    waiting = undefined
    return run(turn?.removals ?? asked)
  }

  return (removals) => {
    if (waiting !== undefined) {
      if (removals === 'now') waiting.removals = 'now'
      return waiting.done
    }
    const done: Promise<T> = last.then(() => begin(waiting, removals))
    last = done.catch(() => undefined)
    waiting = { removals, done }
    return done
  }
}
