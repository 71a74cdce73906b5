/** What was told of a key in events, the oldest first. */
import { momentOf } from './ages.ts'
import type { Cluster, Stored } from './cluster.ts'
import type { KeyFacts } from './key-facts.ts'
import { Refused } from './refused.ts'

export type EventFacts = {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly at: string | undefined
  readonly count: number
}

/** undefined: one may not. */
export async function eventsOf(
  cluster: Cluster,
  { namespace, uid }: KeyFacts,
): Promise<readonly EventFacts[] | undefined> {
  try {
    const found = await cluster.list('events', { namespace, fieldSelector: `involvedObject.uid=${uid}` })
    return found.map(eventFacts).sort((a, b) => (momentOf(a.at) ?? 0) - (momentOf(b.at) ?? 0))
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

const word = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** Of core/v1, which shows an event with its own count or as a series. */
export function eventFacts({
  type,
  reason,
  message,
  lastTimestamp,
  eventTime,
  series,
  count,
  metadata,
}: Stored): EventFacts {
  const { count: seen, lastObservedTime } = (series ?? {}) as {
    readonly count?: unknown
    readonly lastObservedTime?: unknown
  }
  const times = typeof seen === 'number' ? seen : count
  return {
    type: word(type) ?? '',
    reason: word(reason) ?? '',
    message: word(message) ?? '',
    at: word(lastObservedTime) ?? word(lastTimestamp) ?? word(eventTime) ?? metadata.creationTimestamp,
    count: typeof times === 'number' ? times : 1,
  }
}
