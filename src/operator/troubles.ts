/** Trouble as it is told: the first of a kind is a line, what comes after it for a while is a number. */
import { Trouble } from '../core/trouble.ts'
import type { Log } from '../runtime/log.ts'

export type TroublesParts = {
  readonly log: Pick<Log, 'warn'>
  readonly count: (code: string) => void
  readonly steadyMs: () => number
}

export type Troubles = {
  /**
   * @param about what it keeps from being as it should be: constant text
   * @param fields another `problem` is another trouble, the other fields make no difference
   */
  readonly note: (about: string, error: unknown, fields?: Readonly<Record<string, unknown>>) => void
}

/** The same trouble is told again after this time, with how often it came meanwhile. */
const TELL_AGAIN_MS = 10_000
/** There are not that many kinds; only a mistake could make more. */
const KINDS_AT_MOST = 1000

export const codeOf = (error: unknown): string =>
  error instanceof Trouble ? error.code : error instanceof Error ? error.name : 'unknown'

export function makeTroubles({ log, count, steadyMs }: TroublesParts): Troubles {
  const told = new Map<string, { readonly at: number; since: number }>()
  return {
    note: (about, error, fields = {}) => {
      const trouble = codeOf(error)
      count(trouble)
      const kind = `${about} ${trouble} ${fields.problem ?? ''}`
      const last = told.get(kind)
      if (last !== undefined && steadyMs() - last.at < TELL_AGAIN_MS) {
        last.since++
        return
      }
      if (told.size >= KINDS_AT_MOST) told.clear()
      told.set(kind, { at: steadyMs(), since: 0 })
      const why = error instanceof Trouble && error.cause instanceof Error ? error.cause.message : undefined
      log.warn({ ...fields, trouble, why, ...(last?.since ? { alsoSinceLastTold: last.since } : {}) }, about)
    },
  }
}
