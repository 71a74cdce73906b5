/** The body of a write becomes a manifest as a file would hold it, and what it says of the object that it was made from. */
import { API_VERSION } from '../../resources/common.ts'
import { readDocuments } from '../../resources/document.ts'
import { echo } from '../../resources/echo.ts'
import { isObject } from '../../resources/problem.ts'
import type { Target } from './kinds.ts'
import { badRequest, unsupportedMediaType } from './refusal.ts'
import { FILE_ANNOTATION } from './shown.ts'

export type Draft = {
  readonly manifest: Readonly<Record<string, unknown>>
  /** undefined: none is given, so that one is to be made from `generateName`. */
  readonly name: string | undefined
  readonly generateName: string | undefined
  /** Of the object that it was made from; undefined: not said. */
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
}

export const JSON_TYPE = 'application/json'
export const YAML_TYPE = 'application/yaml'
export const MERGE_PATCH = 'application/merge-patch+json'
export const APPLY_PATCH = 'application/apply-patch+yaml'

/** As deep as a file may be. */
const MAX_DEPTH = 32

/** Of what a Content-Type says, without its parameters. */
export const mediaTypeOf = (type: string): string => type.split(';', 1)[0]?.trim().toLowerCase() || JSON_TYPE

/** A body as JSON, by what its type says it is. */
export function parsedBody(text: string, type: string, supported: readonly string[]): unknown {
  const media = mediaTypeOf(type)
  if (!supported.includes(media)) throw unsupportedMediaType(media, supported)
  const value = media.endsWith('json') ? fromJson(text) : fromYaml(text)
  if (isDeeper(value, MAX_DEPTH)) throw badRequest(`the body is nested more than ${MAX_DEPTH} deep`)
  return value
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw badRequest('the body is not JSON')
  }
}

function fromYaml(text: string): unknown {
  const { documents, problems } = readDocuments(text)
  const [problem] = problems
  if (problem !== undefined) throw badRequest(`the body, line ${problem.line}: ${problem.message}`)
  if (documents.length !== 1) throw badRequest('the body is one object')
  return documents[0]?.value
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((one) => isDeeper(one, depth - 1))
}

/** What a server writes, and nobody else. */
const SERVER_MADE = new Set([
  ...['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'],
  ...['generateName', 'managedFields', 'selfLink', 'ownerReferences', 'finalizers'],
])

export function draftOf(body: unknown, { resource, namespace, name: wanted }: Target): Draft {
  if (!isObject(body)) throw badRequest('the body is no object')
  const { apiVersion, kind, metadata, status: _status, ...rest } = body
  if (apiVersion !== API_VERSION || kind !== resource.kind) {
    throw badRequest(
      `the body is ${echo(kind)} of ${echo(apiVersion)}; what belongs here is ${resource.kind} of ${API_VERSION}`,
    )
  }
  const given = isObject(metadata) ? metadata : {}
  const { uid, resourceVersion, generateName } = given
  const name = textOf(given.name)
  if (wanted !== undefined && name !== undefined && name !== wanted) {
    throw badRequest(`metadata.name: ${echo(name)} does not match the name in the path (${echo(wanted)})`)
  }
  const within = textOf(given.namespace)
  if (resource.namespaced && within !== undefined && within !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  const kept = Object.entries(given).filter(([field, value]) => !SERVER_MADE.has(field) && value !== null)
  const own = withoutOurs(Object.fromEntries(kept))
  return {
    manifest: {
      apiVersion,
      kind,
      metadata: { ...own, ...(resource.namespaced && { namespace }), ...(wanted !== undefined && { name: wanted }) },
      ...rest,
    },
    name: wanted ?? name,
    generateName: textOf(generateName),
    uid: textOf(uid),
    resourceVersion: textOf(resourceVersion),
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

function withoutOurs(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { annotations, ...rest } = metadata
  if (!isObject(annotations)) return metadata
  const { [FILE_ANNOTATION]: _file, ...others } = annotations
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others }
}
