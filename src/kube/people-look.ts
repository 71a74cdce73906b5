/** Who is behind a key: whoever made it, whoever received its versions that are in force, and whoever is about to. */
import { type Cap, NOTHING_HELD } from '../core/cap.ts'
import type { KeyRef } from '../core/key-ref.ts'
import type { Attested } from '../core/person.ts'
import { Trouble } from '../core/trouble.ts'
import type { People, WaitingClaim } from '../operator/world.ts'
import { UNRECORDED } from '../resources/key-secret.ts'
import type { Claim } from './claims.ts'
import type { DigestSecret } from './digest-secret.ts'
import type { ObservedKey } from './observed-key.ts'
import type { AskedCap, PeopleCap, PeoplePort, Proof } from './people.ts'

export type Behind = {
  readonly people: People
  /** By the uid of the claim; those that came later are not among them. */
  readonly claims: ReadonlyMap<string, Claimant>
}

export type Claimant = Pick<WaitingClaim, 'claimant' | 'unattested' | 'cap' | 'unasked' | 'undecidedUntil'>

export const NOBODY: People = { createdBy: UNRECORDED, cap: undefined, lost: [], unattested: undefined }

/** Of those that may receive it, the oldest: the others come too late, or their turn comes when those were answered. */
const CLAIMS_ASKED_ABOUT = 8
/** Whoever was not asked about and is left all the same is looked at again. */
const AGAIN_MS = 1000

type Looking = {
  readonly ref: KeyRef
  readonly observed: ObservedKey
  /** What is kept of it. */
  readonly kept: DigestSecret | undefined
  /** Those that wait, oldest first. */
  readonly claims: readonly Claim[]
  /** Whether it may receive the version that is due, as far as that does not hang on who made it. */
  readonly mayWin: (claim: Claim) => boolean
  /** Milliseconds since 1970. */
  readonly now: number
}

export async function lookBehind(port: PeoplePort, looking: Looking): Promise<Behind> {
  const { ref, observed, kept } = looking
  const creator = port.creatorOf(observed.object)
  // its claims would be denied for good
  if (creator.undecided !== undefined) throw new Trouble(creator.undecided.code, 'retry')
  if (!creator.ok) {
    const people = { createdBy: UNRECORDED, cap: NOTHING_HELD, lost: [], unattested: creator.problem }
    return { people, claims: await claimantsAmong(port, looking, async () => NOTHING_HELD) }
  }
  const { apiKey } = observed.declared
  const { username } = creator.value.person
  const asked = { ref, apiKey, people: [creator.value, ...receivers(kept)], last: kept?.granted?.cap }
  const unknown = unknownReceiver(kept, username)
  const { cap, lost } = unknown === undefined ? await port.capOf(asked) : capOfUnknown(unknown, asked)
  const people = { createdBy: username, cap, lost, unattested: undefined }
  return { people, claims: await claimantsAmong(port, looking, (claimant) => port.capWith(asked, claimant)) }
}

async function claimantsAmong(
  port: PeoplePort,
  { claims, mayWin, now }: Looking,
  capWith: (claimant: Attested) => Promise<Cap>,
): Promise<Behind['claims']> {
  const found = new Map<string, Claimant>()
  let left = CLAIMS_ASKED_ABOUT
  for (const claim of claims) {
    const { uid } = claim.object.metadata
    const proof = port.claimantOf(claim.object)
    if (!proof.ok) {
      found.set(uid, unproven(proof))
      continue
    }
    const claimant = proof.value.person.username
    const unasked = left === 0 || !mayWin(claim)
    if (!unasked) left -= 1
    const cap = unasked ? NOTHING_HELD : await capWith(proof.value)
    const undecidedUntil = unasked ? now + AGAIN_MS : undefined
    found.set(uid, { claimant, unattested: undefined, cap, unasked, undecidedUntil })
  }
  return found
}

const unproven = ({ problem, undecided }: Extract<Proof, { ok: false }>): Claimant => ({
  claimant: UNRECORDED,
  unattested: undecided === undefined ? problem : undefined,
  cap: NOTHING_HELD,
  unasked: undecided !== undefined,
  undecidedUntil: undecided?.until,
})

/** Of what is in force: whoever received it goes on capping it when the claim is long gone. */
const receivers = (kept: DigestSecret | undefined): readonly Attested[] =>
  kept === undefined
    ? []
    : [kept.secret.current, kept.secret.previous].flatMap((version) => {
        const claimant = version && kept.claimants.get(version.version)
        return claimant === undefined ? [] : [claimant]
      })

/** A name that the version was handed over to, where nothing says who that is. */
function unknownReceiver(kept: DigestSecret | undefined, creator: string): string | undefined {
  const { current } = kept?.secret ?? {}
  if (current?.claimedBy === undefined || kept?.claimants.has(current.version) === true) return undefined
  // a workload's Secret and an import go by whoever made the key
  return current.claimedBy === creator || current.claimedBy === UNRECORDED ? undefined : current.claimedBy
}

const capOfUnknown = (username: string, { apiKey }: AskedCap): PeopleCap => ({
  cap: NOTHING_HELD,
  lost: [{ username, permissions: apiKey.spec.permissions, why: 'gone' }],
})
