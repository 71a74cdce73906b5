/** What `kubectl auth can-i --list` says of a ServiceAccount, in a form that people compare: a line per resource, sorted. */
import type { Cluster } from './cluster.ts'

export type Account = { readonly name: string; readonly namespace: string }

/** Verbs by resource; `leases.coordination.k8s.io (keyward-operator)` where it is about names. */
export type Rights = ReadonlyMap<string, ReadonlySet<string>>

/** Of whom the API server knows nothing: what it may, everybody may who is signed in. */
const ANYBODY: Account = { name: 'anybody', namespace: 'default' }

/** What the account may in each of these Kubernetes namespaces, beyond what everybody may. */
export async function rightsOf(
  cluster: Cluster,
  account: Account,
  places: readonly string[],
): Promise<ReadonlyMap<string, Rights>> {
  const everybodys = await canI(cluster, ANYBODY, 'default')
  const all = await Promise.all(places.map((place) => canI(cluster, account, place)))
  return new Map(places.map((place, i) => [place, without(all[i] ?? new Map(), everybodys)]))
}

export function without(rights: Rights, others: Rights): Rights {
  const left = [...rights].map(([resource, verbs]) => {
    const common = others.get(resource)
    return [resource, new Set([...verbs].filter((verb) => common?.has(verb) !== true))] as const
  })
  return new Map(left.filter(([, verbs]) => verbs.size > 0))
}

/** `secrets: list watch`. */
export const linesOf = (rights: Rights): readonly string[] =>
  [...rights].map(([resource, verbs]) => `${resource}: ${[...verbs].sort().join(' ')}`).sort()

async function canI(cluster: Cluster, { name, namespace }: Account, within: string): Promise<Rights> {
  const serviceAccount = await cluster.serviceAccount(name, namespace)
  const args = ['auth', 'can-i', '--list', '--no-headers', '-n', within]
  const { stdout, stderr, status } = await cluster.kubectl(args, { serviceAccount })
  if (status !== 0) throw new Error(stderr)
  const rights = new Map<string, ReadonlySet<string>>()
  for (const row of stdout.split('\n').filter((line) => line.trim() !== '')) {
    const { resource, verbs } = parsed(row)
    rights.set(resource, new Set([...(rights.get(resource) ?? []), ...verbs]))
  }
  return rights
}

/** A row: a resource, paths, names and verbs, the last three in brackets. */
function parsed(row: string): { readonly resource: string; readonly verbs: readonly string[] } {
  const [, resource = '', paths = '', names = '', verbs = ''] =
    /^(\S*)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]\s*$/.exec(row) ?? []
  if (verbs === '') throw new Error(`a row of kubectl that can't be read: ${row}`)
  const named = names === '' ? '' : ` (${names.split(' ').sort().join(' ')})`
  return { resource: `${resource}${paths}${named}`, verbs: verbs.split(' ') }
}
