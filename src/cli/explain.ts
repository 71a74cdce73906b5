/** Which rule answers a request with a key, and why: the very same code as the decision, row by row. */
import { Facts, ORDER } from '../core/access.ts'
import { type Index, isOpen, type Reading, read } from '../core/decide.ts'
import { DENIALS, type Denial } from '../core/denial.ts'
import type { KeyRecord } from '../core/record.ts'
import type { Ability } from '../core/request.ts'

export type Question = {
  readonly method: string
  readonly host: string
  /** Path and query. */
  readonly target: string
  readonly address: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

export type Row = {
  readonly check: string
  readonly passed: boolean
  /** Empty where it passed without a remark. */
  readonly why: string
}

export type Explanation = {
  readonly answer: 'allow' | keyof typeof DENIALS
  readonly status: number
  readonly api: string | undefined
  readonly environment: string | undefined
  /** `spec.routes[2] GET /v1/workspaces/{id}`. */
  readonly route: string | undefined
  readonly rows: readonly Row[]
}

// as our own reverse proxy asks: it can do everything that a route may want
const ABILITY: Ability = { removal: true, query: true, filter: true }

export function explain(index: Index, record: KeyRecord | undefined, question: Question): Explanation {
  const request = {
    method: question.method,
    target: question.target,
    hosts: [question.host],
    headers: [],
    address: question.address,
    requestId: 'explain',
    pin: undefined,
    ability: ABILITY,
  }
  const reading = read(request, index, question.now)
  if ('kind' in reading) return refused(undefined, [], { check: 'the request can be read in one way', denial: reading })
  const rows: Row[] = [passed('the request can be read in one way, and its host is served')]
  if (isOpen(reading)) return allowed(reading, [...rows, passed('the route is public: credentials are not looked at')])
  if (record === undefined) {
    const denial: Denial = { kind: 'deny', code: 'missing_credential', why: 'no key was named' }
    return refused(reading, rows, { check: 'a key is presented', denial })
  }
  const facts = new Facts(reading, record)
  for (const { name, check } of ORDER) {
    const objection = check(facts)
    if (objection !== undefined) return refused(reading, rows, { check: name, denial: { kind: 'deny', ...objection } })
    rows.push(passed(name, remark(name, facts)))
  }
  for (const limit of record.limits) {
    rows.push(
      passed(
        `limited: ${limit.requests} requests`,
        limit.kind === 'rate' ? 'rate, 429 once used up' : 'quota, 429 once used up',
      ),
    )
  }
  return allowed(reading, rows)
}

const passed = (check: string, why = ''): Row => ({ check, passed: true, why })

function remark(name: string, facts: Facts): string {
  switch (name) {
    case 'the permission is held':
      return facts.permission ?? 'the route asks for none'
    case 'the namespace is within reach':
      return reachedRemark(facts.far)
    case 'the list can be narrowed':
      return narrowedRemark(facts.narrowed)
    default:
      return ''
  }
}

function reachedRemark(far: Facts['far']): string {
  if (far.kind !== 'list') return ''
  return `visible: ${far.visible.namespaces.map(({ externalId }) => externalId).join(', ') || 'nothing'}`
}

const narrowedRemark = (narrowed: Facts['narrowed']): string =>
  narrowed === undefined || 'code' in narrowed || narrowed.target === undefined
    ? ''
    : `asked of the upstream as ${narrowed.target}`

function place({ match }: Reading): string | undefined {
  if (match === undefined) return undefined
  const { index, methods, path } = match.route
  return `spec.routes[${index}] ${methods?.join(',') ?? '*'} ${path}`
}

function allowed(reading: Reading, rows: readonly Row[]): Explanation {
  const { api, environment } = reading.served
  return { answer: 'allow', status: 200, api: api.name, environment, route: place(reading), rows }
}

function refused(
  reading: Reading | undefined,
  rows: readonly Row[],
  { check, denial }: { readonly check: string; readonly denial: Denial },
): Explanation {
  const named = denial.permission === undefined ? denial.why : `${denial.permission}: ${denial.why}`
  return {
    answer: denial.code,
    status: DENIALS[denial.code].status,
    api: reading?.served.api.name,
    environment: reading?.served.environment,
    route: reading === undefined ? undefined : place(reading),
    rows: [...rows, { check, passed: false, why: named }],
  }
}

/** As lines for a terminal. */
export function formatExplanation({ answer, status, api, environment, route, rows }: Explanation): string {
  return [
    `${status} ${answer === 'allow' ? 'allowed' : answer}`,
    ...(api === undefined ? [] : [`  api          ${api} (${environment})`]),
    `  route        ${route ?? 'none'}`,
    ...rows.map(({ check, passed: ok, why }) => `  ${ok ? 'ok ' : 'NO '} ${check}${why === '' ? '' : `: ${why}`}`),
    '',
  ].join('\n')
}
