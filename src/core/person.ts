/** PURE: somebody as the API server knows them and as they are kept: name, uid, groups that matter, and what else bears on rights. */

export type Person = {
  readonly username: string
  /** Empty where the authenticator gives none. */
  readonly uid: string
  /** Sorted. */
  readonly groups: readonly string[]
  /** Sorted by name; scopes and the like, which an authorizer may look at. */
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** Somebody who is proven to have done something, and when: milliseconds since 1970. */
export type Attested = { readonly person: Person; readonly at: number }

/**
 * Which pod, node and token a ServiceAccount came with. They say nothing of what it may do, and change with every token: with
 * them one ServiceAccount would be as many people as it had tokens.
 */
const OF_ONE_TOKEN = 'authentication.kubernetes.io/'

/**
 * As they are asked about later: only groups that some binding names, since the others can't give anything.
 * @param isNamed whether a binding names the group; undefined: that isn't known, so all of them are kept
 */
export const lasting = (person: Person, isNamed: ((group: string) => boolean) | undefined): Person => ({
  ...person,
  groups: isNamed === undefined ? person.groups : person.groups.filter(isNamed),
  extra: Object.fromEntries(Object.entries(person.extra).filter(([name]) => !name.startsWith(OF_ONE_TOKEN))),
})

/** The same for the same person, whatever order groups came in. */
export const personKey = ({ username, uid, groups, extra }: Person): string =>
  JSON.stringify([username, uid, groups, extra])

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/

/** undefined: not a ServiceAccount. */
export function serviceAccountOf({
  username,
}: Pick<Person, 'username'>): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] = SERVICE_ACCOUNT.exec(username) ?? []
  return namespace === undefined || name === undefined ? undefined : { namespace, name }
}
