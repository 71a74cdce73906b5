/** A case: what is sent, and what has to come of it whichever proxy stands in front. Everything expected is written out. */
import type { ProblemCode } from './problems.ts'

/** A key of manifests/; `{{rate}}`, `{{quota}}` and `{{metered}}` are each front's own, so that no budget is shared. */
export type KeyName = string

export type Outcome = Allowed | Denied | Refused

export type Allowed = {
  readonly kind: 'allowed'
  /** Whose identity the upstream is told. */
  readonly as: string
  /** undefined: as it was sent. */
  readonly target?: string
  /** Headers at the upstream, beyond what every allowed request is asked: each value, or undefined where none may arrive. */
  readonly upstream?: Readonly<Record<string, string | undefined>>
  /** The value of x-keyward-visible. */
  readonly visible?: string
  /** Headers of the response. */
  readonly caller?: Readonly<Record<string, string | RegExp | undefined>>
  /** undefined: what the upstream answers. */
  readonly body?: string
}

export type Denied = {
  readonly kind: 'denied'
  readonly code: ProblemCode
  readonly permission?: string
  readonly caller?: Readonly<Record<string, string | RegExp | undefined>>
}

/** The proxy in front says no by itself, in words of its own; Keyward may not even have been asked. */
export type Refused = { readonly kind: 'refused'; readonly status: readonly number[] }

export type Case = {
  readonly name: string
  readonly method?: string
  readonly target?: string
  readonly host?: string
  /** Presented as a Bearer, in front of the other headers. */
  readonly key?: KeyName
  /**
   * Name, value, name, value … `{{key:NAME}}`, `{{id:NAME}}`, `{{secret:NAME}}` and `{{basic:NAME}}` are filled in; a name
   * with `@1` is the secret that was replaced.
   */
  readonly headers?: readonly string[]
  readonly body?: string
  /** How often the same is sent before: what is left is the last one's. */
  readonly before?: number
  readonly expected: Outcome
}

export const HOST = 'api.table.test'

export const allowed = (as: string, more: Omit<Allowed, 'kind' | 'as'> = {}): Allowed => ({
  kind: 'allowed',
  as,
  ...more,
})

export const denied = (code: ProblemCode, more: Omit<Denied, 'kind' | 'code'> = {}): Denied => ({
  kind: 'denied',
  code,
  ...more,
})

export const refused = (...status: readonly number[]): Refused => ({ kind: 'refused', status })
