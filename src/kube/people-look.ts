/** Who is behind a key: whoever made it, whoever received its versions that are in force, and whoever is about to. */
import { type Cap, NOTHING_HELD } from '../core/cap.ts'
import type { Attested } from '../core/person.ts'
import type { People, WaitingClaim } from '../operator/world.ts'
import { UNRECORDED } from '../resources/key-secret.ts'
import type { Claim } from './claims.ts'
import type { DigestSecret } from './digest-secret.ts'
import type { KeyRef } from './key-caches.ts'
import type { ObservedKey } from './observed-key.ts'
import type { AskedCap, PeopleCap, PeoplePort } from './people.ts'

export type Behind = {
  readonly people: People
  /** By the uid of the claim; those that came later are not among them. */
  readonly claims: ReadonlyMap<string, Claimant>
}

export type Claimant = Pick<WaitingClaim, 'claimant' | 'unattested' | 'cap'>

export const NOBODY: People = { createdBy: UNRECORDED, cap: undefined, lost: [], unattested: undefined }

/** Of more than so many that wait, the oldest: the others are told that they come too late. */
const CLAIMS_ASKED_ABOUT = 8

type Looking = {
  readonly ref: KeyRef
  readonly observed: ObservedKey
  /** What is kept of it. */
  readonly kept: DigestSecret | undefined
  /** Those that wait, oldest first. */
  readonly claims: readonly Claim[]
  /** Whether the version that is due is still to be handed over. */
  readonly isDue: boolean
}

export async function lookBehind(port: PeoplePort, looking: Looking): Promise<Behind> {
  const { ref, observed, kept } = looking
  const creator = port.creatorOf(observed.object)
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
  { claims, isDue }: Looking,
  capWith: (claimant: Attested) => Promise<Cap>,
): Promise<Behind['claims']> {
  const found = new Map<string, Claimant>()
  let left = isDue ? CLAIMS_ASKED_ABOUT : 0
  for (const { object } of claims) {
    const claimant = port.claimantOf(object)
    const cap = claimant.ok && left > 0 ? await capWith(claimant.value) : NOTHING_HELD
    if (claimant.ok) left -= 1
    found.set(object.metadata.uid, {
      claimant: claimant.ok ? claimant.value.person.username : UNRECORDED,
      unattested: claimant.ok ? undefined : claimant.problem,
      cap,
    })
  }
  return found
}

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
