/** The few calls that we make, each by its own name. */
import { Trouble } from '../core/trouble.ts'
import { isAbsent } from './api-error.ts'
import type { KubeClient } from './client.ts'
import { apiVersionOf, type KubeDraft, type KubeObject, pathOf, type Ref, type Resource } from './objects.ts'

/** An answer in this form shows an object's metadata and nothing else of it. */
export const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

const MERGE_PATCH = 'application/merge-patch+json'
const APPLY_PATCH = 'application/apply-patch+yaml'

/** A live look; undefined: there is none. */
export async function get(client: KubeClient, resource: Resource, ref: Ref): Promise<KubeObject | undefined> {
  try {
    return objectOf(await client.send({ method: 'GET', path: pathOf(resource, ref) }))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

export type Listed = { readonly items: readonly KubeObject[]; readonly resourceVersion: string }

export type Choice = {
  /** undefined: all of them. */
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

const PAGE = 500

/** All of them at one moment, page by page. */
export async function list(client: KubeClient, resource: Resource, choice: Choice): Promise<Listed> {
  const items: KubeObject[] = []
  for (let token = ''; ; ) {
    const page = await listPage(client, resource, { ...choice, limit: PAGE, token })
    for (const item of page.items) items.push(item)
    if (page.token === '') return { items, resourceVersion: page.resourceVersion }
    token = page.token
  }
}

export type Page = Listed & { /** Of the next page; empty: this was the last. */ readonly token: string }

export type PageChoice = Choice & {
  readonly limit: number
  readonly token: string
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  readonly once?: boolean
}

export async function listPage(client: KubeClient, resource: Resource, choice: PageChoice): Promise<Page> {
  const { namespace, labelSelector, fieldSelector, limit, token, signal, timeoutMs, once } = choice
  const body = await client.send({
    method: 'GET',
    path: pathOf(resource, { namespace }),
    query: {
      limit: String(limit),
      ...(token !== '' && { continue: token }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    },
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(once !== undefined && { once }),
  })
  return pageOf(body)
}

function pageOf(body: unknown): Page {
  const { items, metadata } = (body ?? {}) as {
    readonly items?: unknown
    readonly metadata?: { readonly resourceVersion?: unknown; readonly continue?: unknown }
  }
  const resourceVersion = metadata?.resourceVersion
  // an empty list is written as null by some; anything else that is none would make everything vanish
  if ((items !== null && !Array.isArray(items)) || typeof resourceVersion !== 'string') throw notUnderstood()
  const objects = items ?? []
  if (!objects.every(isObject)) throw notUnderstood()
  const token = metadata?.continue
  return { items: objects, resourceVersion, token: typeof token === 'string' ? token : '' }
}

export async function create(
  client: KubeClient,
  resource: Resource,
  { namespace, object }: { readonly namespace?: string | undefined; readonly object: KubeDraft },
): Promise<KubeObject> {
  const path = pathOf(resource, { namespace })
  return objectOf(await client.send({ method: 'POST', path, body: whole(resource, object) }))
}

/** PUT over the object's own resourceVersion. @param subresource such as `status` */
export async function replace(
  client: KubeClient,
  resource: Resource,
  { object, subresource }: { readonly object: KubeObject; readonly subresource?: string },
): Promise<KubeObject> {
  const { namespace, name } = object.metadata
  const path = pathOf(resource, { namespace, name, subresource })
  return objectOf(await client.send({ method: 'PUT', path, body: whole(resource, object) }))
}

export type Patch = {
  readonly ref: Ref
  /** JSON merge patch; with metadata.resourceVersion or metadata.uid in it, these are preconditions. */
  readonly patch: unknown
  readonly subresource?: string | undefined
  readonly accept?: string | undefined
}

export async function mergePatch(
  client: KubeClient,
  resource: Resource,
  { ref, patch, subresource, accept }: Patch,
): Promise<KubeObject> {
  const path = pathOf(resource, { ...ref, subresource })
  const body = await client.send({
    method: 'PATCH',
    path,
    body: patch,
    contentType: MERGE_PATCH,
    ...(accept !== undefined && { accept }),
  })
  return objectOf(body)
}

/** Owns the fields in `object` from now on, whoever had them, and no others. */
export const serverSideApply = (
  client: KubeClient,
  { path, object, fieldManager }: { readonly path: string; readonly object: object; readonly fieldManager: string },
): Promise<unknown> =>
  client.send({
    method: 'PATCH',
    path,
    query: { fieldManager, force: 'true' },
    body: object,
    contentType: APPLY_PATCH,
  })

export type Removal = {
  readonly ref: Ref
  /** Preconditions: another one of this name is left alone (a Conflict). */
  readonly uid?: string | undefined
  readonly resourceVersion?: string | undefined
}

export async function remove(
  client: KubeClient,
  resource: Resource,
  { ref, uid, resourceVersion }: Removal,
): Promise<'removed' | 'absent'> {
  const preconditions = {
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
  }
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions }
  try {
    await client.send({ method: 'DELETE', path: pathOf(resource, ref), body })
    return 'removed'
  } catch (error) {
    if (isAbsent(error)) return 'absent'
    throw error
  }
}

const whole = (resource: Resource, object: KubeDraft): KubeDraft => ({
  ...object,
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
})

/** Whether something that was read can be taken for an object: it says which, and which writing of it. */
export function isObject(value: unknown): value is KubeObject {
  const metadata = (value as { readonly metadata?: unknown } | null | undefined)?.metadata
  if (typeof metadata !== 'object' || metadata === null) return false
  const { name, uid, resourceVersion } = metadata as Partial<KubeObject['metadata']>
  return typeof name === 'string' && typeof uid === 'string' && typeof resourceVersion === 'string'
}

function objectOf(body: unknown): KubeObject {
  if (!isObject(body)) throw notUnderstood()
  return body
}

const notUnderstood = (): Trouble => new Trouble('kube_not_understood', 'retry')
