/** What the API server's audit log says that somebody did: the oracle of who read and wrote what. */
import type { Cluster } from './cluster.ts'

export type Asked = {
  readonly verb: string
  readonly user: string
  readonly uri: string
  /** `secrets`, `apikeys/status`. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly code: number
}

type Line = {
  readonly stage: string
  readonly verb: string
  readonly requestURI: string
  readonly user: { readonly username: string }
  readonly objectRef?: {
    readonly resource?: string
    readonly namespace?: string
    readonly name?: string
    readonly subresource?: string
  }
  readonly responseStatus?: { readonly code?: number }
}

export const OPERATOR = 'system:serviceaccount:keyward-system:keyward-operator'
export const AUTHZ = 'system:serviceaccount:keyward-system:keyward-authz'

/** The log without what is about these Secrets, whose content is no secret to those who may read the log of its bodies. */
export const auditWithout = (cluster: Pick<Cluster, 'auditLog'>, secrets: readonly string[]): string =>
  cluster
    .auditLog()
    .split('\n')
    .filter((line) =>
      parsed(line).every(
        ({ objectRef }) => objectRef?.resource !== 'secrets' || !secrets.includes(objectRef.name ?? ''),
      ),
    )
    .join('\n')

const WRITES = new Set(['create', 'update', 'patch', 'delete', 'deletecollection'])

/** Where the log ends now, to read only what comes after. */
export const auditMark = (cluster: Pick<Cluster, 'auditLog'>): number => cluster.auditLog().length

/** Everything that was asked by one user since then, oldest first; what failed too. */
export function askedBy(cluster: Pick<Cluster, 'auditLog'>, user: string, since = 0): readonly Asked[] {
  return cluster
    .auditLog()
    .slice(since)
    .split('\n')
    .flatMap((line): Line[] => (line.includes(user) ? parsed(line) : []))
    .filter(({ stage, user: { username } }) => stage === 'ResponseComplete' && username === user)
    .map(({ verb, requestURI, objectRef, responseStatus }) => ({
      verb,
      user,
      uri: requestURI,
      resource: [objectRef?.resource, objectRef?.subresource].filter((part) => part !== undefined).join('/'),
      namespace: objectRef?.namespace,
      name: objectRef?.name,
      code: responseStatus?.code ?? 0,
    }))
}

/** Of these, what wrote something besides the Lease, by which a leader says that it lives. */
export const writesIn = (asked: readonly Asked[]): readonly Asked[] =>
  asked.filter(({ verb, resource }) => WRITES.has(verb) && resource !== 'leases')

/** The last line may not be written to its end yet. */
function parsed(line: string): Line[] {
  try {
    return [JSON.parse(line) as Line]
  } catch {
    return []
  }
}
