/** PURE: what processes told of the checks of a request ID, read and put into words; nothing of it is trusted. */
import { z } from 'zod'
import { momentOf, span } from './ages.ts'
import { type Explanation, formatExplanation } from './explain.ts'
import { printable } from './printable.ts'

const text = z.string().optional().catch(undefined)

const check = z.object({
  at: text,
  listener: text,
  method: z.string(),
  host: z.string(),
  path: z.string(),
  /** Of method, host and path. */
  isPart: z.boolean().catch(true),
  code: z.string(),
  status: z.number().int(),
  why: text,
  permission: text,
  keyId: text,
  key: text,
  environment: text,
  route: text,
})

export type ToldCheck = z.output<typeof check>

const answer = z.object({ checks: z.array(check) })

/** undefined: it is no such answer. */
export function checksIn(body: unknown): readonly ToldCheck[] | undefined {
  const read = answer.safeParse(body)
  return read.success ? read.data.checks : undefined
}

/** A check, and what the same would be answered now. */
export type Answered = ToldCheck & {
  /** Who told it: the name of a pod, or an address. */
  readonly from: string
  readonly now?: Explanation
  /** Why there is no such explanation. */
  readonly nowUnsaid?: string
}

export type Unasked = { readonly from: string; readonly why: string }

export type AnsweredRequest = {
  readonly requestId: string
  /** The newest first. */
  readonly checks: readonly Answered[]
  readonly unasked: readonly Unasked[]
}

export function formatAnswers({ checks }: AnsweredRequest, nowMs: number): string {
  return checks.map((one) => formatOne(one, nowMs)).join('\n')
}

function formatOne(told: Answered, nowMs: number): string {
  const { now, nowUnsaid } = told
  const then = thenLines(told, nowMs).map((line) => `${printable(line)}\n`)
  if (now !== undefined) return `${then.join('')}\nThe same, asked now (${NOT_KEPT}):\n${formatExplanation(now)}`
  if (nowUnsaid === undefined) return then.join('')
  return `${then.join('')}\nThe same, asked now: ${nowUnsaid.split('\n').map(printable).join('\n')}\n`
}

const NOT_KEPT = 'query, headers and address of the caller are not kept; --header and --address give them'

function thenLines(told: Answered, nowMs: number): readonly string[] {
  const { at, code, status, listener, from, method, host, path, isPart, keyId, key, environment, route } = told
  const whole = isPart ? ' (not all of it is kept)' : ''
  const of = [key === undefined ? '' : `of ${key}`, environment === undefined ? '' : `(${environment})`]
  return [
    `${status} ${code === 'allow' ? 'allowed' : code}, ${age(at, nowMs)}, by ${from}${listener === undefined ? '' : ` (${listener})`}`,
    `  request      ${method} ${host}${path}${whole}`,
    ...(keyId === undefined ? [] : [`  key          ${[keyId, ...of].filter((word) => word !== '').join(' ')}`]),
    ...(route === undefined ? [] : [`  route        ${route}`]),
    ...(told.why === undefined ? [] : [`  why          ${whyOf(told)}`]),
  ]
}

const whyOf = ({ why = '', permission }: ToldCheck): string =>
  permission === undefined ? why : `${permission}: ${why}`

function age(at: string | undefined, nowMs: number): string {
  const moment = momentOf(at)
  return moment === undefined ? 'at a time that is not told' : `${span(nowMs - moment)} ago (${at})`
}
