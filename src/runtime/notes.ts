/** What is said of single requests: counted and kept for a while always, told one by one only where somebody asked for debug. */
import type { Verdict } from '../core/decide.ts'
import type { CheckRequest } from '../core/request.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { RecentChecks } from './recent-checks.ts'

export type NotesParts = {
  readonly metrics: Pick<Metrics, 'countCheck' | 'countAnswer'>
  readonly log: Pick<Log, 'debug' | 'warn' | 'isLevelEnabled'>
  readonly recent: RecentChecks
  readonly nowMs: () => number
}

/** Who can have it otherwise: the owner of the proxy by a setting, or whoever writes the request. */
export type UpTo = 'proxy' | 'caller'

export type Notes = {
  readonly check: (listener: string) => (request: CheckRequest, verdict: Verdict) => void
  /** What was answered to a request ID. */
  readonly answered: RecentChecks['find']
  /** A check that is about no single request, so that nothing was decided. */
  readonly untold: (family: string, verdict: Verdict, upTo: UpTo) => void
  /** What the reverse proxy had to say for itself. */
  readonly proxy: (kind: string, requestId: string, why: string) => void
}

/** The same trouble is told again after this time, with how often it came meanwhile. */
const TELL_AGAIN_MS = 10_000

/** What the owner of the upstream, or of the proxy, should hear of without asking for debug. */
const WORTH_A_WARNING = new Set(['upstream_unavailable', 'upstream_timeout', 'upstream_lost', 'filter_failed'])

export function makeNotes({ metrics, log, recent, nowMs }: NotesParts): Notes {
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
      // what stays open is asked about again and again, and goes on being what it was
      if (listener !== 'recheck' || code !== 'allow') recent.keep(listener, request, verdict, nowMs())
      if (!log.isLevelEnabled('debug')) return
      const { requestId, method } = request
      const why = verdict.kind === 'allow' ? undefined : verdict.why
      log.debug({ listener, requestId, method, keyId: verdict.record?.keyId, code, why }, 'check')
    },
    answered: recent.find,
    untold: (family, verdict, upTo) => {
      const listener = family === 'grpc' ? 'grpc' : 'http'
      const code = verdict.kind === 'allow' ? 'allow' : verdict.code
      metrics.countCheck(listener, '', code)
      const why = verdict.kind === 'allow' ? undefined : verdict.why
      // a warning that any caller can cause would tell the owner of a proxy of nothing
      if (upTo === 'proxy') warn(`untold ${family}`, { family, why }, 'a proxy does not say what it asks about')
      else log.debug({ listener, family, code, why }, 'check')
    },
    proxy: (kind, requestId, why) => {
      metrics.countAnswer(kind)
      if (WORTH_A_WARNING.has(kind)) warn(kind, { kind, requestId, why }, 'the upstream is in trouble')
      else log.debug({ kind, requestId, why }, 'proxy answer')
    },
  }
}
