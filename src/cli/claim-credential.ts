/** Claims one version of a key: asks with a public key, waits, opens the answer. Nothing is delivered to nobody: what is no longer waited for is withdrawn. */
import type { Plaintext } from '../core/plaintext.ts'
import type { Cluster, Draft, Ref, Stored } from './cluster.ts'
import { conditionsOf } from './key-facts.ts'
import { printable } from './printable.ts'
import { passes, Stop } from './refused.ts'
import { newRecipient, type Recipient } from './sealed.ts'
import type { Terminal } from './terminal.ts'
import { looked } from './wait-for-key.ts'

export type Wanted = Ref & {
  /** This version or none. */
  readonly version: number
  /** It was made by this command, so that it is there is news. */
  readonly isNew: boolean
  readonly timeoutMs: number
}

export type Claimed = {
  readonly plaintext: Plaintext
  readonly version: number
  /** Tells that it arrived; until then the claim can be read again. Never throws: it goes by itself after ten minutes. */
  readonly acknowledge: () => Promise<void>
}

type Waiting = {
  readonly cluster: Cluster
  readonly terminal: Terminal
  readonly wanted: Wanted
  readonly recipient: Recipient
  readonly claim: Stored
}

/** Throws a Stop that says what to do where it is denied, nobody answers, or somebody interrupts. */
export async function claimCredential(cluster: Cluster, wanted: Wanted, terminal: Terminal): Promise<Claimed> {
  // heard before there is a claim: one that nobody waits for any more would be answered to nobody
  const stop = terminal.stop()
  const recipient = await newRecipient()
  if (stop.aborted) throw interrupted({ terminal, wanted })
  const claim = await asked(cluster, { terminal, wanted, recipient })
  const waiting = { cluster, terminal, wanted, recipient, claim }
  const finished = await untilFinished(waiting)
  return taken(waiting, finished)
}

/** Of this version, sealed to nobody else. */
export const claimOf = ({ name, version }: Pick<Wanted, 'name' | 'version'>, { publicJwk }: Recipient): Draft => ({
  // no name has a dash right behind a dot
  metadata: { generateName: `${name.slice(0, LONGEST_PREFIX - 1).replace(/[-.]+$/, '')}-` },
  spec: { apiKey: name, version, publicJwk },
})

async function asked(
  cluster: Cluster,
  { terminal, wanted, recipient }: Pick<Waiting, 'terminal' | 'wanted' | 'recipient'>,
): Promise<Stored> {
  try {
    return await cluster.create('apikeyclaims', { namespace: wanted.namespace }, claimOf(wanted, recipient))
  } catch (error) {
    const { name, version, isNew } = wanted
    const how = again({ terminal, wanted })
    if (isNew)
      terminal.err(`the key ${name} is there, and nobody has version ${version} of its credential. Claim it: ${how}\n`)
    throw error
  }
}

/** The API server cuts off what is longer, and adds five characters. */
const LONGEST_PREFIX = 58
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 500

const refOf = ({ claim, wanted }: Waiting): Ref => ({ namespace: wanted.namespace, name: claim.metadata.name })

async function untilFinished(waiting: Waiting): Promise<Stored> {
  const { cluster, terminal, wanted } = waiting
  const stop = terminal.stop()
  const endMs = terminal.clock.steadyMs() + wanted.timeoutMs
  let seen = waiting.claim
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5)) {
    if (isFinished(seen)) return seen
    if (stop.aborted) return givenUp(waiting, seen, interrupted(waiting))
    if (terminal.clock.steadyMs() >= endMs) return givenUp(waiting, seen, unanswered(waiting))
    await terminal.pause(pauseMs, stop)
    const now = await looked(() => cluster.get('apikeyclaims', refOf(waiting)))
    if (now === 'unknown') continue
    if (now === undefined || now.metadata.uid !== waiting.claim.metadata.uid) throw lost(waiting)
    seen = now
  }
}

const isFinished = ({ status }: Stored): boolean =>
  conditionsOf(status).some(({ type, status: is }) => type === 'Finished' && is === 'True')

const GIVE_UP_ATTEMPTS = 5

/** Takes the claim back as long as nothing is in it; what came at the last moment is taken after all. */
async function givenUp(waiting: Waiting, last: Stored, stop: Stop): Promise<Stored> {
  try {
    return await takenBack(waiting, last, stop)
  } catch (error) {
    throw passes(error) ? leftBehind(waiting) : error
  }
}

async function takenBack(waiting: Waiting, last: Stored, stop: Stop): Promise<Stored> {
  const { cluster } = waiting
  let seen = last
  for (let attempt = 0; attempt < GIVE_UP_ATTEMPTS; attempt += 1) {
    const { uid, resourceVersion } = seen.metadata
    if ((await cluster.removeClaim(refOf(waiting), { uid, resourceVersion })) !== 'changed') throw stop
    const now = await cluster.get('apikeyclaims', refOf(waiting))
    if (now === undefined) throw stop
    if (isFinished(now)) return now
    seen = now
  }
  throw stop
}

async function taken(waiting: Waiting, finished: Stored): Promise<Claimed> {
  const { cluster, terminal, recipient } = waiting
  const { uid } = finished.metadata
  const { jwe, version } = (finished.status ?? {}) as { readonly jwe?: unknown; readonly version?: unknown }
  if (typeof jwe !== 'string') {
    await cluster.removeClaim(refOf(waiting), { uid }).catch(() => undefined)
    throw denied(waiting, finished)
  }
  const plaintext = await recipient.open(jwe)
  return {
    plaintext,
    version: typeof version === 'number' ? version : waiting.wanted.version,
    acknowledge: async () => {
      try {
        await cluster.removeClaim(refOf(waiting), { uid })
      } catch {
        terminal.err(
          `the claim ${waiting.claim.metadata.name} could not be deleted; it goes by itself after ten minutes\n`,
        )
      }
    },
  }
}

const again = ({ terminal, wanted: { name, namespace } }: Pick<Waiting, 'terminal' | 'wanted'>): string =>
  `${terminal.self} claim ${name} -n ${namespace}`
const anew = ({ terminal, wanted: { name, namespace } }: Waiting): string =>
  `${terminal.self} regenerate ${name} -n ${namespace}`

const interrupted = (waiting: Pick<Waiting, 'terminal' | 'wanted'>): Stop =>
  new Stop(
    `interrupted: the key ${waiting.wanted.name} is there, and nobody has version ${waiting.wanted.version} of its credential. Claim it: ${again(waiting)}`,
  )

const unanswered = (waiting: Waiting): Stop =>
  new Stop(
    `nobody handed over the credential within ${waiting.wanted.timeoutMs / 1000} s: is Keyward's operator running? Nothing is lost: the key ${waiting.wanted.name} is there, and the claim was taken back. Later: ${again(waiting)} (--timeout waits longer)`,
  )

const leftBehind = (waiting: Waiting): Stop =>
  new Stop(
    `the API server is away, so the claim ${waiting.claim.metadata.name} could not be taken back. Once it is there again: ${again(waiting)}; where that says AlreadyClaimed: ${anew(waiting)}`,
  )

const lost = (waiting: Waiting): Stop =>
  new Stop(
    `the claim ${waiting.claim.metadata.name} was deleted by somebody else while it waited. Try: ${again(waiting)}; where that says AlreadyClaimed: ${anew(waiting)}`,
  )

const somebodyWasFaster = ({ terminal, wanted: { name, namespace } }: Waiting): string =>
  `somebody else claimed it first (${terminal.self} get ${name} -n ${namespace} says who; a standalone with --new-keys does, and writes it there)`

/** What to do about a denial, by its reason. */
const REMEDIES: Readonly<Record<string, (waiting: Waiting) => string>> = {
  AlreadyClaimed: (waiting) =>
    `${waiting.wanted.isNew ? somebodyWasFaster(waiting) : 'a credential is handed over once'}. For a new one: ${anew(waiting)}`,
  KeyInactive: ({ terminal, wanted: { name, namespace } }) =>
    `${terminal.self} resume ${name} -n ${namespace}, unless it is revoked`,
  KeyExpired: () => 'an expired key stays expired: create another one',
  // of which nobody is known to have made it or its key, or by somebody who holds less by now: the message says which
  NotPermitted: (waiting) => `when that is mended and the operator runs, make the claim again: ${again(waiting)}`,
  KeyNotFound: again,
  VersionSuperseded: again,
  NotClaimable: ({ terminal, wanted: { name, namespace } }) => `see ${terminal.self} get ${name} -n ${namespace}`,
}

function denied(waiting: Waiting, { status }: Stored): Stop {
  const denial = conditionsOf(status).find(({ type, status: is }) => type === 'Denied' && is === 'True')
  if (denial === undefined)
    return new Stop('the claim is finished, and there is nothing in it: its status was tampered with')
  const remedy = REMEDIES[denial.reason]?.(waiting)
  return new Stop(
    `the claim was denied (${printable(denial.reason)}): ${printable(denial.message)}${remedy === undefined ? '' : `\n${remedy}`}`,
  )
}
