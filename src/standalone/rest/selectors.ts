/** PURE: label and field selectors, as kubectl writes them. */
import { isObject } from '../../resources/problem.ts'
import { valueAt } from './json-path.ts'
import { badRequest } from './refusal.ts'
import type { Shown } from './shown.ts'

export type Selects = (object: Shown) => boolean

const EVERYTHING: Selects = () => true

/** undefined: everything is selected. */
export function selectorOf(
  { labels, fields }: { readonly labels: string; readonly fields: string },
  selectable: readonly string[],
): Selects | undefined {
  if (labels.trim() === '' && fields.trim() === '') return undefined
  const parts = [labelSelector(labels), fieldSelector(fields, selectable)]
  return (object) => parts.every((part) => part(object))
}

const FIELD = /^\s*([A-Za-z.]+)\s*(==|=|!=)\s*([^\s=!]*)\s*$/

function fieldSelector(text: string, selectable: readonly string[]): Selects {
  if (text.trim() === '') return EVERYTHING
  const known = ['metadata.name', 'metadata.namespace', ...selectable.map((path) => path.slice(1))]
  const parts = text.split(',').map((term): Selects => {
    const [, field = '', operator, wanted = ''] = FIELD.exec(term) ?? []
    if (!known.includes(field)) throw badRequest(`fieldSelector: what can be selected by is ${known.join(', ')}`)
    return (object) => (String(valueAt(object, `.${field}`) ?? '') === wanted) === (operator !== '!=')
  })
  return (object) => parts.every((part) => part(object))
}

const NAME = '[A-Za-z0-9][-A-Za-z0-9_./]*'
const TERMS: readonly (readonly [RegExp, (values: readonly string[]) => (value: string | undefined) => boolean])[] = [
  [
    new RegExp(`^(${NAME})\\s*(?:==|=)\\s*([-A-Za-z0-9_.]*)$`),
    ([wanted]) =>
      (value) =>
        value === wanted,
  ],
  [
    new RegExp(`^(${NAME})\\s*!=\\s*([-A-Za-z0-9_.]*)$`),
    ([unwanted]) =>
      (value) =>
        value !== unwanted,
  ],
  [
    new RegExp(`^(${NAME})\\s+in\\s*\\(([^()]*)\\)$`),
    (wanted) => (value) => value !== undefined && wanted.includes(value),
  ],
  [
    new RegExp(`^(${NAME})\\s+notin\\s*\\(([^()]*)\\)$`),
    (unwanted) => (value) => value === undefined || !unwanted.includes(value),
  ],
  [new RegExp(`^(${NAME})()$`), () => (value) => value !== undefined],
  [new RegExp(`^!\\s*(${NAME})()$`), () => (value) => value === undefined],
]

function labelSelector(text: string): Selects {
  if (text.trim() === '') return EVERYTHING
  // a comma inside of brackets divides values, not terms
  const parts = text.split(/,(?![^(]*\))/).map((term): Selects => {
    for (const [form, testOf] of TERMS) {
      const [, label, values] = form.exec(term.trim()) ?? []
      if (label === undefined || values === undefined) continue
      const fits = testOf(values.split(',').map((value) => value.trim()))
      return (object) => fits(labelOf(object, label))
    }
    throw badRequest(
      'labelSelector: a term is label=value, label!=value, label in (…), label notin (…), label or !label',
    )
  })
  return (object) => parts.every((part) => part(object))
}

function labelOf({ metadata: { labels } }: Shown, label: string): string | undefined {
  const value = isObject(labels) && Object.hasOwn(labels, label) ? labels[label] : undefined
  return typeof value === 'string' ? value : undefined
}
