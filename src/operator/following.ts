/** Whether the API server is followed: trouble is told, and once more when it is over. */
import type { Log } from '../runtime/log.ts'

export type FollowingParts = {
  readonly log: Pick<Log, 'info'>
  readonly tell: (about: string, error: unknown, fields: { readonly problem?: string }) => void
  /** How old what is known may be. */
  readonly staleMs: () => number
  readonly steadyMs: () => number
}

export type Following = {
  /** @param problem what somebody has to mend, in words */
  readonly onTrouble: (error: unknown, problem?: string) => void
  /** To be called now and then: looks whether trouble is over. */
  readonly look: () => void
}

export function makeFollowing({ log, tell, staleMs, steadyMs }: FollowingParts): Following {
  let troubleAtMs: number | undefined
  return {
    onTrouble: (error, problem) => {
      troubleAtMs = steadyMs()
      tell('the API server can not be followed', error, problem === undefined ? {} : { problem })
    },
    look: () => {
      // all of it must have been heard of since
      if (troubleAtMs === undefined || staleMs() >= steadyMs() - troubleAtMs) return
      troubleAtMs = undefined
      log.info('the API server is followed again')
    },
  }
}
