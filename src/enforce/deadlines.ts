/** Bounded waiting for many promises with one timer: all wait equally long, so that whoever came first is over first. */

export type DeadlineParts = {
  /** Milliseconds of a clock that never steps back. */
  readonly nowMs: () => number
  readonly after: After
  /** Calls back once everything that has arrived by now was read: what stalled may be this process. */
  readonly onceRead: (act: () => void) => void
}

/** Calls back once after a time, unless it is taken back. */
export type After = (delayMs: number, act: () => void) => () => void

/** What is to happen with a promise: exactly one of these is called, once. */
export type Ends<T> = {
  readonly done: (value: T) => void
  readonly failed: (error: unknown) => void
  /** Its time is up, or nobody wants to wait any more. What comes later is dropped. */
  readonly late: () => void
}

export type Deadlines = {
  readonly wait: <T>(promise: Promise<T>, ends: Ends<T>) => void
  /** Whatever still waits is late now. */
  readonly giveUp: () => void
  readonly waiting: () => number
}

type Waiting = { readonly dueMs: number; late: (() => void) | undefined }

export function deadlines(withinMs: number, { nowMs, after, onceRead }: DeadlineParts): Deadlines {
  let queue: Waiting[] = []
  // the first of the queue that is not over; what lies before it is cut off now and then, not each time
  let head = 0
  let running = false
  let open = 0

  const rest = (delayMs: number): void => {
    running = true
    after(delayMs, () => onceRead(look))
  }

  const look = (): void => {
    running = false
    const now = nowMs()
    let next = queue[head]
    while (next !== undefined && (next.late === undefined || next.dueMs <= now)) {
      head++
      next.late?.()
      next = queue[head]
    }
    if (next === undefined) {
      queue = []
      head = 0
      return
    }
    if (head > 1024 && head > queue.length / 2) {
      queue = queue.slice(head)
      head = 0
    }
    if (!running) rest(Math.max(1, next.dueMs - now))
  }

  return {
    waiting: () => open,
    wait: (promise, { done, failed, late }) => {
      const over = (): boolean => {
        if (waiting.late === undefined) return false
        waiting.late = undefined
        open--
        return true
      }
      const waiting: Waiting = {
        dueMs: nowMs() + withinMs,
        late: () => {
          if (over()) late()
        },
      }
      open++
      queue.push(waiting)
      if (!running) rest(withinMs)
      promise.then(
        (value) => {
          if (over()) done(value)
        },
        (error: unknown) => {
          if (over()) failed(error)
        },
      )
    },
    giveUp: () => {
      for (const waiting of queue.slice(head)) waiting.late?.()
    },
  }
}
