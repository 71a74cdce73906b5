/** `keyward get`: everything about one key, in the way of kubectl describe, and why a permission is not in force. */
import { ago, momentOf, until } from './ages.ts'
import type { Cluster } from './cluster.ts'
import { type EventFacts, eventsOf } from './key-events.ts'
import {
  conditionOf,
  factsOf,
  isObserved,
  type KeyFacts,
  leavesOverlap,
  permissionsNow,
  stateOf,
  versionDue,
} from './key-facts.ts'
import { columnsFor, type ListForm, statusPaint, statusText } from './list-keys.ts'
import { checkNames, isObjectName } from './object-name.ts'
import { objectText } from './object-text.ts'
import { printable } from './printable.ts'
import { Refused, Stop } from './refused.ts'
import { coloured, table } from './table.ts'
import type { Terminal } from './terminal.ts'
import { whyNotInForce } from './withheld.ts'

export type GetOptions = {
  readonly namespace: string
  readonly name: string
  readonly output: 'text' | ListForm
  readonly headers: boolean
}

export async function getKey(cluster: Cluster, options: GetOptions, terminal: Terminal): Promise<number> {
  const { namespace, name, output, headers } = options
  checkNames([name])
  const object = await cluster.get('apikeys', { namespace, name })
  if (object === undefined) throw noSuchKey({ namespace, name, self: terminal.self })
  const nowMs = terminal.clock.nowMs()
  if (output === 'json' || output === 'yaml' || output === 'name') {
    await terminal.out(objectText(object, output))
    return 0
  }
  const key = factsOf(object)
  if (output === 'table' || output === 'wide') {
    const columns = columnsFor({ wide: output === 'wide', everywhere: false, nowMs })
    await terminal.out(table(columns, [key], { colours: terminal.colours, headers }))
    return 0
  }
  const events = await eventsOf(cluster, key)
  const place = await placeOf(cluster, key)
  await terminal.out(describeKey(key, { events, place, nowMs, colours: terminal.colours }))
  return 0
}

export const noSuchKey = (at: { readonly namespace: string; readonly name: string; readonly self: string }): Stop =>
  new Stop(
    `there is no ApiKey ${at.name} in the Kubernetes namespace ${at.namespace}; see: ${at.self} list -n ${at.namespace}, or -A for all namespaces`,
  )

export type Told = {
  readonly events: readonly EventFacts[] | undefined
  /** The access namespace in words; undefined: it can't be looked at. */
  readonly place: string | undefined
  readonly nowMs: number
  readonly colours: boolean
}

type Line = readonly [label: string, text: string]

export function describeKey(key: KeyFacts, told: Told): string {
  return [
    fields(headLines(key, told)),
    permissionLines(key, told),
    fields(limitLines(key, told)),
    fields(credentialLines(key, told)),
    conditionLines(key, told),
    eventLines(told),
  ].join('')
}

/** `Label:             text`; a line without a text is left out. */
function fields(lines: readonly Line[]): string {
  return lines
    .filter(([, text]) => text !== '')
    .map(([label, text]) => `${`${label}:`.padEnd(19)}${text}\n`)
    .join('')
}

function headLines(key: KeyFacts, { place, nowMs, colours }: Told): readonly Line[] {
  const { spec, status, labels } = key
  const named = printable(spec.accessNamespace ?? '')
  return [
    ['Name', printable(key.name)],
    ['Namespace', printable(key.namespace)],
    ['ID', printable(status.keyId ?? 'none yet')],
    ['Display name', printable(spec.displayName ?? '')],
    [
      'Labels',
      printable(
        Object.entries(labels)
          .map(([name, value]) => `${name}=${value}`)
          .join(', '),
      ),
    ],
    ['Status', coloured(printable(statusText(key, nowMs)), statusPaint(key, nowMs), colours) + readyWords(key)],
    ['Environment', printable(spec.environment ?? '')],
    ['Access namespace', place === undefined ? named : `${named} (${printable(place)})`],
    ['Created', `${printable(key.createdAt)} (${ago(key.createdAt, nowMs)} ago)${by(status.createdBy?.username)}`],
  ]
}

const by = (username: string | undefined): string => (username === undefined ? '' : `, by ${printable(username)}`)

function readyWords(key: KeyFacts): string {
  if (!isObserved(key)) return ': the operator has not looked at the last change yet'
  const ready = conditionOf(key, 'Ready')
  return ready === undefined || ready.status === 'True' ? '' : `: ${printable(ready.message)}`
}

/** Every permission that is asked for, and why one of them is not in force. */
function permissionLines(key: KeyFacts, { nowMs, colours }: Told): string {
  const held = permissionsNow(key)
  const lines = (key.spec.permissions ?? []).map((permission) => {
    const name = `  ${printable(permission).padEnd(28)} `
    if (held === undefined) return `${name}not looked at yet`
    if (held.includes(permission)) return `${name}${coloured('held', 'good', colours)}`
    return `${name}${coloured('not in force', 'bad', colours)}: ${whyNotInForce(key, permission, nowMs)}`
  })
  return `Permissions:\n${lines.map((line) => `${line}\n`).join('')}`
}

function limitLines({ spec, status }: KeyFacts, { nowMs }: Told): readonly Line[] {
  const { rateLimit, quota } = spec
  const burst = rateLimit?.burst === undefined ? '' : `, ${rateLimit.burst} at once`
  const at = momentOf(spec.expiresAt)
  const expiry = printable(spec.expiresAt ?? '')
  return [
    ['Customers', printable(spec.customers?.join(', ') ?? 'not limited to any')],
    ['Rate', rateLimit === undefined ? 'none' : printable(`${rateLimit.requests} per ${rateLimit.per}${burst}`)],
    ['Quota', quota === undefined ? 'none' : printable(`${quota.requests} per ${quota.per}`)],
    ['Used from', printable(spec.allowedCIDRs?.join(', ') ?? 'anywhere')],
    ['Expires', at === undefined ? expiry || 'never' : `${expiry} (${until(at, nowMs)})`],
    ['Last used', printable(status.lastUsedAt ?? 'not recorded')],
  ]
}

function credentialLines(key: KeyFacts, { nowMs }: Told): readonly Line[] {
  const { spec, status } = key
  const { credential } = status
  const overlap =
    spec.overlap !== undefined && leavesOverlap(spec.overlap)
      ? `, the one before goes on for ${spec.overlap} after a hand-over`
      : ''
  const previous = momentOf(credential?.previousValidUntil)
  return [
    ['Delivery', deliveryWords(key)],
    ['Version', `${versionDue(key)}${printable(overlap)}`],
    ['Rotation', spec.rotation?.every === undefined ? '' : `every ${printable(spec.rotation.every)}`],
    ['Handed over', handedOver(key, nowMs)],
    [
      'Replaced secret',
      previous === undefined
        ? ''
        : `works until ${printable(credential?.previousValidUntil ?? '')} (${until(previous, nowMs)})`,
    ],
    ['State', stateOf(key) === 'Revoked' ? 'revoked for good' : ''],
  ]
}

function deliveryWords({ spec: { delivery } }: KeyFacts): string {
  if (delivery?.secretName !== undefined) return `kept in the Secret ${printable(delivery.secretName)}`
  return delivery?.digest === undefined ? 'by claim' : 'made elsewhere, only its digest is here'
}

function handedOver({ spec: { delivery }, status: { credential } }: KeyFacts, nowMs: number): string {
  if (credential?.version === undefined) return 'nothing yet'
  const { version, claimedAt, claimedBy } = credential
  const when = claimedAt === undefined ? '' : ` at ${printable(claimedAt)} (${ago(claimedAt, nowMs)} ago)`
  const secretName = delivery?.secretName
  if (secretName !== undefined) return `version ${version}${when}, into the Secret ${printable(secretName)}`
  return `version ${version}${when}${claimedBy?.username === undefined ? '' : `, to ${printable(claimedBy.username)}`}`
}

function conditionLines({ status: { conditions } }: KeyFacts, { nowMs }: Told): string {
  if (conditions.length === 0) return 'Conditions:        none yet: is the operator running?\n'
  const rows = table(
    [
      { title: '  TYPE', cell: ({ type }) => `  ${type}` },
      { title: 'STATUS', cell: ({ status }) => status },
      { title: 'REASON', cell: ({ reason }) => reason },
      { title: 'SINCE', cell: ({ lastTransitionTime }) => ago(lastTransitionTime, nowMs) },
      { title: 'MESSAGE', cell: ({ message }) => message },
    ],
    conditions,
    { colours: false, headers: true },
  )
  return `Conditions:\n${rows}`
}

function eventLines({ events, nowMs }: Told): string {
  if (events === undefined) return 'Events:            you may not list them here\n'
  if (events.length === 0) return 'Events:            none\n'
  const rows = table(
    [
      { title: '  TYPE', cell: ({ type }) => `  ${type}` },
      { title: 'REASON', cell: ({ reason }) => reason },
      { title: 'AGE', cell: ({ at, count }) => `${ago(at, nowMs)}${count > 1 ? ` (x${count})` : ''}` },
      { title: 'MESSAGE', cell: ({ message }) => message },
    ],
    events,
    { colours: false, headers: true },
  )
  return `Events:\n${rows}`
}

const word = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

async function placeOf(cluster: Cluster, { spec }: KeyFacts): Promise<string | undefined> {
  if (spec.accessNamespace === undefined || !isObjectName(spec.accessNamespace)) return undefined
  try {
    const found = await cluster.get('accessnamespaces', { namespace: '', name: spec.accessNamespace })
    if (found === undefined) return 'there is none of this name'
    const { type, displayName } = (found.spec ?? {}) as { readonly type?: unknown; readonly displayName?: unknown }
    return [word(type), word(displayName)].filter((text) => text !== undefined).join(', ')
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}
