/** PURE: whose rights a write needs. For what is new those of whoever its stamp names, since that is whom it goes by for life. */
import { lasting, type Person, serviceAccountOf } from '../core/person.ts'
import { Trouble } from '../core/trouble.ts'
import { type FieldProblem, forbidden, problemAt } from '../resources/problem.ts'
import { sameJson } from '../resources/same-json.ts'
import type { AdmissionRequest } from './admission-request.ts'
import { FOREIGN_KEY, type StampedKind, type StampKeys } from './stamp.ts'
import { stampOf } from './stamped-object.ts'

export type Asker = {
  readonly person: Person
  /** What is wrong with the stamp. */
  readonly problems: readonly FieldProblem[]
  /** Groups that count by now, and that the stamp does not have. */
  readonly unstamped: readonly string[]
}

export type AskerParts = {
  readonly stampKeys: () => StampKeys
  /** Whether a binding names the group; undefined: that isn't known yet. */
  readonly isNamedGroup: ((group: string) => boolean) | undefined
}

export const isStamped = (kind: string): kind is StampedKind => kind === 'ApiKey' || kind === 'ApiKeyClaim'

/** The code of the trouble with a stamp by a key that isn't known here; it may be once the keys are read again. */
export const UNKNOWN_KEY = 'stamp_key_unknown'

/** Another webhook may have been at the stamp, and the clocks of API server and operator may differ: better said now than by a dead key. */
export function askerOf(request: AdmissionRequest, { stampKeys, isNamedGroup }: AskerParts): Asker {
  const { kind, operation, object } = request
  const asking = { person: lasting(request.person, isNamedGroup), problems: [], unstamped: [] }
  if (operation !== 'CREATE' || !isStamped(kind)) return asking
  const found = stampOf(kind, object, stampKeys())
  // whoever stamped it, or this replica, has not read the keys since they were exchanged
  if (!found.ok && found.problem === FOREIGN_KEY) throw new Trouble(UNKNOWN_KEY, 'retry')
  const wrong = (problem: string): Asker => ({
    ...asking,
    problems: [problemAt(['metadata', 'annotations'], forbidden(problem))],
  })
  if (!found.ok) return wrong(found.problem)
  const { person } = found.value
  const problem = foreign(person, request.person) ?? withoutUid(person)
  if (problem !== undefined) return wrong(problem)
  const unstamped = isNamedGroup === undefined ? [] : asking.person.groups.filter((one) => !person.groups.includes(one))
  return { person, problems: [], unstamped }
}

/** A ServiceAccount counts for life by its uid, which its own tokens name, and who acts as one may leave out. */
const withoutUid = (person: Person): string | undefined =>
  serviceAccountOf(person) === undefined || person.uid !== ''
    ? undefined
    : `it names ${person.username} without a uid, so that it could not be told from a later one: use a token of that ServiceAccount, or name its uid as well (kubectl --as-uid)`

/** A replica that made the stamp may know other bindings than this one, so it may name other groups; but only groups of theirs. */
function foreign(stamped: Person, asking: Person): string | undefined {
  const { username, uid, extra } = lasting(asking, undefined)
  if (stamped.username !== username || stamped.uid !== uid || !sameJson(stamped.extra, extra))
    return "it is somebody else's"
  const theirs = new Set(asking.groups)
  return stamped.groups.every((group) => theirs.has(group)) ? undefined : 'it names groups that are not theirs'
}
