/** Waits until the operator has done what a key's spec asks for. */
import type { Cluster, Ref } from './cluster.ts'
import { conditionOf, factsOf, isObserved, type KeyFacts } from './key-facts.ts'
import { printable } from './printable.ts'
import { passes, Stop } from './refused.ts'
import type { Terminal } from './terminal.ts'

export type KeyWait = { readonly key: Ref; readonly timeoutMs: number }

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000

/** A look of somebody who waits anyhow: an API server that is away for a moment is waited for as well. */
export async function looked<T>(look: () => Promise<T>): Promise<T | 'unknown'> {
  try {
    return await look()
  } catch (error) {
    if (passes(error)) return 'unknown'
    throw error
  }
}

async function untilKey(
  cluster: Cluster,
  {
    key,
    timeoutMs,
    done,
    refusal,
    waitedFor,
  }: KeyWait & {
    readonly done: (key: KeyFacts) => boolean
    /** Why it will not come by waiting; undefined: it may. */
    readonly refusal?: (key: KeyFacts) => string | undefined
    readonly waitedFor: (last: KeyFacts | undefined) => string
  },
  terminal: Terminal,
): Promise<KeyFacts> {
  const stop = terminal.stop()
  const endMs = terminal.clock.steadyMs() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5)) {
    const found = await looked(() => cluster.get('apikeys', key))
    if (found === undefined) throw new Stop(`the ApiKey ${key.name} was deleted while it was waited for`)
    const facts = found === 'unknown' ? undefined : factsOf(found)
    if (facts !== undefined && done(facts)) return facts
    const no = facts && refusal?.(facts)
    if (no !== undefined) throw new Stop(`the API server has the change, but ${no}`)
    if (stop.aborted)
      throw new Stop(`interrupted; the API server has the change. Still waited for: ${waitedFor(facts)}`)
    if (terminal.clock.steadyMs() >= endMs)
      throw new Stop(
        `the API server has the change, but Keyward's operator did not answer within ${timeoutMs / 1000} s. Still waited for: ${waitedFor(facts)}. Is it running?`,
      )
    await terminal.pause(pauseMs, stop)
  }
}

/** Until its status speaks of what the spec says now. */
export const untilObserved = (cluster: Cluster, wait: KeyWait, terminal: Terminal): Promise<KeyFacts> =>
  untilKey(cluster, { ...wait, done: isObserved, waitedFor: () => 'a status that speaks of the change' }, terminal)

/** Of the condition Claimed, where the operator has said no: somebody must do something first. */
const REFUSALS: ReadonlySet<string> = new Set([
  ...['SecretNotOurs', 'Conflict', 'NotAttested', 'NoRecipient', 'HandOverFailed'],
  ...['SecretMissing', 'SecretUnreadable', 'DeliveryChanged', 'KeyInactive', 'KeyExpired'],
])

function refusalOf(key: KeyFacts, version: number): string | undefined {
  const claimed = conditionOf(key, 'Claimed')
  if (!isObserved(key) || claimed === undefined || claimed.status === 'True' || !REFUSALS.has(claimed.reason))
    return undefined
  return `version ${version} of the credential was not handed over (${claimed.reason}): ${printable(claimed.message)}`
}

/** Until a version has been handed over by itself, into the Secret of a workload. */
export const untilDelivered = (
  cluster: Cluster,
  wait: KeyWait & { readonly version: number },
  terminal: Terminal,
): Promise<KeyFacts> =>
  untilKey(
    cluster,
    {
      ...wait,
      done: (key) => isObserved(key) && (key.status.credential?.version ?? 0) >= wait.version,
      refusal: (key) => refusalOf(key, wait.version),
      waitedFor: (last) => {
        const why = last && conditionOf(last, 'Claimed')?.message
        return `version ${wait.version} of the credential${why === undefined ? '' : ` (${printable(why)})`}`
      },
    },
    terminal,
  )
