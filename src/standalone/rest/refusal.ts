/** PURE: how the Kubernetes API says no: a Status with a code, a reason for programs and a sentence for people. */
import { echo, echoName } from '../../resources/echo.ts'

type Cause = { readonly reason: string; readonly message: string; readonly field: string }

export type Details = {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly Cause[]
  readonly retryAfterSeconds?: number
}

export type StatusBody = {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: object
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: string
  readonly details?: Details
  readonly code: number
}

export const GROUP = 'keyward.dev'

/** Which object is spoken of; `kind` is the plural, as the API server has it in details. */
export type About = { readonly plural: string; readonly kind: string; readonly name: string }

type Said = { readonly code: number; readonly reason: string; readonly message: string; readonly details?: Details }

export class Refusal extends Error {
  readonly body: StatusBody

  constructor({ code, reason, message, details }: Said) {
    super(message)
    this.name = 'Refusal'
    this.body = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details && { details }),
      code,
    }
  }
}

export const success = ({ plural, name }: About, uid: string): StatusBody => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: { name, group: GROUP, kind: plural, uid },
  code: 200,
})

const detailsOf = ({ plural, name }: About): Details => ({ name, group: GROUP, kind: plural })
const titleOf = ({ plural, name }: About): string => `${plural}.${GROUP} "${echoName(name)}"`

export const badRequest = (message: string) => new Refusal({ code: 400, reason: 'BadRequest', message })

export const unauthorized = () => new Refusal({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' })

export const forbidden = (why: string, about?: About) =>
  new Refusal({
    code: 403,
    reason: 'Forbidden',
    message: about === undefined ? why : `${titleOf(about)} is forbidden: ${why}`,
    ...(about && { details: detailsOf(about) }),
  })

export const noSuchPath = () =>
  new Refusal({ code: 404, reason: 'NotFound', message: 'the server could not find the requested resource' })

export const notFound = (about: About) =>
  new Refusal({ code: 404, reason: 'NotFound', message: `${titleOf(about)} not found`, details: detailsOf(about) })

export const notAllowed = (message: string) => new Refusal({ code: 405, reason: 'MethodNotAllowed', message })

export const alreadyExists = (about: About, where = '') =>
  new Refusal({
    code: 409,
    reason: 'AlreadyExists',
    message: `${titleOf(about)} already exists${where}`,
    details: detailsOf(about),
  })

export const conflict = (about: About, why: string) =>
  new Refusal({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${titleOf(about)}: ${why}`,
    details: detailsOf(about),
  })

export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again'

export const expired = (message: string) => new Refusal({ code: 410, reason: 'Expired', message })

export const tooLarge = (most: number) =>
  new Refusal({ code: 413, reason: 'RequestEntityTooLarge', message: `the body may have ${most} bytes at most` })

export const unsupportedMediaType = (type: string, supported: readonly string[]) =>
  new Refusal({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body is of type ${echo(type)}; what is read here is ${supported.join(', ')}`,
  })

export const tooMany = (message: string, retryAfterSeconds = 1) =>
  new Refusal({ code: 429, reason: 'TooManyRequests', message, details: { retryAfterSeconds } })

export const internal = (message: string) => new Refusal({ code: 500, reason: 'InternalError', message })

export const unavailable = (message: string) =>
  new Refusal({ code: 503, reason: 'ServiceUnavailable', message, details: { retryAfterSeconds: 1 } })

export type Wrong = { readonly field: string; readonly message: string }

/** The same problems that a file would have, as the API server lists them. */
export function invalid({ kind, name }: About, problems: readonly Wrong[]): Refusal {
  const told = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  const all = told.length === 1 ? told[0] : `[${told.join(', ')}]`
  const causes = problems.map(({ field, message }) => ({ reason: causeOf(message), message, field: field || '<nil>' }))
  return new Refusal({
    code: 422,
    reason: 'Invalid',
    message: `${kind}.${GROUP} "${echoName(name)}" is invalid: ${all}`,
    details: { name, group: GROUP, kind, causes },
  })
}

const CAUSES: readonly (readonly [opening: string, reason: string])[] = [
  ['Required value', 'FieldValueRequired'],
  ['Forbidden', 'FieldValueForbidden'],
  ['Unsupported value', 'FieldValueNotSupported'],
  ['Too long', 'FieldValueTooLong'],
  ['Too many', 'FieldValueTooMany'],
]

const causeOf = (message: string): string =>
  CAUSES.find(([opening]) => message.startsWith(opening))?.[1] ?? 'FieldValueInvalid'
