/** PURE: objects as the rows that `kubectl get` prints, with the columns of the CRDs. */

import { valueAt } from './json-path.ts'
import type { Resource } from './kinds.ts'
import type { Shown } from './shown.ts'

const NAME = { name: 'Name', type: 'string', format: 'name', description: 'The name of the object.', priority: 0 }

/** What stands in `Accept` where rows are wanted. */
export const wantsTable = (accept: string): boolean => /(^|[,;\s])as=Table(?=[;,\s]|$)/.test(accept)

export const columnsOf = ({ columns }: Resource): readonly object[] => [
  NAME,
  ...columns.map(({ name, type, description = '', priority = 0 }) => ({
    name,
    type,
    format: '',
    description,
    priority,
  })),
]

export function rowOf({ columns }: Resource, object: Shown, nowMs: number): object {
  const cells = columns.map(({ type, jsonPath }) => {
    const value = valueAt(object, jsonPath)
    if (value === undefined) return type === 'date' ? '<none>' : type === 'integer' ? null : ''
    return type === 'date' ? ageOf(Date.parse(String(value)), nowMs) : value
  })
  return {
    cells: [object.metadata.name, ...cells],
    object: { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: object.metadata },
  }
}

export const TABLE = { kind: 'Table', apiVersion: 'meta.k8s.io/v1' } as const

const UNITS = [
  ['y', 365 * 86_400, 2 * 365 * 86_400],
  ['d', 86_400, 2 * 86_400],
  ['h', 3600, 3 * 3600],
  ['m', 60, 120],
] as const

/** How long ago, in one unit: `45s`, `12m`, `5h`, `30d`. */
function ageOf(atMs: number, nowMs: number): string {
  if (Number.isNaN(atMs)) return '<unknown>'
  const seconds = Math.max(0, Math.floor((nowMs - atMs) / 1000))
  const [unit, size] = UNITS.find(([, , from]) => seconds >= from) ?? ['s', 1]
  return `${Math.floor(seconds / size)}${unit}`
}
