/** The tree of access namespaces: who is whose parent, what lies on the way up, what lies inside. */
import { type Visible, visibleOf } from './visible.ts'

export const NAMESPACE_TYPES = ['organization', 'application', 'workspace', 'userGroup'] as const
export type NamespaceType = (typeof NAMESPACE_TYPES)[number]

export type AccessNamespace = {
  readonly name: string
  readonly type: NamespaceType
  readonly parent: string | undefined
  /** Its id in URLs and at the upstream; unique per type. */
  readonly externalId: string
}

/** How far a key gets on a route: the one resource of a type on its way up, or all of that type inside. */
export const REACHES = ['lineage', 'within'] as const
export type Reach = (typeof REACHES)[number]

/** Which parents a type may have; an organization has none. */
export const PARENT_TYPES: Readonly<Record<NamespaceType, readonly NamespaceType[]>> = {
  organization: [],
  application: ['organization'],
  workspace: ['application'],
  userGroup: ['application', 'organization'],
}

/** In one word, for programs. */
export type MisfitReason =
  | 'ExternalIdTaken'
  | 'ParentNotAllowed'
  | 'ParentMissing'
  | 'ParentWrongType'
  | 'ParentNotAccepted'

export type NamespaceProblem = {
  readonly name: string
  readonly reason: MisfitReason
  readonly field: 'parent' | 'externalId'
  readonly problem: string
}

export type NamespaceTree = {
  readonly get: (name: string) => AccessNamespace | undefined
  readonly byExternalId: (type: NamespaceType, externalId: string) => AccessNamespace | undefined
  /** From the namespace up to its organization, itself first; empty for an unknown name. */
  readonly lineage: (name: string) => readonly AccessNamespace[]
  /** The external ids on the way up, one place per type in the order of NAMESPACE_TYPES; empty where there is none. */
  readonly idsUp: (name: string) => readonly string[]
  /** Every namespace of the type inside the named one; itself is not inside. */
  readonly within: (name: string, type: NamespaceType) => Visible
  /** Those of them whose names are among `held`, a set that never changes: it is asked again for every request. */
  readonly heldWithin: (name: string, type: NamespaceType, held: ReadonlySet<string>) => Visible
}

const NOTHING: readonly AccessNamespace[] = []
const NOTHING_VISIBLE: Visible = visibleOf(NOTHING)

/**
 * Builds the tree from namespaces in the order of who came first: where two claim one external id, the first has it.
 * What does not fit is left out and named, together with everything below it.
 * @param held whose an external id is whatever the order, by `externalKey`; whoever that is need not be among them
 */
export function buildTree(
  all: readonly AccessNamespace[],
  held: HeldIds = NOBODY,
): {
  readonly tree: NamespaceTree
  readonly problems: readonly NamespaceProblem[]
} {
  const byName = new Map(all.toReversed().map((namespace) => [namespace.name, namespace]))
  const accepted = new Map<string, AccessNamespace>()
  const external = new Map<string, AccessNamespace>()
  const problems: NamespaceProblem[] = []
  // parents first, so that what hangs below a refused namespace is refused with it
  for (const type of NAMESPACE_TYPES) {
    for (const namespace of all) {
      if (namespace.type !== type || byName.get(namespace.name) !== namespace) continue
      const problem = misfit(namespace, { byName, accepted, external, held })
      if (problem === undefined) {
        accepted.set(namespace.name, namespace)
        external.set(externalKey(type, namespace.externalId), namespace)
      } else problems.push({ name: namespace.name, ...problem })
    }
  }
  return { tree: treeOf(accepted, external), problems }
}

type Growing = {
  readonly byName: ReadonlyMap<string, AccessNamespace>
  readonly accepted: ReadonlyMap<string, AccessNamespace>
  readonly external: ReadonlyMap<string, AccessNamespace>
  readonly held: HeldIds
}

export type HeldIds = ReadonlyMap<string, { readonly name: string }>

const NOBODY: HeldIds = new Map()

/** An external id as it is unique. */
export const externalKey = (type: NamespaceType, externalId: string) => `${type}/${externalId}`

type Misfit = Omit<NamespaceProblem, 'name'>

function misfit(namespace: AccessNamespace, { byName, accepted, external, held }: Growing): Misfit | undefined {
  const { type, parent, externalId } = namespace
  const key = externalKey(type, externalId)
  const holder = external.get(key)?.name ?? held.get(key)?.name ?? namespace.name
  if (holder !== namespace.name) {
    const problem = `${externalId} is already the ${type} ${holder}`
    return { reason: 'ExternalIdTaken', field: 'externalId', problem }
  }
  const misplaced = (reason: MisfitReason, problem: string): Misfit => ({ reason, field: 'parent', problem })
  if (type === 'organization') {
    // a parent above it could close a circle
    return parent === undefined ? undefined : misplaced('ParentNotAllowed', 'an organization has no parent')
  }
  const above = byName.get(parent ?? '')
  if (above === undefined) return misplaced('ParentMissing', `there is no AccessNamespace ${parent ?? ''}`)
  if (!PARENT_TYPES[type].includes(above.type)) {
    const right = `above type ${type} stands type ${PARENT_TYPES[type].join(' or ')}`
    return misplaced('ParentWrongType', `${above.name} is of type ${above.type}; ${right}`)
  }
  if (!accepted.has(above.name)) return misplaced('ParentNotAccepted', `${above.name} is not accepted itself`)
  return undefined
}

function treeOf(
  accepted: ReadonlyMap<string, AccessNamespace>,
  external: ReadonlyMap<string, AccessNamespace>,
): NamespaceTree {
  const children = Map.groupBy(accepted.values(), ({ parent }) => parent)
  const lineages = new Map<string, readonly AccessNamespace[]>()
  const insides = new Map<string, Visible>()
  const helds = new WeakMap<ReadonlySet<string>, Map<Visible, Visible>>()

  const lineage = (name: string): readonly AccessNamespace[] => {
    const known = lineages.get(name)
    if (known !== undefined) return known
    const namespace = accepted.get(name)
    if (namespace === undefined) return NOTHING
    const line = [namespace, ...(namespace.parent === undefined ? NOTHING : lineage(namespace.parent))]
    lineages.set(name, line)
    return line
  }

  const ups = new Map<string, readonly string[]>()
  const idsUp = (name: string): readonly string[] => {
    const known = ups.get(name)
    if (known !== undefined) return known
    const ids = NAMESPACE_TYPES.map((type) => lineage(name).find((one) => one.type === type)?.externalId ?? '')
    if (accepted.has(name)) ups.set(name, ids)
    return ids
  }

  const collect = (name: string, type: NamespaceType): AccessNamespace[] =>
    (children.get(name) ?? []).flatMap((child) => [
      ...(child.type === type ? [child] : []),
      ...collect(child.name, type),
    ])

  const within = (name: string, type: NamespaceType): Visible => {
    const key = `${type}/${name}`
    const known = insides.get(key)
    if (known !== undefined) return known
    if (!accepted.has(name)) return NOTHING_VISIBLE
    const inside = visibleOf(collect(name, type).sort((a, b) => (a.name < b.name ? -1 : 1)))
    insides.set(key, inside)
    return inside
  }

  const heldWithin = (name: string, type: NamespaceType, held: ReadonlySet<string>): Visible => {
    const inside = within(name, type)
    const known = helds.get(held)?.get(inside)
    if (known !== undefined) return known
    const visible = visibleOf(inside.namespaces.filter((one) => held.has(one.name)))
    helds.set(held, (helds.get(held) ?? new Map<Visible, Visible>()).set(inside, visible))
    return visible
  }

  return {
    get: (name) => accepted.get(name),
    byExternalId: (type, externalId) => external.get(externalKey(type, externalId)),
    lineage,
    idsUp,
    within,
    heldWithin,
  }
}
