/** PURE: rules between objects. What is new or changed is taken back where it does not fit; what was there before is only remarked on. */
import { allotHosts } from '../core/host.ts'
import { type AccessNamespace, buildTree, type NamespaceTree } from '../core/namespace.ts'
import type { ApiKey } from '../resources/api-key.ts'
import { missingIssuers, slippingBy } from '../resources/api-remarks.ts'
import { hostClaims, hostProblems, takenHost } from '../resources/host-claims.ts'
import type { Manifest } from '../resources/manifest.ts'
import { type FieldProblem, invalid, type Path, problemAt } from '../resources/problem.ts'
import type { ProtectedApi } from '../resources/protected-api.ts'
import { type Accepted, byArrival, objectKey } from './accepted.ts'
import { beingDeleted } from './beside.ts'

export type Standing = {
  readonly key: string
  readonly form: Accepted
  readonly parsed: Manifest
  /** What is in force of it until now. */
  readonly before: Manifest | undefined
  readonly news: 'same' | 'changed' | 'new'
}

export type Remark = FieldProblem & { readonly key: string }

type Of<Kind extends Manifest> = Standing & { readonly parsed: Kind }

const isNamespace = (object: Standing): object is Of<Manifest & { kind: 'AccessNamespace' }> =>
  object.parsed.kind === 'AccessNamespace'
const isKey = (object: Standing): object is Of<ApiKey> => object.parsed.kind === 'ApiKey'
const isApi = (object: Standing): object is Of<ProtectedApi> => object.parsed.kind === 'ProtectedApi'

/** What can't be accepted beside the others. */
export function objectionsTo(all: readonly Standing[]): readonly Remark[] {
  const fresh = new Set(all.filter(({ news }) => news !== 'same').map(({ key }) => key))
  if (fresh.size === 0) return []
  return [...misfits(all).problems.filter(({ key }) => fresh.has(key)), ...takenHosts(all.filter(isApi))]
}

/** What is accepted and yet has no effect, or not all of it. */
export function remarksOn(all: readonly Standing[]): readonly Remark[] {
  const { tree, problems } = misfits(all)
  const [keys, apis] = [all.filter(isKey), all.filter(isApi)]
  const names = new Set(all.flatMap(({ parsed }) => (parsed.kind === 'TokenIssuer' ? [parsed.name] : [])))
  return [
    ...problems,
    ...homeless(keys, tree),
    ...conflicts(apis),
    ...imports(keys),
    ...keys.flatMap(({ key, parsed }) => beingDeleted(parsed).map((problem) => ({ key, ...problem }))),
    ...apis.flatMap(({ key, parsed }) => {
      const issuers = parsed.spec.tokens.map(({ issuer }) => issuer)
      const missing = missingIssuers(issuers, (issuer) => names.has(issuer))
      return [...missing, ...slippingBy(parsed.spec)].map((problem) => ({ key, ...problem }))
    }),
  ]
}

const remark = (key: string, path: Path, message: string): Remark => ({ key, ...problemAt(path, message) })

const NEWS = { same: 0, changed: 1, new: 2 } as const

function misfits(all: readonly Standing[]): { readonly tree: NamespaceTree; readonly problems: readonly Remark[] } {
  const namespaces = all
    .filter(isNamespace)
    // an older namespace that reaches for an external id comes after the younger one that has it
    .sort((a, b) => NEWS[a.news] - NEWS[b.news] || byArrival(a.form, b.form))
    .map(({ parsed }): AccessNamespace => ({ name: parsed.name, ...parsed.spec }))
  const { tree, problems } = buildTree(namespaces)
  return {
    tree,
    problems: problems.map(({ name, field, problem }) =>
      remark(objectKey({ kind: 'AccessNamespace', name }), ['spec', field], problem),
    ),
  }
}

/** So many keys are named one by one; a namespace that goes may have had thousands. */
const NAMED_AT_MOST = 20

function homeless(keys: readonly Of<ApiKey>[], tree: NamespaceTree): readonly Remark[] {
  const lost = keys.filter(({ parsed }) => tree.get(parsed.spec.accessNamespace) === undefined)
  const groups = Map.groupBy(lost, ({ parsed }) => parsed.spec.accessNamespace)
  return [...groups].flatMap(([missing, group]) => {
    const others = group.length - NAMED_AT_MOST
    return group.slice(0, NAMED_AT_MOST).map(({ key }, i) => {
      const right =
        'there is no such AccessNamespace, and until there is one the key is refused on every route that is not public'
      const more = i === NAMED_AT_MOST - 1 && others > 0 ? `; so it is with ${others} more` : ''
      return remark(key, ['spec', 'accessNamespace'], invalid(missing, right + more))
    })
  })
}

const inOrder = (apis: readonly Of<ProtectedApi>[]) => apis.toSorted((a, b) => byArrival(a.form, b.form))

const hostsOf = (api: Manifest | undefined): ReadonlySet<string> =>
  new Set(api?.kind === 'ProtectedApi' ? hostClaims(api.spec).map(({ host }) => host) : [])

/** An edit can't take a host away from whoever serves it, even where the edited API is the older one. */
function takenHosts(apis: readonly Of<ProtectedApi>[]): readonly Remark[] {
  const changed = apis.filter(({ news }) => news === 'changed')
  if (changed.length === 0) return []
  const holders = new Map<string, string>()
  for (const { key, parsed, before } of inOrder(apis)) {
    const still = hostsOf(parsed)
    for (const host of hostsOf(before)) if (still.has(host) && !holders.has(host)) holders.set(host, key)
  }
  return changed.flatMap(({ key, parsed, before }) => {
    const had = hostsOf(before)
    return hostClaims(parsed.spec).flatMap((claim) => {
      const holder = holders.get(claim.host)
      if (holder === undefined || holder === key || had.has(claim.host)) return []
      return [{ key, ...takenHost(claim, nameOf(holder)) }]
    })
  })
}

const nameOf = (key: string): string => key.slice(key.indexOf('/') + 1)

function conflicts(apis: readonly Of<ProtectedApi>[]): readonly Remark[] {
  const ordered = inOrder(apis).map(({ key, parsed }) => ({ key, name: nameOf(key), ...parsed.spec }))
  const found = hostProblems(ordered, allotHosts(ordered).conflicts)
  return ordered.flatMap(({ key, name }) => (found.get(name) ?? []).map((problem) => ({ key, ...problem })))
}

/** A digest or key ID imported twice: the first goes on. */
function imports(keys: readonly Of<ApiKey>[]): readonly Remark[] {
  const holders = new Map<string, string>()
  const found: Remark[] = []
  for (const { key, parsed } of keys.toSorted((a, b) => byArrival(a.form, b.form))) {
    const { delivery } = parsed.spec
    if (delivery.kind !== 'imported') continue
    for (const field of ['digest', 'keyId'] as const) {
      const holder = holders.get(delivery[field])
      if (holder === undefined) holders.set(delivery[field], key)
      else found.push(remark(key, ['spec', 'delivery', field], importedBy(delivery[field], nameOf(holder))))
    }
  }
  return found
}

const importedBy = (value: string, holder: string): string =>
  invalid(value, `it is already imported by ApiKey ${holder}, which goes on with it`)
