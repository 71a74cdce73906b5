/** What is said of single requests: counted always, told one by one only where somebody asked for debug. */
import type { Verdict } from '../core/decide.ts'
import type { CheckRequest } from '../core/request.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export type NotesParts = {
  readonly metrics: Pick<Metrics, 'countCheck' | 'countAnswer'>
  readonly log: Pick<Log, 'debug' | 'warn' | 'isLevelEnabled'>
  readonly nowMs: () => number
}

export type Notes = {
  readonly check: (listener: string) => (request: CheckRequest, verdict: Verdict) => void
  /** A check whose proxy does not say what it asks about. */
  readonly untold: (family: string, verdict: Verdict) => void
  /** What the reverse proxy had to say for itself. */
  readonly proxy: (kind: string, requestId: string, why: string) => void
}

/** The same trouble is told again after this time, with how often it came meanwhile. */
const TELL_AGAIN_MS = 10_000

/** What the owner of the upstream, or of the proxy, should hear of without asking for debug. */
const WORTH_A_WARNING = new Set(['upstream_unavailable', 'upstream_timeout', 'upstream_lost', 'filter_failed'])

export function makeNotes({ metrics, log, nowMs }: NotesParts): Notes {
  const told = new Map<string, { at: number; since: number }>()

  const warn = (kind: string, fields: Record<string, unknown>, message: string): void => {
    const last = told.get(kind)
    if (last !== undefined && nowMs() - last.at < TELL_AGAIN_MS) {
      last.since++
      return
    }
    told.set(kind, { at: nowMs(), since: 0 })
    log.warn({ ...fields, ...(last?.since ? { alsoSinceLastTold: last.since } : {}) }, message)
  }

  return {
    check: (listener) => (request, verdict) => {
      const code = verdict.kind === 'allow' ? 'allow' : verdict.code
      metrics.countCheck(listener, verdict.record?.environment ?? '', code)
      if (!log.isLevelEnabled('debug')) return
      const { requestId, method } = request
      const why = verdict.kind === 'allow' ? undefined : verdict.why
      log.debug({ listener, requestId, method, keyId: verdict.record?.keyId, code, why }, 'check')
    },
    untold: (family, verdict) => {
      const code = verdict.kind === 'allow' ? 'allow' : verdict.code
      metrics.countCheck('http', '', code)
      const why = verdict.kind === 'allow' ? undefined : verdict.why
      warn(`untold ${family}`, { family, why }, 'a proxy does not say what it asks about')
    },
    proxy: (kind, requestId, why) => {
      metrics.countAnswer(kind)
      if (WORTH_A_WARNING.has(kind)) warn(kind, { kind, requestId, why }, 'the upstream is in trouble')
      else log.debug({ kind, requestId, why }, 'proxy answer')
    },
  }
}
