/** PURE: label and field selectors, as kubectl writes them. */
import { isObject } from '../../resources/problem.ts'
import { valueAt } from './json-path.ts'
import { badRequest } from './refusal.ts'
import type { Shown } from './shown.ts'

export type Selects = (object: Shown) => boolean

export type Selector = {
  readonly selects: Selects
  /** The same as far as it does not ask for the status. */
  readonly selectsBesideStatus: Selects
}

const EVERYTHING: Selector = { selects: () => true, selectsBesideStatus: () => true }

/** undefined: everything is selected. */
export function selectorOf(
  { labels, fields }: { readonly labels: string; readonly fields: string },
  selectable: readonly string[],
): Selector | undefined {
  if (labels.trim() === '' && fields.trim() === '') return undefined
  return both(labelSelector(labels), fieldSelector(fields, selectable))
}

const both = (a: Selector, b: Selector): Selector => ({
  selects: (object) => a.selects(object) && b.selects(object),
  selectsBesideStatus: (object) => a.selectsBesideStatus(object) && b.selectsBesideStatus(object),
})

const FIELD = /^\s*([A-Za-z.]+)\s*(==|=|!=)\s*([^\s=!]*)\s*$/

function fieldSelector(text: string, selectable: readonly string[]): Selector {
  if (text.trim() === '') return EVERYTHING
  const known = ['metadata.name', 'metadata.namespace', ...selectable.map((path) => path.slice(1))]
  const parts = text.split(',').map((term): Selector => {
    const [, field = '', operator, wanted = ''] = FIELD.exec(term) ?? []
    if (!known.includes(field)) throw badRequest(`fieldSelector: what can be selected by is ${known.join(', ')}`)
    const selects: Selects = (object) => (String(valueAt(object, `.${field}`) ?? '') === wanted) === (operator !== '!=')
    return { selects, selectsBesideStatus: field.startsWith('status.') ? EVERYTHING.selects : selects }
  })
  return parts.reduce(both)
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

function labelSelector(text: string): Selector {
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
  const selects: Selects = (object) => parts.every((part) => part(object))
  return { selects, selectsBesideStatus: selects }
}

function labelOf({ metadata: { labels } }: Shown, label: string): string | undefined {
  const value = isObject(labels) && Object.hasOwn(labels, label) ? labels[label] : undefined
  return typeof value === 'string' ? value : undefined
}
