/** What all requests of a proxy share. */
import type { AnswerKind } from './answers.ts'
import type { ProxyLimits } from './limits.ts'
import type { Upstream } from './upstream.ts'
import type { Watch } from './watch.ts'

export type Shared = {
  readonly limits: ProxyLimits
  /** What Keep-Alive says. */
  readonly keepAlive: string
  readonly upstream: Upstream
  readonly watch: Watch
  readonly draining: () => boolean
  readonly note: (kind: Noted, requestId: string, why: string) => void
  readonly tunnels: { count: number }
  /** Counts bytes that have passed. */
  readonly passed: (bytes: number) => void
}

/** What the proxy says for itself, and what it can no longer say since an answer had begun. */
export type Noted = AnswerKind | 'unavailable' | 'upstream_lost' | 'cut'
