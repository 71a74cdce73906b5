/** An answer of the API server that is no success, without what it may quote of the request. */
import { type Fate, Trouble } from '../core/trouble.ts'

export type Refusal = {
  readonly status: number
  /** Of the Status object, such as `NotFound`; empty where the answer is none. */
  readonly reason: string
  /** Names of the fields that are wrong; their values are nobody's business. */
  readonly fields: readonly string[]
  /** Reasons of single causes, such as `NamespaceTerminating`. */
  readonly causes: readonly string[]
  readonly retryAfterMs: number | undefined
}

export class ApiError extends Trouble {
  readonly status: number
  readonly reason: string
  readonly fields: readonly string[]
  readonly retryAfterMs: number | undefined

  constructor(refusal: Refusal) {
    const [code, fate] = meaningOf(refusal)
    super(code, fate, new Error(wordsOf(refusal)))
    this.name = 'ApiError'
    this.status = refusal.status
    this.reason = refusal.reason
    this.fields = refusal.fields
    this.retryAfterMs = refusal.retryAfterMs
  }
}

const wordsOf = ({ status, reason, fields }: Refusal): string =>
  [`the API server answered ${status}`, reason, fields.length > 0 ? `for ${fields.join(', ')}` : '']
    .filter((part) => part !== '')
    .join(' ')

const MEANINGS: Readonly<Record<number, readonly [code: string, fate: Fate]>> = {
  400: ['kube_invalid', 'wait'],
  401: ['kube_unauthorized', 'retry'],
  403: ['kube_forbidden', 'wait'],
  404: ['kube_not_found', 'retry'],
  409: ['kube_conflict', 'retry'],
  410: ['kube_gone', 'retry'],
  413: ['kube_too_large', 'wait'],
  422: ['kube_invalid', 'wait'],
  429: ['kube_throttled', 'retry'],
}

function meaningOf({ status, reason, causes }: Refusal): readonly [code: string, fate: Fate] {
  // nothing can be made there any more, whoever may do it
  if (causes.includes('NamespaceTerminating')) return ['kube_namespace_terminating', 'stop']
  if (status === 409 && reason === 'AlreadyExists') return ['kube_already_exists', 'retry']
  return MEANINGS[status] ?? (status >= 500 ? ['kube_unavailable', 'retry'] : ['kube_refused', 'wait'])
}

/** A Status object, from an answer or from within a watch. Anything else counts by its status alone. */
export function refusalFrom(status: number, body: unknown, retryAfter: string | undefined): Refusal {
  const said = objectIn(body)
  const details = objectIn(said.details)
  const causes = Array.isArray(details.causes) ? details.causes.map(objectIn) : []
  return {
    status,
    reason: wordIn(said.reason),
    fields: causes.map(({ field }) => wordIn(field)).filter((field) => field !== ''),
    causes: causes.map(({ reason }) => wordIn(reason)),
    retryAfterMs: secondsIn(retryAfter ?? details.retryAfterSeconds),
  }
}

const objectIn = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** Names of fields and reasons; a text is not one. */
const wordIn = (value: unknown): string =>
  typeof value === 'string' && /^[\w.[\]/()$-]{1,200}$/.test(value) ? value : ''

const LONGEST_WAIT_S = 3600

const secondsIn = (value: unknown): number | undefined => {
  const seconds = typeof value === 'string' && value !== '' ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds > 0)) return undefined
  return Math.min(seconds, LONGEST_WAIT_S) * 1000
}

const hasStatus = (error: unknown, status: number): error is ApiError =>
  error instanceof ApiError && error.status === status

/** What the server asked for before we come again. */
export const askedToWaitMs = (error: unknown): number | undefined =>
  error instanceof ApiError ? error.retryAfterMs : undefined

/** Whatever it is that was not found; see isAbsent. */
export const isNotFound = (error: unknown): boolean => hasStatus(error, 404)
/** There is no such object. A server that does not know the kind, or something in between, says 404 and has not looked. */
export const isAbsent = (error: unknown): boolean => hasStatus(error, 404) && error.reason === 'NotFound'
export const isAlreadyExists = (error: unknown): boolean => hasStatus(error, 409) && error.reason === 'AlreadyExists'
/** Somebody else wrote since what we write over was read. */
export const isConflict = (error: unknown): boolean => hasStatus(error, 409) && error.reason !== 'AlreadyExists'
/** What was asked for is too long ago. */
export const isGone = (error: unknown): boolean => hasStatus(error, 410)
export const isForbidden = (error: unknown): boolean => hasStatus(error, 403)
export const isInvalid = (error: unknown): boolean => hasStatus(error, 422) || hasStatus(error, 400)
