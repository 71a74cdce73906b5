/** What somebody may put into a key: the rules of RBAC give the names, and a review of each says whether it counts. */
import { PERMISSION } from '../core/permission.ts'
import { grantRules } from '../resources/rights.ts'
import type { Cluster } from './cluster.ts'
import { listed } from './listed.ts'
import { Refused, Stop } from './refused.ts'

/** More than a person can choose from, and each costs a request. */
const MOST_ASKED = 200
const AT_ONCE = 8

export type Grantable = {
  readonly permission: string
  /** What it is called for people; empty where nobody said. */
  readonly title: string
}

/** Permissions that one may grant on an access namespace, in the order of the alphabet. */
export async function grantable(cluster: Cluster, accessNamespace: string): Promise<readonly Grantable[]> {
  const [rules, titles] = await Promise.all([cluster.rules(cluster.namespace), knownPermissions(cluster)])
  const verbs = grantRules(rules)
    .filter(({ names }) => names.size === 0 || names.has(accessNamespace))
    .flatMap((rule) => [...rule.verbs])
  // who may grant everything is offered what the APIs here know
  const names = new Set([
    ...verbs.filter((verb) => PERMISSION.test(verb)),
    ...(verbs.includes('*') ? titles.keys() : []),
  ])
  const candidates = [...names].sort().slice(0, MOST_ASKED)
  const answers = await inTurn(candidates, (permission) => cluster.mayGrant({ accessNamespace, permission }))
  // a rule of one Kubernetes namespace is among them, and gives nothing: access namespaces lie in none
  return candidates.flatMap((permission, at) =>
    answers[at] === true ? [{ permission, title: titles.get(permission) ?? '' }] : [],
  )
}

async function inTurn<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<readonly R[]> {
  const answers: R[] = []
  for (let at = 0; at < items.length; at += AT_ONCE) {
    answers.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(ask))))
  }
  return answers
}

/** Permissions that the APIs of the cluster speak of, with their titles; empty where one may not look. */
async function knownPermissions(cluster: Cluster): Promise<ReadonlyMap<string, string>> {
  const apis =
    (await listed(cluster, 'protectedapis', {})) ??
    (await listed(cluster, 'protectedapis', { namespace: cluster.namespace }))
  const titles = new Map<string, string>()
  for (const { spec } of apis ?? []) {
    const { permissions, routes } = (spec ?? {}) as { readonly permissions?: unknown; readonly routes?: unknown }
    for (const { name, title } of objectsIn(permissions)) note(titles, name, title)
    for (const { permission, permissionByMethod } of objectsIn(routes)) {
      note(titles, permission, undefined)
      for (const one of Object.values(objectsIn([permissionByMethod])[0] ?? {})) note(titles, one, undefined)
    }
  }
  return titles
}

function note(titles: Map<string, string>, name: unknown, title: unknown): void {
  if (typeof name !== 'string' || !PERMISSION.test(name)) return
  if (typeof title === 'string' || !titles.has(name)) titles.set(name, typeof title === 'string' ? title : '')
}

const objectsIn = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : []

export type Named = { readonly name: string; readonly about: string }

/** Access namespaces that one sees; where one may not list them, those that a rule names. */
export async function accessNamespaces(cluster: Cluster): Promise<readonly Named[]> {
  const found = await listed(cluster, 'accessnamespaces', {})
  if (found !== undefined) {
    return found.map(({ metadata: { name }, spec }) => {
      const { type, displayName } = (spec ?? {}) as { readonly type?: unknown; readonly displayName?: unknown }
      return { name, about: [type, displayName].filter((part) => typeof part === 'string').join(', ') }
    })
  }
  const rules = await cluster.rules(cluster.namespace)
  const names = new Set(grantRules(rules).flatMap((rule) => [...rule.names]))
  return [...names].sort().map((name) => ({ name, about: '' }))
}

/** undefined: one may not look, or can't just now. */
export async function isAccessNamespace(cluster: Cluster, name: string): Promise<boolean | undefined> {
  try {
    return (await cluster.get('accessnamespaces', { namespace: '', name })) !== undefined
  } catch (error) {
    if (error instanceof Refused || error instanceof Stop) return undefined
    throw error
  }
}

export const kubernetesNamespaces = async (cluster: Cluster): Promise<readonly Named[]> =>
  ((await listed(cluster, 'namespaces', {})) ?? []).map(({ metadata: { name } }) => ({ name, about: '' }))
