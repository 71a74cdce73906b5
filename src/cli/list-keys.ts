/** `keyward list`: the keys of a Kubernetes namespace, or of all, as the API keys page shows them. */
import { ago, momentOf, until } from './ages.ts'
import type { Cluster, Stored } from './cluster.ts'
import { factsOf, type KeyFacts, permissionsNow, standing } from './key-facts.ts'
import { listOf, nameText, type ObjectForm, valueText } from './object-text.ts'
import { Refused, wrongly } from './refused.ts'
import { type Column, type Paint, table } from './table.ts'
import type { Terminal } from './terminal.ts'

export type ListForm = 'table' | 'wide' | ObjectForm

export type ListOptions = {
  /** undefined: all of them. */
  readonly namespace: string | undefined
  readonly selector: string | undefined
  readonly output: ListForm
  readonly headers: boolean
}

export async function listKeys(cluster: Cluster, options: ListOptions, terminal: Terminal): Promise<number> {
  const { namespace, selector, output, headers } = options
  const found = await listedKeys(cluster, options)
  const objects = found.toSorted((a, b) => compare(placeOf(a), placeOf(b)))
  if (output === 'json' || output === 'yaml') {
    await terminal.out(valueText(listOf(objects), output))
    return 0
  }
  if (output === 'name') {
    await terminal.out(objects.map(nameText).join(''))
    return 0
  }
  if (objects.length === 0) {
    terminal.err(
      `there are no keys ${namespace === undefined ? 'in any Kubernetes namespace' : `in the Kubernetes namespace ${namespace}`}${selector === undefined ? '' : ` with ${selector}`}\n`,
    )
    return 0
  }
  const columns = columnsFor({
    wide: output === 'wide',
    everywhere: namespace === undefined,
    nowMs: terminal.clock.nowMs(),
  })
  await terminal.out(table(columns, objects.map(factsOf), { colours: terminal.colours, headers }))
  return 0
}

async function listedKeys(cluster: Cluster, { namespace, selector }: ListOptions): Promise<readonly Stored[]> {
  try {
    return await cluster.list('apikeys', { namespace, labelSelector: selector })
  } catch (error) {
    if (selector === undefined || !(error instanceof Refused) || error.status !== 400) throw error
    throw wrongly(`--selector: ${JSON.stringify(selector)} can't be read: ${error.message}`)
  }
}

const placeOf = ({ metadata }: Stored): string => `${metadata.namespace ?? ''}/${metadata.name}`
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const PAINTS: ReadonlyMap<string, Paint> = new Map([
  ['Active', 'good'],
  ['Pending', 'waiting'],
  ['Inactive', 'quiet'],
  ['Expired', 'bad'],
  ['Failed', 'bad'],
])

export const statusPaint = (key: KeyFacts, nowMs: number): Paint | undefined => PAINTS.get(standing(key, nowMs).phase)

export type ColumnWish = { readonly wide: boolean; readonly everywhere: boolean; readonly nowMs: number }

export function columnsFor({ wide, everywhere, nowMs }: ColumnWish): readonly Column<KeyFacts>[] {
  return [
    ...(everywhere ? [{ title: 'NAMESPACE', cell: ({ namespace }: KeyFacts) => namespace }] : []),
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'ID', cell: ({ status }) => status.keyId ?? '' },
    { title: 'ENVIRONMENT', cell: ({ spec }) => spec.environment ?? '' },
    { title: 'ACCESS NAMESPACE', cell: ({ spec }) => spec.accessNamespace ?? '' },
    { title: 'PERMISSIONS', cell: permissionsText },
    { title: 'LIMITS', cell: ({ status }) => status.limitsSummary ?? '' },
    { title: 'STATUS', cell: (key) => statusText(key, nowMs), paint: (key) => statusPaint(key, nowMs) },
    // empty until somebody recorded it
    { title: 'LAST USED', cell: ({ status }) => agoText(status.lastUsedAt, nowMs) },
    { title: 'EXPIRES', cell: ({ spec }) => expiryText(spec.expiresAt, nowMs) },
    ...(wide ? wideColumns(nowMs) : []),
  ]
}

const wideColumns = (nowMs: number): readonly Column<KeyFacts>[] => [
  { title: 'VERSION', cell: ({ status }) => String(status.credential?.version ?? '') },
  { title: 'CREATED BY', cell: ({ status }) => status.createdBy?.username ?? '' },
  { title: 'CLAIMED BY', cell: ({ status }) => status.credential?.claimedBy?.username ?? '' },
  { title: 'CUSTOMERS', cell: ({ spec }) => spec.customers?.join(', ') ?? '' },
  { title: 'FROM', cell: ({ spec }) => spec.allowedCIDRs?.join(', ') ?? '' },
  { title: 'AGE', cell: ({ createdAt }) => ago(createdAt, nowMs) },
  { title: 'DISPLAY NAME', cell: ({ spec }) => spec.displayName ?? '' },
]

/** `Inactive (suspended)`: the phase alone does not tell what can be taken back from what can not. */
export function statusText(key: KeyFacts, nowMs: number): string {
  const { phase, why } = standing(key, nowMs)
  return why === '' ? phase : `${phase} (${why})`
}

const MOST_SHOWN = 3

/** The first few, and how many more; and how many of those asked for are in force, where that is not all. */
function permissionsText(key: KeyFacts): string {
  const asked = key.spec.permissions ?? []
  const held = permissionsNow(key) ?? asked
  const shown = held.slice(0, MOST_SHOWN).join(', ')
  const more = held.length > MOST_SHOWN ? `, +${held.length - MOST_SHOWN}` : ''
  const list = held.length === 0 ? 'none' : shown + more
  return held.length === asked.length ? list : `${list} (${held.length} of ${asked.length})`
}

const agoText = (moment: string | undefined, nowMs: number): string => {
  const since = ago(moment, nowMs)
  return since === '' ? '' : `${since} ago`
}

function expiryText(expiresAt: string | undefined, nowMs: number): string {
  if (expiresAt === undefined) return 'never'
  const at = momentOf(expiresAt)
  return at === undefined ? expiresAt : until(at, nowMs)
}
