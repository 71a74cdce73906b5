/** Promises that wait for something to come about, settled all at once. */
import { Trouble } from '../core/trouble.ts'

type Waiter = { readonly resolve: () => void; readonly reject: (error: Trouble) => void }

export type Taken = { readonly resolve: () => void; readonly all: readonly Waiter[] }

export type Waiters = {
  readonly wait: () => Promise<void>
  readonly waiting: () => boolean
  readonly resolve: () => void
  readonly reject: () => void
  /** Those who wait now: whoever comes later waits for the next time. */
  readonly take: () => Taken
  /** It did not come about: they wait on. */
  readonly giveBack: (taken: Taken) => void
}

export function makeWaiters(): Waiters {
  let all: Waiter[] = []
  const take = (): Taken => {
    const taken = all
    all = []
    return {
      all: taken,
      resolve: () => {
        for (const { resolve } of taken) resolve()
      },
    }
  }
  return {
    wait: () =>
      new Promise((resolve, reject) => {
        all.push({ resolve, reject })
      }),
    waiting: () => all.length > 0,
    resolve: () => take().resolve(),
    reject: () => {
      for (const { reject } of take().all) reject(new Trouble('kube_aborted', 'retry'))
    },
    take,
    giveBack: (taken) => {
      all = [...taken.all, ...all]
    },
  }
}
