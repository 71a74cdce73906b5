/** One signal for all that may end a request: its time is over, or its caller wants it no longer. */
import { Trouble } from '../core/trouble.ts'

export type TimeLimit = {
  readonly signal: AbortSignal
  readonly leftMs: () => number
  /** Not before so many milliseconds from now. */
  readonly extend: (ms: number) => void
  /** What is to be thrown instead of an error that the signal caused; undefined: it caused none. */
  readonly verdict: () => Trouble | undefined
  /** Must be called when the request is over, however it ended. */
  readonly clear: () => void
}

export type TimeLimitParts = {
  readonly ms: number
  readonly steadyMs: () => number
  readonly caller: AbortSignal | undefined
}

export function limitTime({ ms, steadyMs, caller }: TimeLimitParts): TimeLimit {
  const controller = new AbortController()
  let end = steadyMs() + ms
  let verdict: Trouble | undefined

  const abort = (code: string): void => {
    verdict ??= new Trouble(code, 'retry')
    controller.abort(verdict)
  }
  const byCaller = (): void => abort('kube_aborted')

  // moved by looking at the clock again: a watch extends its time with each chunk
  const look = (): void => {
    const left = end - steadyMs()
    if (left <= 0) abort('kube_timeout')
    else timer = setTimeout(look, Math.ceil(left))
  }
  let timer = setTimeout(look, Math.ceil(ms))
  if (caller?.aborted === true) byCaller()
  else caller?.addEventListener('abort', byCaller, { once: true })

  return {
    signal: controller.signal,
    leftMs: () => end - steadyMs(),
    extend: (atLeast) => {
      end = Math.max(end, steadyMs() + atLeast)
    },
    verdict: () => verdict,
    clear: () => {
      clearTimeout(timer)
      caller?.removeEventListener('abort', byCaller)
    },
  }
}

/** Rejects as soon as the signal does; what was asked for goes on by itself. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // nobody else waits for it, and what nobody waits for must not end the process
    work.catch(() => {})
    throw signal.reason
  }
  let stop = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
