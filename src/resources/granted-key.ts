/** PURE: what is in force of a key whose grant is kept beside its digests: the grant, as far as it is still declared. */
import { parseDigest, parseKeyId } from '../core/credential.ts'
import { type ApiKey, type ApiKeySpec, apiKey } from './api-key.ts'
import { API_VERSION, sure } from './common.ts'
import { type Reading, readAs } from './kind.ts'
import { type KeyManifest, narrowedKey } from './narrowed-key.ts'
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

export type GrantedKeys = (granted: Words, declared: Declared) => Reading<ApiKey>

/**
 * The key that was granted, less what its ApiKey has taken away since; what the ApiKey gives waits until it is granted.
 * Where both say the same words, which is nearly always, nothing is compared; and what many keys say is read once, so that
 * they have it in common.
 */
export function grantedKeys(): GrantedKeys {
  const specOf = specReader()
  return (granted, declared) => {
    const after = specOf(declared)
    if (!after.ok) return after
    if (granted.spec === declared.spec && granted.delivery === declared.delivery) return keyOf(declared, after.manifest)
    const before = specOf(granted)
    if (!before.ok) return before
    const narrowed = narrowedKey(said(declared, granted, before.manifest), said(declared, declared, after.manifest))
    return keyOf(declared, narrowed.parsed.spec)
  }
}

const keyOf = ({ namespace, name, deleting }: Declared, spec: ApiKeySpec): Reading<ApiKey> & { readonly ok: true } => ({
  ok: true,
  manifest: { kind: 'ApiKey', namespace, name, spec, ...(deleting && { deleting }) },
})

const said = (declared: Declared, words: Words, spec: ApiKeySpec): KeyManifest => ({
  manifest: manifestOf(words),
  parsed: keyOf(declared, spec).manifest,
})

/** As the API server writes the delivery of an imported key. */
const IMPORTED = /^\{"digest":"(sha256:[0-9a-f]{64})","keyId":"((kw_(?:prod|stag|dev)_)[0-9A-Za-z]{12})"\}$/
/** In the place of what is every imported key's own; it passes wherever that does. */
const SOME_DIGEST = `sha256:${'0'.repeat(64)}`
const SOME_ID = '0'.repeat(12)
const REMEMBERED = 1024

function specReader(): (words: Words) => Reading<ApiKeySpec> {
  const known = new Map<string, Reading<ApiKeySpec>>()
  const read = (words: Words): Reading<ApiKeySpec> => {
    const text = `${words.delivery}${words.spec}`
    const before = known.get(text)
    if (before !== undefined) return before
    const reading = readAs(apiKey, manifestOf(words))
    const spec: Reading<ApiKeySpec> = reading.ok ? { ok: true, manifest: reading.manifest.spec } : reading
    if (known.size >= REMEMBERED) known.clear()
    known.set(text, spec)
    return spec
  }
  return (words) => {
    const [, digest, keyId, prefix] = IMPORTED.exec(words.delivery) ?? []
    if (digest === undefined || keyId === undefined) return read(words)
    const some = read({
      spec: words.spec,
      delivery: JSON.stringify({ digest: SOME_DIGEST, keyId: `${prefix}${SOME_ID}` }),
    })
    if (!some.ok) return some
    const delivery = { kind: 'imported' as const, digest: sure(parseDigest(digest)), keyId: sure(parseKeyId(keyId)) }
    return { ok: true, manifest: { ...some.manifest, delivery } }
  }
}

/** Nothing else of its metadata means anything here. */
const manifestOf = ({ spec, delivery }: Words): unknown => {
  const parsed: unknown = JSON.parse(spec)
  return {
    apiVersion: API_VERSION,
    kind: 'ApiKey',
    metadata: { name: 'of-no-matter' },
    spec: isObject(parsed) && delivery !== '' ? { ...parsed, delivery: JSON.parse(delivery) as unknown } : parsed,
  }
}
