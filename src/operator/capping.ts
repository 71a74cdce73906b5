/**
 * The cap of every key for as long as it lives, worked out by whoever leads: anew as soon as roles, bindings, ServiceAccounts,
 * access namespaces or routes change, and all of it every few minutes. A key is woken where the cap is another one than before.
 */
import { type KeyRef, nameOf } from '../core/key-ref.ts'
import type { Permission } from '../core/permission.ts'
import { type Attested, type Person, personKey, serviceAccountOf } from '../core/person.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { AskedCap, PeopleCap, PeoplePort, Proof } from '../kube/people.ts'
import type { RbacCaches } from '../kube/rbac-caches.ts'
import type { ReachWithin } from '../kube/reach-within.ts'
import { mayGrant } from '../resources/rights.ts'
import { sameJson } from '../resources/same-json.ts'
import { makeBell } from '../runtime/bell.ts'
import { eachOf } from '../runtime/each-of.ts'
import { once } from '../runtime/once.ts'
import { makeKeyCap, type Of } from '../webhook/key-cap.ts'
import type { Asking, Lane, Reviews } from '../webhook/reviews.ts'
import { FOREIGN_KEY, type StampedKind, type StampKeys } from '../webhook/stamp.ts'
import { stampOf } from '../webhook/stamped-object.ts'
import { type CappedKey, keepCapped, placesIn, type SeenPerson, samePlaces } from './capped-keys.ts'
import { makeRechecks } from './rechecks.ts'

export type CappingParts = {
  /** Of this replica: the same that admission asks. */
  readonly reviews: Reviews
  readonly rbac: Pick<RbacCaches, 'rightsOf' | 'serviceAccountUid' | 'synced'>
  readonly reach: Pick<ReachWithin, 'insideOf' | 'revision'>
  readonly stampKeys: () => StampKeys
  /** The cap of this key may be another one: it is to be reconciled. */
  readonly wake: (ref: KeyRef) => void
  readonly steadyMs: () => number
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** Ends early where it is interrupted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
  /** A user's groups count no longer than this after they were attested; undefined: for ever. */
  readonly maxAttestationAgeMs: number | undefined
  /** What could not be asked; it is tried again. */
  readonly onTrouble: (error: unknown) => void
}

export type Capping = {
  /** For the port of the keys, as long as this replica leads. */
  readonly people: PeoplePort
  /** To be called whenever rbac or reach may say something else than before. */
  readonly changed: () => void
  /** Until it is stopped; never rejects. */
  readonly run: (stop: AbortSignal) => Promise<void>
}

/** What changes together is looked at together. */
const GATHER_MS = 150
const AGAIN_MS = 1000
const RENEW_EVERY_MS = 4 * 60_000
const RENEWED_AT_ONCE = 4
/** A key with more is asked about place by place for so long that others don't wait for it. */
const MANY_PLACES = 100
/** So old may an answer be about somebody who is behind no key yet. */
const UNWATCHED_MS = 1000
/** The API server may see its own roles later than we do: an answer that is not what they say is asked for once more. */
const DOUBT_MS = [300, 1000, 3000] as const

export function makeCapping(parts: CappingParts): Capping {
  const { reviews, rbac, reach, steadyMs } = parts
  const keys = keepCapped()
  const { peopleOf, insideOf, ...caps } = makeKeyCap({ ...parts, insideOf: reach.insideOf })
  const samePeople = once<Person>()
  const sameLists = once<readonly Permission[]>()
  /** Names of keys whose cap is to be worked out anew. */
  const todo = new Set<string>()
  /** Names of keys whose cap is what the roles have it, and was granted before; nobody could be asked yet. */
  const unasked = new Set<string>()
  /** By `personKey`: when to ask again. */
  const doubtful = new Map<string, number>()
  let forgotten = 0
  let revision = reach.revision()
  let dirty = false
  const bell = makeBell(parts.pause)

  /** Of many keys most say the same: it is held once. */
  const ofAsked = ({ apiKey: { spec }, people }: AskedCap): Of => ({
    accessNamespace: spec.accessNamespace,
    permissions: sameLists(spec.permissions.join(), spec.permissions),
    people: people.map(({ person, at }) => ({ person: samePeople(personKey(person), person), at })),
  })

  const asking = (lane: Lane, newerThan = Number.NEGATIVE_INFINITY) => {
    return (person: Person): Asking => {
      const since = keys.people.get(personKey(person))?.since ?? steadyMs() - UNWATCHED_MS
      return { lane, maxAgeMs: Math.max(0, steadyMs() - Math.max(since, newerThan)) }
    }
  }

  const keep = ({ ref, ...of }: Omit<CappedKey, 'inside'>, inside = insideOf(of)): void => {
    keys.put({ ref, ...of, inside }, peopleOf(of), (person) => ({
      ...{ person, since: steadyMs(), doubts: 0 },
      ...seenOf(rbac, person),
    }))
  }

  const doubt = async (of: Of, { cap }: PeopleCap): Promise<void> => {
    if (!rbac.synced() || sameJson((await caps.expected(of)).cap, cap)) return
    for (const who of peopleOf(of).keys()) {
      const known = keys.people.get(who)
      const afterMs = known && DOUBT_MS[known.doubts]
      if (known === undefined || afterMs === undefined || doubtful.has(who)) continue
      known.doubts += 1
      doubtful.set(who, steadyMs() + afterMs)
      bell.ring()
    }
  }

  const capFor = async (asked: AskedCap): Promise<PeopleCap> => {
    const { ref, last } = asked
    const of = ofAsked(asked)
    const before = keys.get(ref)?.capped
    // whoever is behind it is known before anything is asked: what changes meanwhile is asked again
    keep({ ref, ...of, capped: before })
    if (before === undefined && last !== undefined && rbac.synced()) {
      const expected = await caps.expected(of)
      if (sameJson(expected.cap, last)) {
        keep({ ref, ...of, capped: expected })
        unasked.add(nameOf(ref))
        return expected
      }
    }
    for (let tries = 1; ; tries++) {
      const [known, inside] = [forgotten, insideOf(of)]
      const capped = await caps.asked(of, asking('change'))
      if ((known !== forgotten || !samePlaces(inside, insideOf(of))) && tries < 5) continue
      keep({ ref, ...of, capped }, inside)
      await doubt(of, capped)
      return capped
    }
  }

  /** Wakes it where the cap is not what it was. */
  const recheck = async (name: string, how = asking('change')): Promise<void> => {
    const key = keys.named(name)
    if (key?.capped === undefined) return
    const capped = await caps.asked(key, how)
    await doubt(key, capped)
    if (!sameJson(capped, keys.named(name)?.capped)) parts.wake(key.ref)
  }

  /** A ServiceAccount of which nothing was shown so far. One that is behind some key was: it is gone by now. */
  const isUnseen = (one: Attested): boolean => {
    const account = serviceAccountOf(one.person)
    if (account === undefined || rbac.serviceAccountUid(account.namespace, account.name) !== undefined) return false
    return [...peopleOf({ people: [one] }).keys()].every((who) => !keys.people.has(who))
  }

  const lookAtPeople = (): void => {
    const { concerned, changed } = keys.lookAgain((person) => seenOf(rbac, person))
    for (const name of concerned) todo.add(name)
    if (changed.size === 0) return
    for (const who of changed.keys()) doubtful.delete(who)
    forgotten += 1
    reviews.forget(({ who, question }) => {
      const [before, after] = changed.get(who) ?? []
      if (before === undefined || after === undefined || question.kind !== 'grant') return false
      return mayGrant(before, question) !== mayGrant(after, question)
    })
  }

  const lookAtPlaces = (): void => {
    if (reach.revision() === revision) return
    revision = reach.revision()
    for (const name of keys.names()) {
      const key = keys.named(name)
      if (key === undefined) continue
      const inside = insideOf(key)
      if (samePlaces(key.inside, inside)) continue
      // by these from now on, also where the cap stays as it was
      keys.move(name, inside)
      todo.add(name)
    }
  }

  const lookAtDoubts = (): void => {
    const due = new Set([...doubtful].flatMap(([who, at]) => (at <= steadyMs() ? [who] : [])))
    if (due.size === 0) return
    for (const who of due) {
      doubtful.delete(who)
      for (const name of keys.people.get(who)?.keys ?? []) todo.add(name)
    }
    forgotten += 1
    reviews.forget(({ who, question, said }) => {
      const rights = due.has(who) ? keys.people.get(who)?.rights : undefined
      return rights !== undefined && question.kind === 'grant' && said !== mayGrant(rights, question)
    })
  }

  const rechecks = makeRechecks({
    act: recheck,
    isLong: (name) => placesIn(keys.named(name)?.inside) > MANY_PLACES,
    pause: parts.pause,
    onTrouble: parts.onTrouble,
  })

  /** Waits for nothing that is asked: whoever comes next is seen while that goes on. */
  const look = (stop: AbortSignal): void => {
    if (rbac.synced()) lookAtPeople()
    lookAtPlaces()
    lookAtDoubts()
    rechecks.add(todo, stop)
    todo.clear()
  }

  const untilNextMs = (): number =>
    Math.min(RENEW_EVERY_MS, ...[...doubtful.values()].map((at) => Math.max(0, at - steadyMs())))

  const follow = async (stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      await bell.wait(untilNextMs())
      if (dirty) await parts.pause(GATHER_MS, stop)
      dirty = false
      if (!stop.aborted) look(stop)
    }
  }

  const renewAll = async (names: readonly string[], newerThan: number, stop: AbortSignal): Promise<void> => {
    const failed = await eachOf(names, RENEWED_AT_ONCE, async (name) => {
      if (stop.aborted) return
      await recheck(name, asking('renewal', newerThan))
      unasked.delete(name)
    })
    if (failed[0] !== undefined && !stop.aborted) parts.onTrouble(failed[0])
  }

  /** Everything, at a pace: roles are not all that an API server may go by. First what was only expected so far. */
  const renew = async (stop: AbortSignal): Promise<void> => {
    let next = steadyMs() + RENEW_EVERY_MS
    while (!stop.aborted) {
      await renewAll([...unasked], Number.NEGATIVE_INFINITY, stop)
      if (steadyMs() >= next) {
        next = steadyMs() + RENEW_EVERY_MS
        await renewAll(keys.names(), steadyMs(), stop)
      }
      await parts.pause(AGAIN_MS, stop)
    }
  }

  return {
    people: {
      creatorOf: (object) => proofOf('ApiKey', object, { ...parts, isUnseen }),
      claimantOf: (object) => proofOf('ApiKeyClaim', object, { ...parts, isUnseen }),
      capOf: capFor,
      capWith: async (asked, claimant) => {
        const of = ofAsked({ ...asked, people: [...asked.people, claimant] })
        const { cap, lost } = await caps.asked(of, asking('change'))
        if (lost.length === 0) return cap
        // admission has just heard yes: what is known may be from before that
        const afresh = asking('change', steadyMs())
        for (const person of peopleOf({ people: [claimant] }).values())
          await reviews.missing(person, of, afresh(person))
        return (await caps.asked(of, asking('change'))).cap
      },
      forget: keys.drop,
    },
    changed: () => {
      dirty = true
      bell.ring()
    },
    run: async (stop) => {
      const stopped = new Promise<void>((resolve) => {
        if (stop.aborted) resolve()
        stop.addEventListener('abort', () => resolve(), { once: true })
      })
      void stopped.then(bell.ring)
      // what is being asked just then changes nothing any more: nobody waits for it
      await Promise.race([stopped, Promise.all([follow(stop), renew(stop)])])
    },
  }
}

/** What is so new may be about what another replica or the API server knows, and this replica has not read yet. */
const READ_WITHIN_MS = 30_000
const SOON_MS = 1000

type Proving = Pick<CappingParts, 'stampKeys' | 'nowMs'> & { readonly isUnseen: (who: Attested) => boolean }

function proofOf(kind: StampedKind, object: KubeObject, { stampKeys, nowMs, isUnseen }: Proving): Proof {
  const found = stampOf(kind, object, stampKeys())
  const [now, last] = [nowMs(), Date.parse(object.metadata.creationTimestamp) + READ_WITHIN_MS]
  if (last <= now) return found
  if (!found.ok) {
    // whoever reads another key of stamps looks at everything again
    return found.problem === FOREIGN_KEY ? { ...found, undecided: { code: 'stamp_key_unknown', until: last } } : found
  }
  if (!isUnseen(found.value)) return found
  const undecided = { code: 'service_account_unknown', until: Math.min(last, now + SOON_MS) }
  return { ok: false, problem: 'its ServiceAccount was not seen yet', undecided }
}

function seenOf({ rightsOf, serviceAccountUid }: CappingParts['rbac'], person: Person): SeenPerson {
  const account = serviceAccountOf(person)
  return { rights: rightsOf(person), accountUid: account && serviceAccountUid(account.namespace, account.name) }
}
