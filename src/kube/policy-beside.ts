/** Policy that is in force, for whoever judges what is to come beside it; worked out anew only after something changed. */
import type { AccessNamespace, HeldIds, NamespaceTree } from '../core/namespace.ts'
import type { KubeClient } from './client.ts'
import type { Held } from './holders.ts'
import { type Look, makeLooks } from './looks.ts'
import { ACCESS_NAMESPACES } from './objects.ts'
import { accessNamespaceOf } from './policy.ts'
import { hostsHeld, lastReadable, placesIn } from './policy-in-force.ts'
import type { Policy, PolicyKind, Seen, SeenApi } from './policy-status.ts'

export type PolicyBesideParts = { readonly client: KubeClient; readonly policy: () => Policy }

export type PolicyBeside = {
  /** To be told of every change: what could be read once goes on. */
  readonly remember: (kind: PolicyKind, key: string, now: Seen<unknown> | undefined) => void
  /**
   * From its organization down to it; itself alone where it has no place in the tree. What nobody heard of yet is looked for
   * at the API server, since who makes a tree makes the parent a moment before the child. Empty: there is none.
   *
   * @param gone whoever asked waits no longer
   */
  readonly lineage: (name: string, gone: AbortSignal | undefined) => Promise<readonly AccessNamespace[]>
  /** Whose each external id is. */
  readonly heldIds: () => HeldIds
  /** `namespace/name` of the ProtectedApi that has the host. */
  readonly hostHolder: (host: string) => string | undefined
}

/** Types above one another: nothing lies deeper. */
const DEEPEST = 4
/** Few: a parent is looked for only while nobody has heard of it. */
const LOOKS_AT_ONCE = 4

export function makePolicyBeside({ client, policy }: PolicyBesideParts): PolicyBeside {
  const look = makeLooks({ client, most: LOOKS_AT_ONCE })
  const namespaces = lastReadable<AccessNamespace>()
  const apis = lastReadable<SeenApi>()
  let ids: Held = new Map()
  let hosts: Held = new Map()
  let placed: { readonly tree: NamespaceTree; readonly known: ReadonlyMap<string, AccessNamespace> } | undefined
  let hostsAreCurrent = false

  const places = () => {
    if (placed !== undefined) return placed
    const ordered = namespaces.inOrder(policy().namespaces)
    const { tree, held } = placesIn(ids, ordered)
    ids = held
    const known = new Map(ordered.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])))
    placed = { tree, known }
    return placed
  }

  const lineage = async (
    name: string,
    gone: AbortSignal | undefined,
    depth = 1,
  ): Promise<readonly AccessNamespace[]> => {
    const { tree, known } = places()
    const line = tree.lineage(name)
    if (line.length > 0) return line.toReversed()
    const misplaced = known.get(name)
    if (misplaced !== undefined) return [misplaced]
    const found = depth > DEEPEST ? undefined : await looked(look, name, gone)
    if (found === undefined) return []
    const above = found.parent === undefined ? [] : await lineage(found.parent, gone, depth + 1)
    return [...above, found]
  }

  return {
    remember: (kind, key, now) => {
      if (kind === 'AccessNamespace') {
        namespaces.remember(key, now as Seen<AccessNamespace> | undefined)
        placed = undefined
      }
      if (kind === 'ProtectedApi') {
        apis.remember(key, now as Seen<SeenApi> | undefined)
        hostsAreCurrent = false
      }
    },
    lineage: (name, gone) => lineage(name, gone),
    heldIds: () => {
      places()
      return ids
    },
    hostHolder: (host) => {
      if (!hostsAreCurrent) hosts = hostsHeld(hosts, apis.inOrder(policy().apis))
      hostsAreCurrent = true
      return hosts.get(host)?.name
    },
  }
}

async function looked(look: Look, name: string, gone: AbortSignal | undefined): Promise<AccessNamespace | undefined> {
  const object = await look(ACCESS_NAMESPACES, { name }, gone)
  const read = object && accessNamespaceOf(object).read
  return read?.kind === 'read' ? read.value : undefined
}
