/** Whether a write may happen: everything that one object does not show alone, and everything that must be granted; one answer names it all. */
import type { AccessNamespace as Place } from '../core/namespace.ts'
import type { Permission } from '../core/permission.ts'
import { lasting, type Person } from '../core/person.ts'
import { Trouble } from '../core/trouble.ts'
import type { ApiKey } from '../resources/api-key.ts'
import type { ApiKeyClaim } from '../resources/api-key-claim.ts'
import { type Manifest, parseManifest, refusedAtCreation, refusedChanges } from '../resources/manifest.ts'
import { type FieldProblem, invalid, problemAt } from '../resources/problem.ts'
import type { AdmissionRequest, Answer } from './admission-request.ts'
import { type Asker, askerOf, isStamped, UNKNOWN_KEY } from './asker.ts'
import { type Beside, misfits, newHosts } from './beside.ts'
import { type Lacking, refusalOf } from './refusal.ts'
import type { Asking, Reviews } from './reviews.ts'
import { MOST_STAMPED_KIB, type StampKeys } from './stamp.ts'
import { restoreStamp, stampNew } from './stamped-object.ts'
import { asked } from './widening.ts'

export type AdmitParts = {
  readonly reviews: Pick<Reviews, 'may' | 'missing'>
  readonly beside: Beside & {
    /** From its organization down to it; empty: there is no such AccessNamespace. */
    readonly lineage: (name: string, gone: AbortSignal | undefined) => Promise<readonly Place[]>
  }
  /** As it is now: an absent one is looked for at the API server. */
  readonly apiKey: (namespace: string, name: string, gone: AbortSignal | undefined) => Promise<ApiKey | undefined>
  readonly stampKeys: () => StampKeys
  /** Looks for keys that another replica may have read before this one; now and then only, however often it is called. */
  readonly newerKeys: () => Promise<void>
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
    message: `${kind}: its creator's groups and extra fields are more than a stamp can hold (${MOST_STAMPED_KIB} KiB)`,
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
  const asker = await provenAsker(request, parts)
  const problems = [
    ...(request.operation === 'CREATE' ? refusedAtCreation(after.manifest, now) : []),
    ...(before === undefined ? [] : refusedChanges(before, after.manifest, now)),
    ...misfits(before, after.manifest, { ...parts.beside, above: await above(after.manifest, parts) }),
    ...asker.problems,
  ]
  const grants = await granting({ before, after: after.manifest, asker }, parts)
  const found = { problems: [...problems, ...grants.problems], lacking: grants.lacking }
  return found.problems.length === 0 && found.lacking === undefined ? { allowed: true } : refused(request, found)
}

async function provenAsker(request: AdmissionRequest, parts: AdmitParts): Promise<Asker> {
  try {
    return askerOf(request, parts)
  } catch (error) {
    if (!(error instanceof Trouble && error.code === UNKNOWN_KEY)) throw error
    await parts.newerKeys()
    return askerOf(request, parts)
  }
}

const above = async (after: Manifest, { beside, gone }: AdmitParts): Promise<readonly Place[]> =>
  after.kind === 'AccessNamespace' && after.spec.parent !== undefined ? beside.lineage(after.spec.parent, gone) : []

type Found = { readonly problems: readonly FieldProblem[]; readonly lacking: Lacking | undefined }

const NOTHING: Found = { problems: [], lacking: undefined }

function refused({ kind, namespace, name }: AdmissionRequest, { problems, lacking }: Found): Answer {
  const title = namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
  return { allowed: false, code: lacking === undefined ? 422 : 403, message: refusalOf({ title, problems, lacking }) }
}

type Change = { readonly before: Manifest | undefined; readonly after: Manifest; readonly asker: Asker }

/** What of it must be granted and is not. */
function granting({ before, after, asker }: Change, parts: AdmitParts): Promise<Found> {
  const by = { ...parts, asker }
  switch (after.kind) {
    case 'ApiKey':
      return keyGranting(after, before?.kind === 'ApiKey' ? before : undefined, by)
    case 'ApiKeyClaim':
      return before === undefined ? claimGranting(after, by) : Promise.resolve(NOTHING)
    case 'ProtectedApi':
      return hostGranting(
        newHosts(before, after).map(({ host }) => host),
        by,
      )
    default:
      return Promise.resolve(NOTHING)
  }
}

type By = AdmitParts & { readonly asker: Asker }

async function keyGranting(after: ApiKey, before: ApiKey | undefined, by: By): Promise<Found> {
  const wanted = asked(before?.spec, after.spec)
  if (wanted === undefined) return NOTHING
  const act = before === undefined ? ('create' as const) : { widened: wanted.widened }
  return { problems: [], lacking: await lackingGrants(wanted, act, by) }
}

async function claimGranting({ namespace, spec }: ApiKeyClaim, by: By): Promise<Found> {
  const wrong = (right: string): Found => ({
    problems: [problemAt(['spec', 'apiKey'], invalid(spec.apiKey, right))],
    lacking: undefined,
  })
  const key = await by.apiKey(namespace, spec.apiKey, by.gone).catch(unlessUnreadable)
  if (key === 'unreadable') return wrong("this version of Keyward can't read that ApiKey: its conditions say why")
  if (key === undefined) return wrong(`there is no such ApiKey in ${namespace}: make it first`)
  const lacking = await lackingGrants(key.spec, 'claim', by)
  return { problems: [], lacking: lacking && { ...lacking, of: `ApiKey ${namespace}/${spec.apiKey}` } }
}

function unlessUnreadable(error: unknown): 'unreadable' {
  if (error instanceof Trouble && error.code === 'api_key_unreadable') return 'unreadable'
  throw error
}

type Wanted = { readonly accessNamespace: string; readonly permissions: readonly Permission[] }

async function lackingGrants(wanted: Wanted, act: Lacking['act'], by: By): Promise<Lacking | undefined> {
  const { asker, reviews, grantsAnything } = by
  const { person, unstamped } = asker
  const missing = await reviews.missing(person, wanted, asking(by))
  if (missing.length === 0) return undefined
  const { accessNamespace, permissions } = wanted
  const hasNothing = missing.length === permissions.length && unstamped.length === 0 && !grantsAnything(person)
  const grant = { accessNamespace, missing, asked: permissions.length }
  return { person, act, grant, hosts: [], hasNothing, unstamped }
}

async function hostGranting(hosts: readonly string[], by: By): Promise<Found> {
  const { asker, reviews } = by
  const { person } = asker
  const answers = await Promise.all(hosts.map((host) => reviews.may(person, { kind: 'serve', host }, asking(by))))
  const missing = hosts.filter((_, i) => answers[i] !== true)
  if (missing.length === 0) return NOTHING
  const lacking = { person, act: 'create', grant: undefined, hosts: missing, hasNothing: false, unstamped: [] } as const
  return { problems: [], lacking }
}
