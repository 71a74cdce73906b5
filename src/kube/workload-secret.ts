/**
 * The Secret that holds a credential for a workload (`delivery.secretName`). We may create, patch and delete it and never
 * read it: it is looked at by a patch that changes nothing, whose answer shows metadata alone.
 */
import type { Plaintext } from '../core/plaintext.ts'
import { isAbsent, isForbidden, isInvalid } from './api-error.ts'
import { create, METADATA_ONLY, mergePatch } from './calls.ts'
import type { KubeClient } from './client.ts'
import { MANAGED_BY } from './digest-secret.ts'
import { API_KEYS, apiVersionOf, type KubeObject, type KubeOwner, SECRETS } from './objects.ts'

const TYPE = 'keyward.dev/credential'
const ATTEMPT = 'keyward.dev/attempt'
/** Written along with the data: which attempt they are of, and which version. */
const DELIVERED = 'keyward.dev/delivered-attempt'
const VERSION = 'keyward.dev/version'

/** Of one ApiKey. */
export type WorkloadPlace = {
  readonly namespace: string
  readonly name: string
  readonly owner: { readonly name: string; readonly uid: string }
}

export type Look =
  | { readonly kind: 'ours'; readonly resourceVersion: string; readonly attempt: string; readonly version: number }
  /** collected: of an ApiKey of this name that is gone, as the Secret is too once the garbage collector comes by. */
  | { readonly kind: 'missing' | 'foreign' | 'collected' | 'unknown' }

/** Ours: of our type, and this ApiKey is its controller. */
export async function lookAtWorkload(client: KubeClient, place: WorkloadPlace): Promise<Look> {
  try {
    // of another type it is refused, since a type never changes
    const patch = { type: TYPE }
    return ownership(await mergePatch(client, SECRETS, { ref: place, patch, accept: METADATA_ONLY }), place)
  } catch (error) {
    if (isAbsent(error)) return { kind: 'missing' }
    if (isInvalid(error)) return { kind: 'foreign' }
    if (isForbidden(error)) return { kind: 'unknown' }
    throw error
  }
}

function ownership({ metadata }: KubeObject, { owner }: WorkloadPlace): Look {
  const controller = metadata.ownerReferences?.find((one) => one.controller === true)
  if (controller?.uid !== owner.uid) return { kind: isOfItsName(controller, owner.name) ? 'collected' : 'foreign' }
  const { [DELIVERED]: attempt = '', [VERSION]: version = '0' } = metadata.annotations ?? {}
  return { kind: 'ours', resourceVersion: metadata.resourceVersion, attempt, version: Number(version) }
}

const isOfItsName = (controller: KubeOwner | undefined, name: string): boolean =>
  controller?.kind === API_KEYS.kind && controller.apiVersion === apiVersionOf(API_KEYS) && controller.name === name

/** @returns the resourceVersion over which that attempt, and no other, may deliver */
export async function openWorkload(
  client: KubeClient,
  place: WorkloadPlace,
  { attempt, over }: { readonly attempt: string; readonly over: string | undefined },
): Promise<string> {
  const { namespace, name, owner } = place
  if (over === undefined) {
    const object = {
      type: TYPE,
      metadata: {
        name,
        namespace,
        labels: MANAGED_BY,
        annotations: { [ATTEMPT]: attempt },
        ownerReferences: [{ apiVersion: apiVersionOf(API_KEYS), kind: API_KEYS.kind, ...owner, controller: true }],
      },
    }
    return (await create(client, SECRETS, { namespace, object })).metadata.resourceVersion
  }
  const patch = { metadata: { resourceVersion: over, annotations: { [ATTEMPT]: attempt } } }
  const answer = await mergePatch(client, SECRETS, { ref: place, patch, accept: METADATA_ONLY })
  return answer.metadata.resourceVersion
}

export type WorkloadDelivery = { readonly attempt: string; readonly over: string; readonly version: number }

export async function deliverToWorkload(
  client: KubeClient,
  place: WorkloadPlace,
  { plaintext, attempt, over, version }: WorkloadDelivery & { readonly plaintext: Plaintext },
): Promise<void> {
  const { id, secret, key } = plaintext.reveal()
  const patch = {
    metadata: { resourceVersion: over, annotations: { [DELIVERED]: attempt, [VERSION]: String(version) } },
    data: { id: base64(id), secret: base64(secret), key: base64(key) },
  }
  await mergePatch(client, SECRETS, { ref: place, patch, accept: METADATA_ONLY })
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
