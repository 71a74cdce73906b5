/** Objects as documents, in the forms that kubectl has. */
import { dump } from 'js-yaml'
import type { Stored } from './cluster.ts'
import { jsonText, printable } from './printable.ts'

const OBJECT_FORMS = ['json', 'yaml', 'name'] as const
export type ObjectForm = (typeof OBJECT_FORMS)[number]

/** As the API server has it, without the book-keeping of who wrote which field. */
export function documentOf(object: Stored): object {
  const { managedFields: _, ...metadata } = object.metadata as Stored['metadata'] & { readonly managedFields?: unknown }
  return { ...object, apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', metadata }
}

export const nameText = ({ metadata }: Stored): string => `apikey.keyward.dev/${printable(metadata.name)}\n`

export const valueText = (value: unknown, form: 'json' | 'yaml'): string =>
  form === 'json' ? jsonText(value) : yamlText(value)

/** Nothing in it is more than the printable JSON has. */
const yamlText = (value: unknown): string =>
  dump(JSON.parse(JSON.stringify(value)), { lineWidth: -1, noRefs: true }).replace(/[^\n]+/g, printable)

export const objectText = (object: Stored, form: ObjectForm): string =>
  form === 'name' ? nameText(object) : valueText(documentOf(object), form)

/** One by itself, several as a list. */
export const objectsText = (objects: readonly Stored[], form: 'json' | 'yaml'): string =>
  valueText(objects.length === 1 && objects[0] !== undefined ? documentOf(objects[0]) : listOf(objects), form)

export const listOf = (objects: readonly Stored[]): object => ({
  apiVersion: 'v1',
  kind: 'List',
  items: objects.map(documentOf),
})
