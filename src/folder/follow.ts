/** A folder of manifests and the data of the standalone beside it, both another's: what they say together is kept in force. */
import { setImmediate as pause } from 'node:timers/promises'
import type { Index } from '../core/decide.ts'
import { type KeyIndex, makeKeyIndex } from '../enforce/key-index.ts'
import { type InForce, makeKeyView } from '../enforce/key-view.ts'
import { recordOf } from '../resources/key-record.ts'
import { secretInForce } from '../resources/secret-in-force.ts'
import type { AcceptedChange, Snapshot } from './accepted.ts'
import { makeInForce } from './in-force.ts'
import { openFolder } from './manifests.ts'
import { openStoreView, type Reading } from './store-view.ts'

export type FollowParts = {
  readonly manifests: string
  readonly data: string
  readonly nowMs: () => number
  readonly onReady: (keys: number, problems: number) => void
  /** Something else is in force, or something else is wrong with a manifest. */
  readonly onChange: (snapshot: Snapshot) => void
  /** What is wrong with the data for a while; undefined: nothing any more. */
  readonly onStore: (problem: string | undefined) => void
  /** How many objects give something that waits for a standalone, for a while. */
  readonly onWaiting: (objects: number) => void
}

export type Following = {
  /** undefined until all of it is in force for the first time. */
  readonly index: () => Index | undefined
  /** What is waited for; undefined: nothing. */
  readonly missing: () => string | undefined
  readonly keys: () => number
  readonly problems: () => number
  /** Goes on until it is stopped; rejects with FolderUnreadable where there is no folder to begin with. */
  readonly run: (stop: AbortSignal) => Promise<void>
}

/** How often the data is asked whether it changed: some hundred microseconds each, and a tenth of the second that is promised. */
const ASK_EVERY_MS = 100
/** A process that is about to write what it has just seen is no news. */
const TOLD_AFTER_MS = 3_000

export function follow(parts: FollowParts): Following {
  const { manifests, data, nowMs, onChange } = parts
  const store = openStoreView(data)
  const keys: KeyIndex = makeKeyIndex()
  const inForce = makeInForce(keys)
  let forms: readonly AcceptedChange[] = []
  /** The last judgement failed: it may have taken the forms, but nothing has come of them. */
  let unjudged = false
  let phase: 'store' | 'folder' | 'followed' = 'store'
  let ready = false
  let problem: string | undefined

  const folder = openFolder({
    dir: manifests,
    forms: {
      news: () => {
        const news = forms
        forms = []
        return news
      },
    },
    nowMs,
    // what is new waits for whoever keeps it, and gets its uid there
    newUid: () => 'not-accepted-yet',
  })

  /** Those of accepted ApiKeys, under the same uid and name. */
  const keyInForce = (name: string): InForce | undefined => {
    const accepted = folder.current().accepted.get(`ApiKey/${name}`)
    if (accepted?.parsed.kind !== 'ApiKey') return undefined
    const { uid, parsed: apiKey } = accepted
    const secret = store.secretOf(uid)
    if (secret?.name !== name) return undefined
    return recordOf(apiKey, secretInForce(apiKey.spec, secret, nowMs()), undefined)
  }
  const keyView = makeKeyView({ keys, inForce: keyInForce, pause })

  const take = (snapshot: Snapshot): Promise<void> => {
    inForce.update(snapshot)
    const names = snapshot.changed.flatMap(({ accepted: { kind, namespace, name } }) =>
      kind === 'ApiKey' ? [`${namespace}/${name}`] : [],
    )
    const done = keyView.update(names)
    onChange(snapshot)
    return done
  }

  const tellStore = toldAfter<string | undefined>(nowMs, parts.onStore, undefined)
  const tellWaiting = toldAfter<number>(nowMs, parts.onWaiting, 0)

  /** What is new in the data comes into force. */
  const ask = async (): Promise<boolean> => {
    const reading = await store.read()
    problem = problemIn(reading, data)
    const news = typeof reading === 'object' && 'forms' in reading ? reading : undefined
    if (news !== undefined) forms = [...forms, ...news.forms]
    if (phase === 'followed' && (forms.length > 0 || unjudged)) await rejudge()
    if (news !== undefined) await keyView.update(news.secretsOf)
    return news !== undefined || reading === 'unchanged'
  }

  const rejudge = async (): Promise<void> => {
    try {
      await folder.rejudge()
      unjudged = false
    } catch (error) {
      unjudged = true
      problem = `the manifests can't be judged again: ${error instanceof Error ? error.message : 'unknown'}`
    }
  }

  const begin = async (): Promise<void> => {
    phase = 'folder'
    const snapshot = await folder.rescan()
    await take(snapshot)
    phase = 'followed'
  }

  /** A standalone that has just made its data has accepted nothing of what stands there yet. */
  const isNew = (): boolean => folder.current().accepted.size === 0 && folder.waiting() > 0

  const beReady = (): void => {
    ready = true
    parts.onReady(keys.size(), folder.current().problems.length)
  }

  const run = async (stop: AbortSignal): Promise<void> => {
    const watching = { stop: () => {} }
    try {
      while (!stop.aborted) {
        const isRead = await ask()
        if (isRead && phase === 'store') {
          await begin()
          Object.assign(watching, folder.watch(take))
        }
        if (phase === 'followed' && !ready && !isNew()) beReady()
        if (ready) tellStore(problem)
        else parts.onStore(problem)
        tellWaiting(folder.waiting())
        await sleep(ASK_EVERY_MS, stop)
      }
    } finally {
      watching.stop()
      store.close()
    }
  }

  return {
    index: () => (ready ? inForce.index() : undefined),
    missing: () => {
      if (ready || problem !== undefined) return ready ? undefined : problem
      return phase === 'followed'
        ? `waiting for the keyward standalone of ${data} to accept the manifests`
        : 'the manifests are being loaded'
    },
    keys: keys.size,
    problems: () => folder.current().problems.length,
    run,
  }
}

function problemIn(reading: Reading, data: string): string | undefined {
  if (reading === 'absent') return `waiting for a keyward standalone that keeps its data in ${data}`
  return typeof reading === 'object' && 'problem' in reading ? reading.problem : undefined
}

/** Tells of a value once it has lasted, and of its end. */
function toldAfter<T>(nowMs: () => number, tell: (value: T) => void, none: T): (value: T) => void {
  let since = nowMs()
  let told = none
  let last = none
  return (value) => {
    if (value === none || last === none) since = nowMs()
    last = value
    if (value === told || (value !== none && nowMs() - since < TOLD_AFTER_MS)) return
    told = value
    tell(value)
  }
}

const sleep = (ms: number, stop: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stop.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    stop.addEventListener('abort', done, { once: true })
    if (stop.aborted) done()
  })
