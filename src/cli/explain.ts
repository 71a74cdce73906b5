/** Which rule answers a request with a key, and why: the very same code as the decision, row by row. */
import { Facts, ORDER } from '../core/access.ts'
import { ADAPTERS } from '../core/adapter.ts'
import { type Index, isOpen, type Reading, read } from '../core/decide.ts'
import { DENIALS, type Denial } from '../core/denial.ts'
import type { KeyRecord } from '../core/record.ts'
import { printable } from './printable.ts'

export type Question = {
  readonly method: string
  readonly host: string
  /** Path and query. */
  readonly target: string
  /** Name, value, name, value …; nothing that is a credential. */
  readonly headers: readonly string[]
  readonly address: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

/** What the request shows of a key: an explanation begins behind the secret. */
export type Shown =
  | { readonly kind: 'none' }
  /** No secret of it is good, whichever is shown. */
  | { readonly kind: 'dead'; readonly why: string }
  | {
      readonly kind: 'known'
      readonly record: KeyRecord
      /** The AccessNamespaces are not to be seen here: what stands on them can't be decided. */
      readonly treeUnseen: boolean
      /** The people behind it are capped inside of its access namespace, and where is not to be seen here. */
      readonly cappedUnseen: boolean
    }

export type Row = {
  readonly check: string
  readonly passed: boolean
  /** Empty where it passed without a remark. */
  readonly why: string
  /** That is missing. */
  readonly permission?: string
}

export type Explanation = {
  readonly answer: 'allow' | 'undecided' | keyof typeof DENIALS
  /** undefined: undecided. */
  readonly status: number | undefined
  readonly api: string | undefined
  readonly environment: string | undefined
  /** `spec.routes[2] GET /v1/workspaces/{id}`. */
  readonly route: string | undefined
  readonly rows: readonly Row[]
  /** What could not be looked at, and may make the answer another. */
  readonly unseen: readonly string[]
}

export function explain(index: Index, shown: Shown, question: Question): Explanation {
  const request = {
    method: question.method,
    target: question.target,
    hosts: [question.host],
    headers: question.headers,
    address: question.address,
    requestId: 'explain',
    pin: undefined,
    // it can do everything that a route may want
    ability: ADAPTERS.ReverseProxy,
  }
  const reading = read(request, index, question.now)
  if ('kind' in reading) return refused(undefined, [], { check: 'the request can be read in one way', denial: reading })
  const rows: Row[] = [passed('the request can be read in one way, and its host is served')]
  if (isOpen(reading)) return allowed(reading, [...rows, passed('the route is public: credentials are not looked at')])
  if (shown.kind === 'none') {
    const denial: Denial = { kind: 'deny', code: 'missing_credential', why: 'no key was named' }
    return refused(reading, rows, { check: 'a key is presented', denial })
  }
  if (shown.kind === 'dead') {
    const denial: Denial = { kind: 'deny', code: 'invalid_key', why: shown.why }
    return refused(reading, rows, { check: 'the secret is one of a key in force', denial })
  }
  return explainKnown(reading, rows, shown)
}

type Known = Shown & { readonly kind: 'known' }

/** As if its people held everywhere what they hold; where that is not seen and could change the answer, there is none. */
function explainKnown(reading: Reading, before: readonly Row[], known: Known): Explanation {
  const judged = judge(reading, before, known)
  const { record, cappedUnseen } = known
  const facts = new Facts(reading, record)
  const others = cappedUnseen ? otherPlaces(reading, facts) : []
  const answers = others.map(({ where, heldWithin }) => {
    const { answer } = judge(reading, before, { ...known, record: { ...record, heldWithin } })
    return { where, answer }
  })
  const differing = answers.filter(({ answer }) => answer !== judged.answer)
  const unsaid = `where inside ${record.accessNamespace} everybody behind the key may grant ${facts.permission}`
  if (differing.length > 0) {
    const rows = judged.rows.slice(0, before.length + ORDER.findIndex(({ name }) => name === REACH))
    const said = [{ where: 'everywhere', answer: judged.answer }, ...differing]
    const each = said.map(({ where, answer }) => `${where}: ${answer}`)
    return undecided(reading, rows, `${unsaid} (${each.join('; ')})`)
  }
  if (others.length === 0 || judged.answer !== 'allow' || facts.far.kind !== 'list') return judged
  return { ...judged, unseen: [`${unsaid}: what is visible may be less`, ...judged.unseen] }
}

function judge(reading: Reading, before: readonly Row[], { record, treeUnseen }: Known): Explanation {
  const rows = [...before]
  const facts = new Facts(reading, record)
  for (const { name, check } of ORDER) {
    if (treeUnseen && name === REACH) return undecided(reading, rows, TREE_UNSEEN)
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
  return { ...allowed(reading, rows), unseen: stale(reading) }
}

/** The first row that looks at the AccessNamespaces. */
const REACH = 'the namespace is within reach'

const TREE_UNSEEN = `whether ${REACH}, and what is asked after that: you may not list the AccessNamespaces (the verb list on accessnamespaces)`

function undecided(reading: Reading, rows: readonly Row[], why: string): Explanation {
  return { ...allowed(reading, rows), answer: 'undecided', status: undefined, unseen: [why, ...stale(reading)] }
}

type Places = { readonly where: string; readonly heldWithin: KeyRecord['heldWithin'] }

/**
 * Where else its people may hold the permission than everywhere inside: those that can come to another answer, if any can.
 * All but one, that with the shortest id, make the longest list that has no common name. None: it makes no difference.
 */
function otherPlaces({ match, index: { tree } }: Reading, { record, permission }: Facts): readonly Places[] {
  const own = tree.get(record.accessNamespace)
  const { resource, reach } = match?.route ?? {}
  // without a permission nobody holds it anywhere
  if (permission === undefined || resource === undefined || own === undefined) return []
  if (reach?.[own.type] !== 'within') return []
  const inside = tree.within(record.accessNamespace, resource).namespaces
  if (inside.length === 0) return []
  const [, ...most] = inside.toSorted((a, b) => a.externalId.length - b.externalId.length)
  const allButOne = new Set(most.map(({ name }) => name))
  return [
    { where: 'nowhere', heldWithin: new Map() },
    { where: 'at all places but one', heldWithin: new Map([[permission, allButOne]]) },
  ]
}

const stale = ({ served: { api } }: Reading): readonly string[] =>
  api.refusedWhenStaleMs === undefined
    ? []
    : ['whether the enforcing replica is up to date: where it is not, the answer is unavailable']

const passed = (check: string, why = ''): Row => ({ check, passed: true, why })

function remark(name: string, facts: Facts): string {
  switch (name) {
    case 'the permission is held':
      return facts.permission ?? 'the route asks for none'
    case REACH:
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
  return { answer: 'allow', status: 200, api: api.name, environment, route: place(reading), rows, unseen: [] }
}

function refused(
  reading: Reading | undefined,
  rows: readonly Row[],
  { check, denial }: { readonly check: string; readonly denial: Denial },
): Explanation {
  const { permission } = denial
  const why = permission === undefined ? denial.why : `${permission}: ${denial.why}`
  return {
    answer: denial.code,
    status: DENIALS[denial.code].status,
    api: reading?.served.api.name,
    environment: reading?.served.environment,
    route: reading === undefined ? undefined : place(reading),
    rows: [...rows, { check, passed: false, why, ...(permission !== undefined && { permission }) }],
    unseen: [],
  }
}

/** As lines for a terminal, which obeys nothing of them. */
export function formatExplanation({ answer, status, api, environment, route, rows, unseen }: Explanation): string {
  const lines = [
    status === undefined ? 'undecided' : `${status} ${answer === 'allow' ? 'allowed' : answer}`,
    ...(api === undefined ? [] : [`  api          ${api} (${environment})`]),
    `  route        ${route ?? 'none'}`,
    ...rows.map(({ check, passed: ok, why }) => `  ${ok ? 'ok ' : 'NO '} ${check}${why === '' ? '' : `: ${why}`}`),
    ...(unseen.length === 0 ? [] : ['not to be seen from here:']),
    ...unseen.map((what) => `  ?   ${what}`),
  ]
  return lines.map((line) => `${printable(line)}\n`).join('')
}
