/** What is said of shared limits: a line when what counts changes, numbers for everything else. */
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export type LimitsNotesParts = {
  readonly metrics: Pick<Metrics, 'countFallback' | 'countRedisError' | 'observeRoundTrip'>
  readonly log: Pick<Log, 'info' | 'warn'>
}

type ModeChange = {
  readonly mode: 'shared' | 'fallback'
  readonly why: string | undefined
  readonly lastedMs: number | undefined
}

export type LimitsNotes = {
  readonly onMode: (change: ModeChange) => void
  readonly onRoundTrip: (ms: number) => void
  readonly onFallback: (failure: string) => void
  readonly onTrouble: (code: string) => void
}

export function limitsNotes({ metrics, log }: LimitsNotesParts): LimitsNotes {
  return {
    onMode: ({ mode, why, lastedMs }) => {
      const lasted = lastedMs === undefined ? undefined : Math.round(lastedMs)
      if (mode === 'shared') log.info({ mode, fallbackMs: lasted }, 'limits are shared again')
      else log.warn({ mode, why, sharedMs: lasted }, 'limits are out of reach: failureMode.limits of each API counts')
    },
    onRoundTrip: metrics.observeRoundTrip,
    onFallback: metrics.countFallback,
    onTrouble: metrics.countRedisError,
  }
}
