/** What the API server's audit log says that somebody did: the oracle of who read and wrote what. */
import type { Cluster } from './cluster.ts'
import { shippedRights } from './shipped-rights.ts'

export type Asked = {
  readonly verb: string
  readonly user: string
  readonly uri: string
  /** `secrets`, `apikeys/status`. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly code: number
  /** RBAC did not allow it; what admission refuses is no denial. */
  readonly denied: boolean
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
  readonly annotations?: { readonly 'authorization.k8s.io/decision'?: string }
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
export const askedBy = (cluster: Pick<Cluster, 'auditLog'>, user: string, since = 0): readonly Asked[] =>
  cluster
    .auditLog()
    .slice(since)
    .split('\n')
    .flatMap((line) => (line.includes(user) ? askedIn(line) : []))
    .filter((asked) => asked.user === user)

/** Of a line that says what came of a request. */
const askedIn = (line: string): readonly Asked[] =>
  parsed(line)
    .filter(({ stage }) => stage === 'ResponseComplete')
    .map(({ verb, user, requestURI, objectRef, responseStatus, annotations }) => ({
      verb,
      user: user.username,
      uri: requestURI,
      resource: [objectRef?.resource, objectRef?.subresource].filter((part) => part !== undefined).join('/'),
      namespace: objectRef?.namespace,
      name: objectRef?.name,
      code: responseStatus?.code ?? 0,
      denied: annotations?.['authorization.k8s.io/decision'] === 'forbid',
    }))

/** Where each of our ServiceAccounts may read Secrets at all. */
const READS_SECRETS: Readonly<Record<string, readonly string[]>> = {
  [OPERATOR]: ['keyward-system', 'keyward-operator'],
  [AUTHZ]: ['keyward-system'],
}

const READS = new Set(['get', 'list', 'watch'])
/** RBAC gives all of them, since it knows no types: what a policy refuses is somebody else's Secret. */
const PUTS = new Set(['create', 'update', 'patch'])

/**
 * What our ServiceAccounts asked for and never should have, a line each, such as `keyward-authz list secrets team-web`: what
 * RBAC denied them though deploy/ does not give it, every try to read a Secret elsewhere, whatever came of it, and every
 * try to write one there that a policy refused. What deploy/ does give is denied for a moment while an API server starts, and where a test takes the roles away.
 * @param log its lines
 * @param expected what a test asked for in their name, to see it denied
 */
export async function strayed(
  log: AsyncIterable<string> | Iterable<string>,
  expected: readonly RegExp[] = [],
): Promise<readonly string[]> {
  const rights = shippedRights()
  const found = new Set<string>()
  for await (const line of log) {
    // most lines are about something else, and parsing costs most
    const isAbout = line.includes('"forbid"') || line.includes('"secrets"')
    for (const asked of isAbout ? askedIn(line) : []) {
      const isAllowed = !asked.denied || rights(asked)
      if (asked.user in READS_SECRETS && (readsElsewhere(asked) || isRefusedElsewhere(asked) || !isAllowed))
        found.add(lineOf(asked))
    }
  }
  return [...found].filter((line) => !expected.some((one) => one.test(line))).sort()
}

const isElsewhere = ({ user, resource, namespace = '' }: Asked): boolean =>
  resource === 'secrets' && READS_SECRETS[user]?.includes(namespace) !== true

const readsElsewhere = (asked: Asked): boolean => isElsewhere(asked) && READS.has(asked.verb)

const isRefusedElsewhere = (asked: Asked): boolean =>
  isElsewhere(asked) && PUTS.has(asked.verb) && asked.code === 403 && !asked.denied

function lineOf({ user, verb, resource, namespace, name, uri }: Asked): string {
  const where = [namespace, name].filter((part) => part !== undefined).join('/')
  return [user.replace(/^.*:/, ''), verb, ...(resource === '' ? [uri] : [resource, where])].join(' ').trimEnd()
}

/** The Lease, by which a leader says that it lives; and questions that are asked by POST. */
const NO_WRITES = new Set(['leases', 'subjectaccessreviews'])

/** Of these, what wrote something that stays. */
export const writesIn = (asked: readonly Asked[]): readonly Asked[] =>
  asked.filter(({ verb, resource }) => WRITES.has(verb) && !NO_WRITES.has(resource))

/** The last line may not be written to its end yet. */
function parsed(line: string): Line[] {
  try {
    return [JSON.parse(line) as Line]
  } catch {
    return []
  }
}
