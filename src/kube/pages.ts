/** A list page by page, the next one asked for while one is read. A page that fails is asked for again by itself: what was read before it is not read anew. */
import { setImmediate as onceSent } from 'node:timers/promises'
import { Trouble } from '../core/trouble.ts'
import { pause } from '../runtime/pause.ts'
import { isGone } from './api-error.ts'
import type { Page } from './calls.ts'
import { againMs } from './watch-state.ts'

export type PagesParts = {
  /** @param token of the page; empty: the first */
  readonly ask: (token: string, size: number) => Promise<Page>
  readonly pageSize: number
  readonly onTrouble: (error: unknown) => void
  /** From 0 (inclusive) to 1. */
  readonly jitter: () => number
}

/** Resolves when all of them were taken. */
export type Pages = (take: (page: Page) => void, signal: AbortSignal) => Promise<void>

export function makePages({ ask, pageSize, onTrouble, jitter }: PagesParts): Pages {
  let limit = pageSize

  const askOften = async (token: string, signal: AbortSignal): Promise<Page> => {
    for (let failures = 1; ; failures += 1) {
      try {
        return await ask(token, limit)
      } catch (error) {
        limit = limitAfter(error, limit)
        // where nothing was read yet, beginning anew is the same
        if (token === '' || signal.aborted || failures >= triesAfter(error)) throw error
        onTrouble(error)
        await pause(againMs({ error, failures, jitter: jitter() }), signal)
      }
    }
  }

  return async (take, signal) => {
    let page = await askOften('', signal)
    while (page.token !== '') {
      // the server works on the next one while this one is read
      const next = askOften(page.token, signal)
      next.catch(() => undefined)
      await onceSent()
      take(page)
      page = await next
    }
    take(page)
    limit = Math.min(limit, pageSize)
  }
}

/** Who throttles is there. Who is away for longer than a second or two may come back with another past. */
const TRIES: Readonly<Record<string, number>> = {
  kube_throttled: 20,
  kube_unavailable: 6,
  kube_unreachable: 6,
  kube_timeout: 3,
  kube_too_large: 6,
}

const triesAfter = (error: unknown): number => (error instanceof Trouble ? (TRIES[error.code] ?? 1) : 1)

/** A list that takes longer than its snapshot is kept gets larger pages; pages that are too large, or take too long, get smaller. */
function limitAfter(error: unknown, limit: number): number {
  if (isGone(error)) return limit * 4
  if (error instanceof Trouble && TOO_MUCH.has(error.code)) return Math.max(1, Math.floor(limit / 4))
  return limit
}

const TOO_MUCH = new Set(['kube_too_large', 'kube_timeout'])
