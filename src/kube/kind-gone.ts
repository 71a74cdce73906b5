/** Whether the API server itself says that it knows a kind no more: a 404 alone may come from anything in between. */
import { isNotFound } from './api-error.ts'
import type { KubeClient } from './client.ts'
import { apiVersionOf, type Resource } from './objects.ts'

type Fields = Readonly<Record<string, unknown>>

/** @returns false as well where the answer is none of that kind; kinds of the core are never gone. */
export async function isKindGone(client: KubeClient, resource: Resource, signal: AbortSignal): Promise<boolean> {
  if (resource.group === '') return false
  const ask = (path: string): Promise<unknown> => client.send({ method: 'GET', path, once: true, signal })
  try {
    return leavesOut(await ask(`/apis/${apiVersionOf(resource)}`), resource)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  return knowsNoSuchVersion(await ask('/apis'), resource)
}

/** Discovery of the version names what it serves, and this is not among it. */
function leavesOut(body: unknown, resource: Resource): boolean {
  const { kind, groupVersion, resources } = fieldsOf(body)
  if (kind !== 'APIResourceList' || groupVersion !== apiVersionOf(resource) || !Array.isArray(resources)) return false
  return !resources.some((one) => fieldsOf(one).name === resource.plural)
}

/** With the last kind of a group its discovery goes too. */
function knowsNoSuchVersion(body: unknown, resource: Resource): boolean {
  const { kind, groups } = fieldsOf(body)
  if (kind !== 'APIGroupList' || !Array.isArray(groups)) return false
  const group = groups.map(fieldsOf).find(({ name }) => name === resource.group)
  if (group === undefined) return true
  const { versions } = group
  return Array.isArray(versions) && !versions.some((one) => fieldsOf(one).groupVersion === apiVersionOf(resource))
}

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})
