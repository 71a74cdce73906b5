/** PURE: an ApiKey as a live look found it. */
import { hash } from 'node:crypto'
import { composeKeyId, type KeyId } from '../core/credential.ts'
import type { Environment } from '../core/environment.ts'
import { Trouble } from '../core/trouble.ts'
import type { Asked, Declared } from '../operator/world.ts'
import { parseManifest } from '../resources/manifest.ts'
import { isObject } from '../resources/problem.ts'
import type { KubeObject } from './objects.ts'
import { UnreadableKey } from './unreadable-key.ts'

export type ObservedKey = {
  readonly object: KubeObject
  readonly declared: Declared
  readonly asked: Asked
  /** Without what others write into it. */
  readonly status: unknown
}

/** One that can't be read is there all the same: nothing of it is taken for gone. */
export function observedKey(object: KubeObject): ObservedKey {
  const { name, namespace = '', uid, generation = 1, deletionTimestamp } = object.metadata
  const parsed = parseManifest({
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ApiKey',
    metadata: { name, namespace, ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
    spec: object.spec,
  })
  if (!parsed.ok || parsed.manifest.kind !== 'ApiKey' || !isObject(object.spec)) {
    throw new UnreadableKey(object, parsed.ok ? ['spec'] : parsed.problems.map(({ field }) => field))
  }
  return {
    object,
    declared: { uid, generation, apiKey: parsed.manifest },
    asked: { generation, spec: object.spec },
    status: withoutLastUse(object.status),
  }
}

function withoutLastUse(status: unknown): unknown {
  if (!isObject(status)) return undefined
  const { lastUsedAt: _lastUsedAt, ...ours } = status
  return ours
}

/** As a merge patch: what is not said is taken away. */
export function mergePatchOf(value: unknown): unknown {
  if (value === undefined) return null
  if (!isObject(value) || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, mergePatchOf(inner)]))
}

const MOST_TRIES = 1000

/**
 * The key ID of a new key follows from its uid, so that two who make it at one time choose the same, and one of them loses.
 * @param isFree whether nobody else has it, or had it
 */
export function freshKeyId(uid: string, environment: Environment, isFree: (keyId: KeyId) => boolean): KeyId {
  for (let count = 0; count < MOST_TRIES; count++) {
    const keyId = composeKeyId(environment, hash('sha512', `keyward key id ${count} of ${uid}`, 'buffer'))
    if (isFree(keyId)) return keyId
  }
  throw new Trouble('no_key_id_is_free', 'wait')
}
