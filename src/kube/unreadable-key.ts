/** PURE: what is said of an ApiKey that can't be read, for which a definition must have been loosened or be of another version. */
import { conditionsOf } from '../core/condition.ts'
import { Trouble } from '../core/trouble.ts'
import { parseReported, type ReportedCondition } from '../resources/key-status.ts'
import { sameJson } from '../resources/same-json.ts'
import type { KubeObject } from './objects.ts'

/** Nothing is done for it: what is kept of it stays, and nothing new is granted. */
export class UnreadableKey extends Trouble {
  readonly object: KubeObject
  readonly fields: readonly string[]

  constructor(object: KubeObject, fields: readonly string[]) {
    super('api_key_unreadable', 'stop')
    this.name = 'UnreadableKey'
    this.object = object
    this.fields = fields
  }
}

export const UNREADABLE = 'SpecUnreadable'

const MOST_FIELDS = 8

/** By the names of its fields alone: what stands in them may be anything. */
export function wordsFor({ fields }: UnreadableKey): string {
  const named = [...new Set(fields)].filter((field) => field !== '').slice(0, MOST_FIELDS)
  const which = named.length === 0 ? 'its spec' : named.join(', ')
  return `this version of Keyward can't read ${which}: nothing is changed until it is right; compare the CRDs with this version`
}

export type UnreadableStatus = {
  readonly phase: 'Failed'
  readonly observedGeneration: number
  readonly conditions: readonly ReportedCondition[]
}

/** Its other conditions stay. undefined: it says so already. */
export function unreadableStatus(error: UnreadableKey, nowMs: number): UnreadableStatus | undefined {
  const { status, metadata } = error.object
  const { conditions: before, whole } = parseReported(status)
  const generation = metadata.generation ?? 1
  const ready = { type: 'Ready', status: 'False', reason: UNREADABLE, message: wordsFor(error) } as const
  const conditions = [
    ...conditionsOf([ready], before, { generation, nowMs }),
    ...before.filter(({ type }) => type !== ready.type),
  ]
  const next = { phase: 'Failed', observedGeneration: generation, conditions } as const
  const says = (whole ?? {}) as Partial<UnreadableStatus>
  const { phase, observedGeneration } = says
  return sameJson({ phase, observedGeneration, conditions: says.conditions }, next) ? undefined : next
}
