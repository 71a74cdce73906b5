/** A zod schema as the structural schema of a CRD: patterns become CEL rules, so that their words are ours. */
import { z } from 'zod'
import { type Cel, celText } from '../cel.ts'
import type { SchemaMeta } from '../common.ts'
import { KEY, PASTED_KEY } from '../pasted-key.ts'

export type Validation = {
  readonly rule: string
  readonly message: string
  readonly messageExpression?: string
  readonly fieldPath?: string
  readonly reason?: string
}

export type Structural = {
  type?: string
  format?: string
  description?: string | undefined
  default?: unknown
  nullable?: boolean
  enum?: readonly unknown[]
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
  maxProperties?: number
  required?: readonly string[]
  properties?: Record<string, Structural>
  additionalProperties?: Structural
  items?: Structural
  'x-kubernetes-list-type'?: string
  'x-kubernetes-list-map-keys'?: readonly string[]
  'x-kubernetes-preserve-unknown-fields'?: true
  'x-kubernetes-validations'?: Validation[]
}

type Json = SchemaMeta &
  Omit<Structural, 'properties' | 'additionalProperties' | 'items'> & {
    readonly pattern?: string
    readonly not?: unknown
    readonly properties?: Readonly<Record<string, Json>>
    readonly additionalProperties?: Json | false
    readonly items?: Json
  }

export const structuralOf = (schema: z.ZodType): Structural =>
  converted(
    z.toJSONSchema(schema, {
      target: 'openapi-3.0',
      io: 'input',
      reused: 'inline',
      unrepresentable: 'any',
    }) as Json,
  )

const COPIED = [
  'type',
  'format',
  'default',
  'enum',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const

function converted(json: Json): Structural {
  // nothing fits: whatever is given, and were it null, comes as far as the rule that refuses it by its name
  if (json.not !== undefined) {
    return { description: sentence(json.description), nullable: true, 'x-kubernetes-preserve-unknown-fields': true }
  }
  const node: Structural = { description: sentence(json.description) }
  for (const field of COPIED) if (json[field] !== undefined) Object.assign(node, { [field]: json[field] })
  if (json.type === 'integer') node.format = 'int64'
  if (json.items !== undefined) {
    node.items = converted(json.items)
    node['x-kubernetes-list-type'] ??= 'atomic'
  }
  if (json.properties !== undefined) addProperties(node, json.properties)
  else if (json.additionalProperties !== undefined && json.additionalProperties !== false) {
    node.additionalProperties = converted(json.additionalProperties)
  }
  if (json.hidden === undefined) addValidations(node, formRules(json, 'self'))
  return node
}

function addProperties(node: Structural, properties: Readonly<Record<string, Json>>): void {
  node.properties = Object.fromEntries(Object.entries(properties).map(([name, json]) => [name, converted(json)]))
  for (const [name, json] of Object.entries(properties)) {
    const field = `.${name}`
    if (json.hidden === true) {
      // from above, the API server names the field without showing what stands there
      const rules = formRules(json, `self${field}`)
      addValidations(
        node,
        rules.map((one) => ({ ...one, rule: `!has(self${field}) || ${one.rule}`, field })),
      )
    }
    if (json.not !== undefined) {
      const message = json.right ?? 'it is never given'
      const rule = `dyn(self).all(k, k != ${celText(name)})`
      addValidations(node, [{ rule, message, field, reason: 'FieldValueForbidden' }])
    }
  }
}

/** What a pattern says, as rules on the value that CEL calls `value`. */
function formRules({ pattern, right, rightSays, holdsKeys }: Json, value: string): readonly Cel[] {
  const rules: Cel[] = []
  if (pattern !== undefined) {
    if (right === undefined) throw new Error(`a pattern without words: ${pattern}`)
    const says = rightSays === undefined ? {} : { says: rightSays }
    rules.push({ rule: `${value}.matches(${celText(pattern)})`, message: right, ...says })
  }
  if (holdsKeys === true) {
    const rule = `!${value}.matches(${celText(KEY.source)})`
    rules.push({ rule, message: PASTED_KEY, reason: 'FieldValueForbidden' })
  }
  return rules
}

export function addValidations(node: Structural, rules: readonly Cel[]): void {
  if (rules.length === 0) return
  const validations = rules.map(
    ({ rule, message, says, field, reason }): Validation => ({
      rule,
      message,
      ...(says !== undefined && { messageExpression: says }),
      ...(field !== undefined && { fieldPath: field }),
      ...(reason !== undefined && { reason }),
    }),
  )
  node['x-kubernetes-validations'] = [...(node['x-kubernetes-validations'] ?? []), ...validations]
}

/** The node at `routes[].path`. */
export function nodeAt(node: Structural, path: string): Structural {
  let at: Structural | undefined = node
  for (const step of path.split('.').filter((one) => one !== '')) {
    const list: boolean = step.endsWith('[]')
    at = at?.properties?.[list ? step.slice(0, -2) : step]
    if (list) at = at?.items
  }
  if (at === undefined) throw new Error(`no field ${path}`)
  return at
}

/** Descriptions begin small, since messages go on with them; people read sentences. */
function sentence(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  const whole = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.?!]$/.test(whole) ? whole : `${whole}.`
}
