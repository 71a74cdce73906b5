/** A manifest of any of the five kinds: read, or refused with every problem; and what an update or a creation may not do. */
import { type AccessNamespace, accessNamespace, CHANGES as NAMESPACE_CHANGES } from './access-namespace.ts'
import { type ApiKey, apiKey } from './api-key.ts'
import { expiredAtCreation, CHANGES as KEY_CHANGES } from './api-key-changes.ts'
import { type ApiKeyClaim, apiKeyClaim, CHANGES as CLAIM_CHANGES } from './api-key-claim.ts'
import type { Change } from './change.ts'
import { API_VERSION } from './common.ts'
import { type Reading, readAs } from './kind.ts'
import { PASTED_KEY, pastedKey } from './pasted-key.ts'
import { type FieldProblem, forbidden, invalid, isObject, problemAt, required, unsupported } from './problem.ts'
import { type ProtectedApi, protectedApi } from './protected-api.ts'
import { type TokenIssuer, tokenIssuer } from './token-issuer.ts'

export type Manifest = ApiKey | AccessNamespace | ProtectedApi | TokenIssuer | ApiKeyClaim
export type ManifestKind = Manifest['kind']

export type { FieldProblem } from './problem.ts'

/** How an object of each kind is read; its schema is what the CRD is made from. */
export const KINDS = {
  AccessNamespace: accessNamespace,
  ApiKey: apiKey,
  ApiKeyClaim: apiKeyClaim,
  ProtectedApi: protectedApi,
  TokenIssuer: tokenIssuer,
} as const

const READERS: Readonly<Record<ManifestKind, (value: unknown) => Reading<Manifest>>> = {
  AccessNamespace: (value) => readAs(accessNamespace, value),
  ApiKey: (value) => readAs(apiKey, value),
  ApiKeyClaim: (value) => readAs(apiKeyClaim, value),
  ProtectedApi: (value) => readAs(protectedApi, value),
  TokenIssuer: (value) => readAs(tokenIssuer, value),
}

const CLUSTER_SCOPED: ReadonlySet<string> = new Set<ManifestKind>(['AccessNamespace', 'TokenIssuer'])

const isKind = (kind: unknown): kind is ManifestKind => typeof kind === 'string' && Object.hasOwn(KINDS, kind)

/** Reads a manifest, or names everything that is wrong with it, in the order of its fields. */
export function parseManifest(value: unknown): Reading<Manifest> {
  if (!isObject(value)) return { ok: false, problems: [problemAt([], invalid(value, 'a manifest is a mapping'))] }
  const { kind } = value
  const pasted = pastedKey(value)
  if (pasted !== undefined) return { ok: false, problems: [problemAt(pasted, forbidden(PASTED_KEY))] }
  return isKind(kind) ? READERS[kind](value) : { ok: false, problems: unknownKind(value) }
}

function unknownKind({ apiVersion, kind }: Readonly<Record<string, unknown>>): readonly FieldProblem[] {
  const problems: FieldProblem[] = []
  if (apiVersion === undefined) problems.push(problemAt(['apiVersion'], required(API_VERSION)))
  else if (apiVersion !== API_VERSION) problems.push(problemAt(['apiVersion'], unsupported(apiVersion, [API_VERSION])))
  const kinds = Object.keys(KINDS)
  problems.push(
    problemAt(['kind'], kind === undefined ? required(`one of ${kinds.join(', ')}`) : unsupported(kind, kinds)),
  )
  return problems
}

/**
 * What an update would change that stays as it is.
 * @param now milliseconds since 1970, for what an expired key can't have any more; 0: whether it has expired is not looked at
 */
export function refusedChanges(before: Manifest, after: Manifest, now = 0): readonly FieldProblem[] {
  if (before.kind === 'ApiKey' && after.kind === 'ApiKey') {
    return refused(KEY_CHANGES, { before: before.spec, after: after.spec, now })
  }
  if (before.kind === 'AccessNamespace' && after.kind === 'AccessNamespace') {
    return refused(NAMESPACE_CHANGES, { before: before.spec, after: after.spec, now })
  }
  if (before.kind === 'ApiKeyClaim' && after.kind === 'ApiKeyClaim') {
    return refused(CLAIM_CHANGES, { before: before.spec, after: after.spec, now })
  }
  return before.kind === after.kind
    ? []
    : [problemAt(['kind'], forbidden(`it was ${before.kind}: an object of another kind is another object`))]
}

type Update<Spec> = { readonly before: Spec; readonly after: Spec; readonly now: number }

const refused = <Spec>(changes: readonly Change<Spec>[], { before, after, now }: Update<Spec>): FieldProblem[] =>
  changes.flatMap(({ check }) => {
    const finding = check(before, after, now)
    return finding === undefined ? [] : [problemAt(['spec', ...finding.at], finding.message)]
  })

/** What a new object may not be, though one that has been there may. @param now milliseconds since 1970 */
export function refusedAtCreation(manifest: Manifest, now: number): readonly FieldProblem[] {
  const finding = manifest.kind === 'ApiKey' ? expiredAtCreation(manifest, now) : undefined
  return finding === undefined ? [] : [problemAt(['spec', ...finding.at], finding.message)]
}

/** Which object a manifest is about, as far as that can be told even of a bad one; cluster-scoped kinds have no namespace. */
export function identityOf(
  value: unknown,
): { readonly kind: string; readonly namespace: string; readonly name: string } | undefined {
  if (!isObject(value) || typeof value.kind !== 'string' || !isObject(value.metadata)) return undefined
  const { name, namespace } = value.metadata
  if (typeof name !== 'string' || name === '') return undefined
  if (CLUSTER_SCOPED.has(value.kind)) return { kind: value.kind, namespace: '', name }
  return { kind: value.kind, namespace: typeof namespace === 'string' ? namespace : 'default', name }
}
