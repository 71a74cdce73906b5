/** Whether a write may happen: everything that one object does not show alone, and everything that must be granted; one answer names it all. */
import type { AccessNamespace as Place } from '../core/namespace.ts'
import type { Permission } from '../core/permission.ts'
import { lasting, type Person } from '../core/person.ts'
import type { ApiKey } from '../resources/api-key.ts'
import type { ApiKeyClaim } from '../resources/api-key-claim.ts'
import { type Manifest, parseManifest, refusedAtCreation, refusedChanges } from '../resources/manifest.ts'
import { type FieldProblem, forbidden, invalid, problemAt } from '../resources/problem.ts'
import type { AdmissionRequest, Answer } from './admission-request.ts'
import { type Beside, misfits, newHosts } from './beside.ts'
import { type Lacking, refusalOf } from './refusal.ts'
import type { Asking, Reviews } from './reviews.ts'
import type { StampedKind, StampKeys } from './stamp.ts'
import { restoreStamp, stampNew, stampOf } from './stamped-object.ts'
import { asked } from './widening.ts'

export type AdmitParts = {
  readonly reviews: Pick<Reviews, 'may' | 'missing'>
  readonly beside: Beside & {
    /** From its organization down to it; empty: there is no such AccessNamespace. */
    readonly lineage: (name: string) => Promise<readonly Place[]>
  }
  /** As it is now: an absent one is looked for at the API server. */
  readonly apiKey: (namespace: string, name: string) => Promise<ApiKey | undefined>
  readonly stampKeys: () => StampKeys
  /** Whether a binding names the group; undefined: that isn't known yet. */
  readonly isNamedGroup: ((group: string) => boolean) | undefined
  /** Whether any role gives this person anything to grant; only for the words of a refusal. */
  readonly grantsAnything: (person: Person) => boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Nobody waits for the answer any more. */
  readonly gone?: AbortSignal | undefined
}

/** An answer may be as old as this: many writes of one person in a row are asked about once. */
const asking = ({ gone }: AdmitParts): Asking => ({ lane: 'admission', maxAgeMs: 1000, gone })

const isStamped = (kind: string): kind is StampedKind => kind === 'ApiKey' || kind === 'ApiKeyClaim'

/** Writes who asks into a new object, and restores that on an edited one. */
export function stamp(request: AdmissionRequest, parts: AdmitParts): Answer {
  const { kind, object, before, operation, namespace } = request
  if (!isStamped(kind)) return { allowed: true }
  if (operation === 'UPDATE') return { allowed: true, patch: restoreStamp(before, object) }
  const person = lasting(request.person, parts.isNamedGroup)
  const patch = stampNew(kind, { object, person, namespace, now: parts.now() }, parts.stampKeys())
  if (patch !== undefined) return { allowed: true, patch }
  return {
    allowed: false,
    code: 403,
    message: `${kind}: its creator's groups and extra fields are more than a stamp can hold (24 KiB)`,
  }
}

/** Changes nothing anywhere, so that a dry run is the same as a real one. */
export async function admit(request: AdmissionRequest, parts: AdmitParts): Promise<Answer> {
  const after = parseManifest(request.object)
  if (!after.ok) return refused(request, { problems: after.problems, lacking: undefined })
  const read = request.operation === 'UPDATE' ? parseManifest(request.before) : undefined
  // what can't be read counts as nothing: then everything must be granted
  const before = read?.ok === true ? read.manifest : undefined
  const now = parts.now()
  const problems = [
    ...(request.operation === 'CREATE' ? refusedAtCreation(after.manifest, now) : []),
    ...(before === undefined ? [] : refusedChanges(before, after.manifest, now)),
    ...misfits(before, after.manifest, { ...parts.beside, above: await above(after.manifest, parts.beside) }),
    ...(request.operation === 'CREATE' ? wrongStamp(request, parts) : []),
  ]
  const grants = await granting(
    { before, after: after.manifest, person: lasting(request.person, parts.isNamedGroup) },
    parts,
  )
  const found = { problems: [...problems, ...grants.problems], lacking: grants.lacking }
  return found.problems.length === 0 && found.lacking === undefined ? { allowed: true } : refused(request, found)
}

const above = async (after: Manifest, { lineage }: AdmitParts['beside']): Promise<readonly Place[]> =>
  after.kind === 'AccessNamespace' && after.spec.parent !== undefined ? lineage(after.spec.parent) : []

type Found = { readonly problems: readonly FieldProblem[]; readonly lacking: Lacking | undefined }

const NOTHING: Found = { problems: [], lacking: undefined }

function refused({ kind, namespace, name }: AdmissionRequest, { problems, lacking }: Found): Answer {
  const title = namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
  return { allowed: false, code: lacking === undefined ? 422 : 403, message: refusalOf({ title, problems, lacking }) }
}

/** Another webhook may have been at it, and the clocks of API server and operator may differ: better said now than by a dead key. */
function wrongStamp({ kind, object, person }: AdmissionRequest, { stampKeys }: AdmitParts): readonly FieldProblem[] {
  if (!isStamped(kind)) return []
  const found = stampOf(kind, object, stampKeys())
  const problem = !found.ok
    ? found.problem
    : found.value.person.username === person.username
      ? undefined
      : "it is somebody else's"
  return problem === undefined ? [] : [problemAt(['metadata', 'annotations'], forbidden(problem))]
}

type Change = { readonly before: Manifest | undefined; readonly after: Manifest; readonly person: Person }

/** What of it must be granted and is not. */
function granting(change: Change, parts: AdmitParts): Promise<Found> {
  const { before, after } = change
  switch (after.kind) {
    case 'ApiKey':
      return keyGranting(after, before?.kind === 'ApiKey' ? before : undefined, { ...parts, person: change.person })
    case 'ApiKeyClaim':
      return before === undefined ? claimGranting(after, { ...parts, person: change.person }) : Promise.resolve(NOTHING)
    case 'ProtectedApi':
      return hostGranting(
        newHosts(before, after).map(({ host }) => host),
        { ...parts, person: change.person },
      )
    default:
      return Promise.resolve(NOTHING)
  }
}

type By = AdmitParts & { readonly person: Person }

async function keyGranting(after: ApiKey, before: ApiKey | undefined, by: By): Promise<Found> {
  const wanted = asked(before?.spec, after.spec)
  if (wanted === undefined) return NOTHING
  const act = before === undefined ? ('create' as const) : { widened: wanted.widened }
  return { problems: [], lacking: await lackingGrants(wanted, act, by) }
}

async function claimGranting({ namespace, spec }: ApiKeyClaim, by: By): Promise<Found> {
  const key = await by.apiKey(namespace, spec.apiKey)
  if (key === undefined) {
    const right = `there is no such ApiKey in ${namespace}: make it first`
    return { problems: [problemAt(['spec', 'apiKey'], invalid(spec.apiKey, right))], lacking: undefined }
  }
  const lacking = await lackingGrants(key.spec, 'claim', by)
  return { problems: [], lacking: lacking && { ...lacking, of: `ApiKey ${namespace}/${spec.apiKey}` } }
}

type Wanted = { readonly accessNamespace: string; readonly permissions: readonly Permission[] }

async function lackingGrants(wanted: Wanted, act: Lacking['act'], by: By): Promise<Lacking | undefined> {
  const { person, reviews, grantsAnything } = by
  const missing = await reviews.missing(person, wanted, asking(by))
  if (missing.length === 0) return undefined
  const { accessNamespace, permissions } = wanted
  const hasNothing = missing.length === permissions.length && !grantsAnything(person)
  return { person, act, grant: { accessNamespace, missing, asked: permissions.length }, hosts: [], hasNothing }
}

async function hostGranting(hosts: readonly string[], by: By): Promise<Found> {
  const { person, reviews } = by
  const answers = await Promise.all(hosts.map((host) => reviews.may(person, { kind: 'serve', host }, asking(by))))
  const missing = hosts.filter((_, i) => answers[i] !== true)
  if (missing.length === 0) return NOTHING
  return { problems: [], lacking: { person, act: 'create', grant: undefined, hosts: missing, hasNothing: false } }
}
