/** What of a route's resources a key gets to: nothing unless the route says so, and then one line up or all that is inside. */
import type { HeldAt } from './cap.ts'
import type { AccessNamespace, NamespaceTree } from './namespace.ts'
import type { Permission } from './permission.ts'
import type { KeyRecord } from './record.ts'
import type { Match, Method } from './route.ts'
import { type Visible, visibleOf } from './visible.ts'

export type Reached =
  /** The route is not bound to access namespaces, or its one resource is within reach. */
  | { readonly kind: 'all' }
  | { readonly kind: 'outside'; readonly why: string }
  /** A list route: what of it is visible, and whether that is all there is inside the key's namespace. */
  | { readonly kind: 'list'; readonly visible: Visible; readonly whole: boolean }

const ALL: Reached = { kind: 'all' }
const outside = (why: string): Reached => ({ kind: 'outside', why })

export type Reaching = {
  /** undefined: no route, where the API lets any valid key through. */
  readonly match: Match | undefined
  readonly method: Method
  readonly permission: Permission | undefined
  readonly record: KeyRecord
  readonly tree: NamespaceTree
}

/** QUERY is a GET with a body: what it lists is cut down as well. */
export const reads = (method: Method): boolean => method === 'GET' || method === 'HEAD' || method === 'QUERY'

export function reached(asked: Reaching): Reached {
  const { match, method, record, tree } = asked
  // first, also where no resource is bound: a key is good for its namespace, and an upstream is told no empty one
  const own = tree.get(record.accessNamespace)
  if (own === undefined) return outside('the access namespace of the key does not exist or is not accepted')
  if (match?.route.resource === undefined) return ALL
  const { resource, reach, id } = match.route
  const far = reach?.[own.type]
  if (far === undefined) return outside(`the route opens nothing to a key of type ${own.type}`)
  if (id !== undefined) return reachedOne(asked, { resource, far, externalId: match.parameters[id] ?? '' })
  if (reads(method)) return reachedList(asked, { resource, far })
  return far === 'within' ? ALL : outside('creating needs within, and the route says lineage')
}

type One = {
  readonly resource: AccessNamespace['type']
  readonly far: 'lineage' | 'within'
  readonly externalId: string
}

function reachedOne({ record, tree, permission }: Reaching, { resource, far, externalId }: One): Reached {
  const wanted = tree.byExternalId(resource, externalId)
  if (wanted === undefined) return outside(`no AccessNamespace of type ${resource} has this external id`)
  if (far === 'lineage') {
    return tree.lineage(record.accessNamespace).includes(wanted) ? ALL : outside('not in the lineage of the key')
  }
  // read from the resource up: a line has at most three steps, what is inside may be thousands
  const above = tree.lineage(wanted.name).slice(1)
  if (!above.some(({ name }) => name === record.accessNamespace)) return outside('not within the namespace of the key')
  return peopleHold(record, permission, wanted.name) ? ALL : outside('the people behind the key do not hold it there')
}

function reachedList({ record, tree, permission }: Reaching, { resource, far }: Omit<One, 'externalId'>): Reached {
  if (far === 'lineage') {
    const one = tree.lineage(record.accessNamespace).find(({ type }) => type === resource)
    if (one === undefined) return outside(`the lineage of the key has no ${resource}`)
    return { kind: 'list', visible: visibleOf([one]), whole: false }
  }
  const inside = tree.within(record.accessNamespace, resource)
  const held = heldAt(record, permission)
  if (held === 'everywhere') return { kind: 'list', visible: inside, whole: true }
  const visible = tree.heldWithin(record.accessNamespace, resource, held)
  return { kind: 'list', visible, whole: visible.namespaces.length === inside.namespaces.length }
}

function peopleHold(record: KeyRecord, permission: Permission | undefined, name: string): boolean {
  const held = heldAt(record, permission)
  return held === 'everywhere' || held.has(name)
}

const NOWHERE: ReadonlySet<string> = new Set()

/** A route that asks for no permission can not be held by anybody: a capped key gets nothing there. */
function heldAt({ heldWithin }: KeyRecord, permission: Permission | undefined): HeldAt {
  if (heldWithin === undefined) return 'everywhere'
  return permission === undefined ? NOWHERE : (heldWithin.get(permission) ?? NOWHERE)
}
