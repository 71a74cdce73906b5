/** What decisions read: the accepted manifests compiled, exchanged as a whole whenever the folder changes. */
import type { Index } from '../core/decide.ts'
import { compileHosts, type HostTable } from '../core/host.ts'
import { buildTree, type NamespaceTree } from '../core/namespace.ts'
import type { KeyIndex } from '../enforce/key-index.ts'
import { compileApi } from '../resources/protected-api.ts'
import type { Snapshot } from './accepted.ts'

export type InForce = {
  /** undefined until the first snapshot. */
  readonly index: () => Index | undefined
  readonly update: (snapshot: Snapshot) => void
}

export function makeInForce(keys: Pick<KeyIndex, 'find'>): InForce {
  let index: Index | undefined
  return {
    index: () => index,
    update: (snapshot) => {
      const touched = new Set(snapshot.changed.map(({ accepted }) => accepted.kind))
      const hosts = index === undefined || touched.has('ProtectedApi') ? hostsOf(snapshot) : index.hosts
      const tree = index === undefined || touched.has('AccessNamespace') ? treeOf(snapshot) : index.tree
      index = { findKey: keys.find, hosts, tree }
    },
  }
}

// the snapshot is in the order of who came first, and the first has the host or the external id

function hostsOf({ accepted }: Snapshot): HostTable {
  const apis = [...accepted.values()].flatMap(({ parsed }) =>
    parsed.kind === 'ProtectedApi' ? [compileApi(parsed)] : [],
  )
  return compileHosts(apis).hosts
}

function treeOf({ accepted }: Snapshot): NamespaceTree {
  const namespaces = [...accepted.values()].flatMap(({ parsed }) =>
    parsed.kind === 'AccessNamespace' ? [{ name: parsed.name, ...parsed.spec }] : [],
  )
  return buildTree(namespaces).tree
}
