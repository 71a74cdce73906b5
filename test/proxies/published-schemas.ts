/** Manifests judged by what their projects publish: custom resource definitions and protobuf files. A field that is in neither is wrong. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { loadAll } from 'js-yaml'
import protobuf from 'protobufjs'

type Schema = { readonly [keyword: string]: unknown }
export type Document = { readonly [field: string]: unknown }

export const documentsOf = (text: string): readonly Document[] => loadAll(text) as readonly Document[]

type Definition = {
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } }[]
  }
}

/** Schemas of custom resources by `group/version Kind`. */
export function customResources(folder: string): ReadonlyMap<string, Schema> {
  const found = new Map<string, Schema>()
  for (const file of readdirSync(join(folder, 'crds'))) {
    for (const document of documentsOf(readFileSync(join(folder, 'crds', file), 'utf8'))) {
      if (document?.kind !== 'CustomResourceDefinition') continue
      const { spec } = document as unknown as Definition
      for (const { name, schema } of spec.versions) {
        found.set(`${spec.group}/${name} ${spec.names.kind}`, withEnvelope(schema.openAPIV3Schema))
      }
    }
  }
  return found
}

/** What every resource has, which some definitions leave out. */
const withEnvelope = (schema: Schema): Schema => ({
  ...schema,
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    ...(schema.properties as Schema),
  },
})

const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })

/** What is wrong with a value, in words; rules in CEL are not judged. */
export function problemsBy(schema: Schema, value: unknown): readonly string[] {
  const validate = ajv.compile(closed(schema) as Schema)
  if (validate(value)) return []
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  )
}

/** Conditions on a value that is described elsewhere: they list some of its properties, not all. */
const CONDITIONS = new Set(['oneOf', 'anyOf', 'allOf', 'not'])

/** An API server drops fields that are not listed, without a word: here they are errors. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const own = schema as Schema
  const inner = Object.fromEntries(
    Object.entries(own).map(([key, value]) => [
      key,
      CONDITIONS.has(key) ? value : key === 'properties' ? closedEach(value as Schema) : closed(value),
    ]),
  )
  if (own['x-kubernetes-int-or-string'] === true) return { type: ['integer', 'string'] }
  const open = own['x-kubernetes-preserve-unknown-fields'] === true || 'additionalProperties' in own
  return own.properties === undefined || open ? inner : { ...inner, additionalProperties: false }
}

const closedEach = (properties: Schema): Schema =>
  Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, closed(schema)]))

/** A message type of the published protobuf files. */
export function messageType(folder: string, { file, type }: { file: string; type: string }): protobuf.Type {
  const root = new protobuf.Root()
  root.resolvePath = (_from, wanted) =>
    join(folder, 'proto', wanted.startsWith('google/') ? 'common-protos' : '', wanted)
  return root.loadSync(file).lookupType(type)
}

/** What is wrong with a message in its JSON form. */
export function problemsOf(type: protobuf.Type, value: unknown, at = ''): readonly string[] {
  if (type.fullName === '.google.protobuf.Duration') {
    return typeof value === 'string' && /^\d+(\.\d+)?s$/.test(value) ? [] : [`${at} is no duration in seconds`]
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at} is no object`]
  return [
    ...Object.entries(value).flatMap(([name, inner]) => fieldProblems(type, { name, inner, at: `${at}/${name}` })),
    ...type.oneofsArray
      .filter(({ oneof }) => oneof.filter((name) => name in value).length > 1)
      .map(({ oneof }) => `${at} has more than one of ${oneof.join(', ')}`),
  ]
}

type At = { readonly name: string; readonly inner: unknown; readonly at: string }

function fieldProblems(type: protobuf.Type, { name, inner, at }: At): readonly string[] {
  const field = type.fields[name]?.resolve() ?? inlined(type, name)
  if (field === undefined) return [`${at} is no field of ${type.name}`]
  if (field.map) {
    const entries = Object.entries((inner ?? {}) as Document)
    return entries.flatMap(([key, each]) => valueProblems(field, each, `${at}/${key}`))
  }
  if (!field.repeated) return valueProblems(field, inner, at)
  return Array.isArray(inner)
    ? inner.flatMap((each, i) => valueProblems(field, each, `${at}/${i}`))
    : [`${at} is no list`]
}

/** Kubernetes writes the fields of a member that is named after its type (ingressRuleValue) among those around it. */
function inlined(type: protobuf.Type, name: string): protobuf.Field | undefined {
  for (const member of type.fieldsArray) {
    const { resolvedType } = member.resolve()
    const named = resolvedType?.name.toLowerCase() === member.name.toLowerCase()
    if (named && resolvedType instanceof protobuf.Type && name in resolvedType.fields) {
      return resolvedType.fields[name]?.resolve()
    }
  }
  return undefined
}

function valueProblems(field: protobuf.Field, value: unknown, at: string): readonly string[] {
  const { resolvedType } = field
  if (resolvedType instanceof protobuf.Type) return problemsOf(resolvedType, value, at)
  if (resolvedType instanceof protobuf.Enum) {
    return typeof value === 'string' && value in resolvedType.values ? [] : [`${at} is no ${resolvedType.name}`]
  }
  const wanted = field.type === 'string' ? 'string' : field.type === 'bool' ? 'boolean' : 'number'
  return value !== null && typeof value === wanted ? [] : [`${at} is no ${wanted}`]
}
