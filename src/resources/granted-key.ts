/** PURE: what is in force of a key whose grant is kept beside its digests: the grant, as far as it is still declared. */
import { type ApiKey, apiKey } from './api-key.ts'
import { API_VERSION } from './common.ts'
import { type Reading, readAs } from './kind.ts'
import { narrowedKey } from './narrowed-key.ts'
import { isObject } from './problem.ts'

/** A spec as it is written, as far as it decides. Few keys differ in more than their delivery. */
export type Words = {
  /** JSON of all but its delivery. */
  readonly spec: string
  /** JSON; empty where there is none. */
  readonly delivery: string
}

/** An ApiKey as it is declared. */
export type Declared = Words & { readonly namespace: string; readonly name: string; readonly deleting: boolean }

/** Never throws: what is no spec is none when it is read. */
export function wordsOf(spec: unknown): Words {
  if (!isObject(spec)) return { spec: 'null', delivery: '' }
  const { displayName: _forPeople, delivery, ...rest } = spec
  return { spec: JSON.stringify(rest), delivery: delivery === undefined ? '' : JSON.stringify(delivery) }
}

/**
 * The key that was granted, less what its ApiKey has taken away since; what the ApiKey gives waits until it is granted.
 * Where both say the same words, which is nearly always, nothing is compared.
 */
export function grantedKey(granted: Words, declared: Declared): Reading<ApiKey> {
  const is = manifestOf(declared, declared)
  const after = readAs(apiKey, is)
  if (!after.ok || (granted.spec === declared.spec && granted.delivery === declared.delivery)) return after
  const was = manifestOf(declared, granted)
  const before = readAs(apiKey, was)
  if (!before.ok) return before
  const narrowed = narrowedKey({ manifest: was, parsed: before.manifest }, { manifest: is, parsed: after.manifest })
  return { ok: true, manifest: narrowed.parsed }
}

/** Nothing else of its metadata means anything here. */
const manifestOf = ({ namespace, name, deleting }: Declared, words: Words): unknown => ({
  apiVersion: API_VERSION,
  kind: 'ApiKey',
  metadata: { namespace, name, ...(deleting && { deletionTimestamp: '' }) },
  spec: specOf(words),
})

function specOf({ spec, delivery }: Words): unknown {
  const parsed: unknown = JSON.parse(spec)
  return isObject(parsed) && delivery !== '' ? { ...parsed, delivery: JSON.parse(delivery) as unknown } : parsed
}
