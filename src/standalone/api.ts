/** The API's half of the wiring: the objects in force, shown and written over port 8088, and the claims that are made there. */
import { formatTime } from '../core/condition.ts'
import type { KeyRef } from '../core/key-ref.ts'
import { versionDue } from '../core/version.ts'
import { type Accepted, type FolderProblem, objectKey, type Snapshot, titleOf } from '../folder/accepted.ts'
import { type Claim, type Claims, type ClaimsParts, openClaims } from '../folder/claims.ts'
import type { Folder } from '../folder/manifests.ts'
import type { Store } from '../folder/store.ts'
import { CLAIM_LIFE_MS, delivered, denied, UNANSWERED } from '../kube/claim-status.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import type { Log } from '../runtime/log.ts'
import { nowMs, random, uuid } from '../runtime/system.ts'
import type { StandaloneConfig } from './config.ts'
import { type Book, openBook } from './rest/book.ts'
import { makeGuard } from './rest/guard.ts'
import { makeRest, type Rest } from './rest/serve.ts'
import { makeStanding } from './rest/standing.ts'

export type ApiParts = {
  readonly config: StandaloneConfig
  readonly store: Store
  readonly token: string
  readonly version: string
  readonly log: Log
}

/** The API of the objects in force. */
export function restOf({ config, store, token, version, log }: ApiParts, { folder, claims, missing }: Showing) {
  const accepted = () => folder.current().accepted
  const { statusOf, forget } = makeStanding({
    reported: (held) => (held.kind === 'ApiKeyClaim' ? claims.statusOf(objectKey(held)) : store.statuses.get(held.uid)),
    problemsOf: problemsIn(folder),
    nowMs,
  })
  const book = openBook(
    {
      find: (key) => accepted().get(key) ?? claims.find(key),
      all: function* () {
        yield* accepted().values()
        yield* claims.all()
      },
      statusOf,
      forget,
    },
    nowMs(),
  )
  const rest: Rest = makeRest({
    book,
    statusOf,
    submit: (submission) => (submission.key.startsWith('ApiKeyClaim/') ? claims : folder).submit(submission),
    guard: makeGuard(token, config.listen),
    version,
    missing,
    onFault: (error) => log.error({ fault: error instanceof Error ? error.name : 'unknown' }, 'an API request failed'),
    nowMs,
    random,
  })
  return { book, rest }
}

export type Facing = { readonly book: Book; readonly rest: Rest }

export const TOLD: Readonly<Record<'came' | 'changed' | 'went', (book: Book, claim: Accepted) => void>> = {
  came: (book, claim) => book.came(claim),
  changed: (book, claim) => book.touched(objectKey(claim)),
  went: (book, claim) => book.went(claim),
}

type Showing = {
  readonly folder: Folder
  readonly claims: Claims
  readonly missing: () => string | undefined
}

type Claiming = Pick<ClaimsParts, 'onChange' | 'wake'> & { readonly folder: Folder }

export function claimsOf({ store, log }: ApiParts, { folder, onChange, wake }: Claiming): Claims {
  const secretOf = (key: KeyRef): KeySecret | undefined => {
    const kept = store.secrets.get(declaredIn(folder, key)?.uid ?? '')
    return kept?.kind === 'read' ? kept.secret : undefined
  }
  return openClaims({
    kept: store.claims,
    sealing: () => import('../kube/seal.ts'),
    words: {
      delivered: (claim, what) => delivered(what, { claim: asKubeObject(claim), nowMs: nowMs() }),
      denied: (claim, why) => {
        const { namespace, name, apiKey } = claim
        const fields = { claim: `${namespace}/${name}`, key: `${namespace}/${apiKey}`, reason: why.reason }
        log.warn(fields, 'a claim was denied')
        return denied(why, { claim: asKubeObject(claim), nowMs: nowMs() })
      },
      unanswered: UNANSWERED,
    },
    lifeMs: CLAIM_LIFE_MS,
    nowMs,
    newUid: uuid,
    dueOf: (key) => {
      const spec = declaredIn(folder, key)?.apiKey.spec
      return spec && versionDue(spec.regenerate, secretOf(key)?.rotations ?? 0)
    },
    secretOf,
    onChange,
    wake,
  })
}

const asKubeObject = ({ uid, namespace, name, madeMs }: Claim) => ({
  metadata: { uid, namespace, name, generation: 1, resourceVersion: '', creationTimestamp: formatTime(madeMs) },
})

/** An ApiKey as it is in force. */
export function declaredIn(folder: Folder, { namespace, name }: KeyRef) {
  const accepted = folder.current().accepted.get(`ApiKey/${namespace}/${name}`)
  if (accepted?.parsed.kind !== 'ApiKey') return undefined
  return { uid: accepted.uid, generation: accepted.generation, apiKey: accepted.parsed }
}

/** Those of one object; grouped once for each snapshot. */
function problemsIn(folder: Folder) {
  const grouped = new WeakMap<object, ReadonlyMap<string, readonly FolderProblem[]>>()
  return (named: Parameters<typeof titleOf>[0]): readonly FolderProblem[] => {
    const { problems } = folder.current()
    const known = grouped.get(problems) ?? Map.groupBy(problems, ({ object }) => object)
    grouped.set(problems, known)
    return known.get(titleOf(named)) ?? []
  }
}

/** What came, changed and went, and of what something else is to be said. */
export function enter({ changed, reported, solved }: Snapshot, book: Book): void {
  for (const { kind, accepted } of changed) {
    if (kind === 'put') book.came(accepted)
    else book.went(accepted)
  }
  const told = new Set(changed.map(({ accepted }) => objectKey(accepted)))
  for (const { object } of [...reported, ...solved]) {
    const key = object.replace(' ', object.includes('/') ? '/' : '//')
    if (object !== '' && !told.has(key)) book.touched(key)
    told.add(key)
  }
}
