/** Events about objects, for people who look at them: repeats become a series, and there are never too many. */
import { Trouble } from '../core/trouble.ts'
import { makeQueue } from '../runtime/queue.ts'
import { isAlreadyExists, isNotFound } from './api-error.ts'
import { create, mergePatch } from './calls.ts'
import type { KubeClient } from './client.ts'
import { microTime } from './micro-time.ts'
import { EVENTS } from './objects.ts'

export type Regarding = {
  readonly apiVersion: string
  readonly kind: string
  /** Empty: it lies in none. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export type Note = {
  readonly regarding: Regarding
  readonly type: 'Normal' | 'Warning'
  /** CamelCase. */
  readonly reason: string
  readonly message: string
}

export type EventsParts = {
  readonly client: KubeClient
  readonly nowMs: () => number
  readonly uuid: () => string
  /** Such as `keyward.dev/operator`. */
  readonly component: string
  /** Which process. */
  readonly instance: string
}

export type Events = {
  /** Never throws, never waits; what is too much is dropped. */
  readonly note: (note: Note) => void
  readonly stop: () => Promise<void>
}

/** New events about one object within a minute; what comes more often than that helps nobody. */
const MOST_PER_OBJECT = 10
const MINUTE_MS = 60_000
/** Quiet for so long, a series is over. */
const SERIES_MS = 6 * MINUTE_MS
/** Remembered at once, sent or not. */
const MOST = 1000
const ATTEMPTS = 4

type Entry = {
  readonly note: Note
  readonly name: string
  readonly first: number
  last: number
  count: number
  /** What the server knows of; 0: nothing. */
  sent: number
  sentAt: number
  failures: number
}

export function makeEvents({ client, nowMs, uuid, component, instance }: EventsParts): Events {
  const entries = new Map<string, Entry>()
  const made = new Map<string, number>()
  let minute = 0

  /** Whether another event about this object is welcome. */
  const isWelcome = (uid: string): boolean => {
    const now = Math.floor(nowMs() / MINUTE_MS)
    if (now !== minute) made.clear()
    minute = now
    const count = made.get(uid) ?? 0
    if (count >= MOST_PER_OBJECT || made.size >= MOST) return false
    made.set(uid, count + 1)
    return true
  }

  const seriesOf = ({ count, last }: Entry) => ({ count, lastObservedTime: microTime(last) })

  const make = (entry: Entry): Promise<unknown> => {
    const { note, name, first, count } = entry
    const object = {
      metadata: { name, namespace: placeOf(note) },
      eventTime: microTime(first),
      reportingController: component,
      reportingInstance: instance.slice(0, 128),
      action: note.reason.slice(0, 128),
      reason: note.reason.slice(0, 128),
      type: note.type,
      regarding: note.regarding,
      note: bounded(note.message),
      ...(count > 1 && { series: seriesOf(entry) }),
    }
    return create(client, EVENTS, { namespace: placeOf(note), object })
  }

  const send = async (entry: Entry): Promise<void> => {
    const namespace = placeOf(entry.note)
    const { count, name } = entry
    if (entry.sent === 0) await make(entry)
    else await mergePatch(client, EVENTS, { ref: { namespace, name }, patch: { series: seriesOf(entry) } })
    entry.sent = count
    entry.sentAt = nowMs()
    entry.failures = 0
  }

  const run = async (key: string): Promise<undefined> => {
    const entry = entries.get(key)
    if (entry === undefined || entry.sent === entry.count) return
    try {
      await send(entry)
    } catch (error) {
      entry.failures += 1
      // it may have arrived the first time
      if (isAlreadyExists(error)) entry.sent = 1
      if (isPassing(error) && entry.failures < ATTEMPTS) throw error
      entries.delete(key)
    }
  }

  const queue = makeQueue({ run, concurrency: 2, onTrouble: () => {}, jitter: () => 0.5 })

  const again = (key: string, entry: Entry): void => {
    entry.count += 1
    entry.last = nowMs()
    // before it was sent at all, it goes out as soon as it can, with its count
    if (entry.sent > 0) queue.addAfter(key, entry.sentAt + MINUTE_MS - nowMs())
  }

  const begin = (key: string, note: Note): void => {
    if (!isWelcome(note.regarding.uid)) return
    const now = nowMs()
    const name = `${beginningOf(note.regarding.name)}.${uuid().replaceAll('-', '').slice(0, 16)}`
    entries.delete(key)
    entries.set(key, { note, name, first: now, last: now, count: 1, sent: 0, sentAt: 0, failures: 0 })
    const [oldest] = entries.keys()
    if (entries.size > MOST && oldest !== undefined) entries.delete(oldest)
    queue.add(key)
  }

  const note = (given: Note): void => {
    const { regarding, type, reason, message } = given
    const key = JSON.stringify([regarding.uid, type, reason, message])
    const entry = entries.get(key)
    if (entry !== undefined && nowMs() - entry.last < SERIES_MS) again(key, entry)
    else begin(key, given)
  }

  return { note, stop: queue.stop }
}

const isPassing = (error: unknown): boolean => error instanceof Trouble && error.fate === 'retry' && !isNotFound(error)

/** Where the server wants events about what lies in no namespace. */
const placeOf = ({ regarding: { namespace } }: Note): string => (namespace === '' ? 'default' : namespace)

/** A label of a name does not end in a hyphen, nor is it empty (RFC 1123): not even where a long name was cut. */
const beginningOf = (name: string): string => name.slice(0, 200).replace(/[-.]+$/, '')

/** The server takes 1 kB. */
function bounded(message: string): string {
  let text = message.slice(0, 1000)
  while (Buffer.byteLength(text) > 1000) text = text.slice(0, -1)
  return text
}
