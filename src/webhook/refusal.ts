/** PURE: one refusal that says everything that is missing, for whom, and the rule that would allow it. */
import type { Permission } from '../core/permission.ts'
import { type Person, serviceAccountOf } from '../core/person.ts'
import { echo } from '../resources/echo.ts'
import type { FieldProblem } from '../resources/problem.ts'
import { GROUP } from './review-spec.ts'

export type Refused = {
  /** `ApiKey team-web/main-website`. */
  readonly title: string
  /** What is wrong with the object itself, or beside the others. */
  readonly problems: readonly FieldProblem[]
  readonly lacking: Lacking | undefined
}

export type Lacking = {
  readonly person: Person
  /** What they may not touch, where that is another object: `ApiKey team-web/main-website` for a claim. */
  readonly of?: string
  /** `create`, `claim`, or for an edit the fields that widen. */
  readonly act: 'create' | 'claim' | { readonly widened: readonly string[] }
  /** undefined: nothing was to be granted. */
  readonly grant:
    | { readonly accessNamespace: string; readonly missing: readonly Permission[]; readonly asked: number }
    | undefined
  readonly hosts: readonly string[]
  /** There is no access namespace on which this person may grant anything. */
  readonly hasNothing: boolean
  /** Groups of theirs that count by now, and that were not asked about, since the object's stamp does not have them. */
  readonly unstamped: readonly string[]
}

export function refusalOf({ title, problems, lacking }: Refused): string {
  const lines = problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  if (lacking !== undefined) lines.push(...lackingLines(lacking.of ?? title, lacking))
  return lines.join('\n')
}

function lackingLines(title: string, { person, act, grant, hosts, hasNothing, unstamped }: Lacking): readonly string[] {
  const who = echo(person.username)
  const lines: string[] = []
  if (grant !== undefined) {
    const { accessNamespace, missing, asked } = grant
    const of = missing.length === asked ? '' : ` (${missing.length} of the ${asked} permissions of this key)`
    lines.push(
      `${who} may not ${done(act)} ${title}, since they may not grant this in access namespace ${accessNamespace}: ${missing.join(', ')}${of}.`,
    )
    if (hasNothing) lines.push(`${who} has access to no access namespace at all: no role gives them anything to grant.`)
  }
  if (hosts.length > 0)
    lines.push(`${who} may not serve ${hosts.length === 1 ? 'this host' : 'these hosts'}: ${hosts.join(', ')}.`)
  if (unstamped.length > 0)
    lines.push(
      `Keyward has only just heard of a binding for ${unstamped.length === 1 ? 'their group' : 'their groups'} ${shown(unstamped)}, too late for this object: try again in a moment.`,
    )
  return [
    ...lines,
    'A ClusterRole with this rule, bound by a ClusterRoleBinding to',
    `${subjectOf(person)}, would allow it:`,
    ...rules(grant, hosts),
  ]
}

const MOST_SHOWN = 8

const shown = (groups: readonly string[]): string => {
  const rest = groups.length > MOST_SHOWN ? [`${groups.length - MOST_SHOWN} more`] : []
  return [...groups.slice(0, MOST_SHOWN).map(echo), ...rest].join(', ')
}

function done(act: Lacking['act']): string {
  if (act === 'create') return 'create'
  if (act === 'claim') return 'claim the credential of'
  return `widen ${act.widened.map((field) => `spec.${field}`).join(', ')} of`
}

/** As it stands below `subjects`. */
function subjectOf(person: Person): string {
  const account = serviceAccountOf(person)
  return account === undefined
    ? `{apiGroup: rbac.authorization.k8s.io, kind: User, name: ${echo(person.username)}}`
    : `{kind: ServiceAccount, namespace: ${account.namespace}, name: ${account.name}}`
}

function rules(grant: Lacking['grant'], hosts: readonly string[]): readonly string[] {
  const grants = grant && rule('accessnamespaces/permissions', [grant.accessNamespace], grant.missing)
  const serves = hosts.length === 0 ? undefined : rule('hosts', hosts, ['serve'])
  return [...(grants ?? []), ...(serves ?? [])]
}

const rule = (resource: string, names: readonly string[], verbs: readonly string[]): readonly string[] => [
  `- apiGroups: [${GROUP}]`,
  `  resources: [${resource}]`,
  `  resourceNames: ${flow(names)}`,
  `  verbs: ${flow(verbs)}`,
]

/** In quotes, since a permission holds a colon and a host may begin with a star. */
const flow = (items: readonly string[]): string => `[${items.map((item) => JSON.stringify(item)).join(', ')}]`
