/** Claims of keys, where there is no cluster to keep them: made over the API, answered by the reconciler, gone after their time. */

import type { KeyRef } from '../core/key-ref.ts'
import type { Plaintext } from '../core/plaintext.ts'
import { Trouble } from '../core/trouble.ts'
import { isHandedOver } from '../core/version.ts'
import type { PublicJwk } from '../resources/api-key-claim.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { parseManifest } from '../resources/manifest.ts'
import { type Accepted, objectKey } from './accepted.ts'
import type { Submission, Submitted } from './submit.ts'

/** As it is stored, JSON. */
export type Claim = {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly manifest: unknown
  /** Milliseconds since 1970. */
  readonly madeMs: number
  readonly apiKey: string
  readonly version?: number | undefined
  /** The version that was due when it was made; undefined: there was no such key. */
  readonly due?: number | undefined
  readonly publicJwk: PublicJwk
  readonly usable: boolean
  readonly status?: object | undefined
  readonly delivered?: { readonly version: number; readonly at: number; readonly keyUid: string } | undefined
  /** Delivered or denied. */
  readonly finished: boolean
  /** Milliseconds since 1970; absent where an earlier version of Keyward wrote it. */
  readonly finishedMs?: number
}

export type KeptClaims = {
  /** In the order in which they were made. */
  readonly all: () => readonly Claim[]
  /** Durable when it resolves. */
  readonly put: (claim: Claim) => Promise<void>
  readonly erase: (uid: string) => Promise<void>
}

export type Sealing = {
  readonly seal: (plaintext: Plaintext, to: PublicJwk) => Promise<string>
  /** Whether anything can be sealed to it. */
  readonly isOnCurve: (jwk: PublicJwk) => boolean
}

type Why = { readonly reason: string; readonly message: string }
type Denied = Why & { readonly claim: string }

export type ClaimsParts = {
  readonly kept: KeptClaims
  /** Loaded when it is needed for the first time. */
  readonly sealing: () => Promise<Sealing>
  readonly words: {
    readonly delivered: (claim: Claim, what: { readonly version: number; readonly jwe: string }) => object
    readonly denied: (claim: Claim, why: Why) => object
    readonly unanswered: Why
  }
  /** How long a claim stays: from its answer, and without one from when it was made. */
  readonly lifeMs: number
  readonly nowMs: () => number
  readonly newUid: () => string
  /** The version of a key that is due now. */
  readonly dueOf: (key: KeyRef) => number | undefined
  /** What is kept of a key by now. */
  readonly secretOf: (key: KeyRef) => KeySecret | undefined
  readonly onChange: (what: 'came' | 'changed' | 'went', claim: Accepted) => void
  /** Somebody waits for that key. */
  readonly wake: (key: KeyRef) => void
}

/** What the reconciler's port asks of claims. */
export type ClaimsOfKeys = Pick<Claims, 'waiting' | 'deliver' | 'deny' | 'confirmed'>

export type Claims = ReturnType<typeof openClaims>

const CLAIMANT = 'standalone'
/** Each is answered at once, and gone soon: so many at a time are no people's. */
const MAX_CLAIMS = 1000

const takenOver = () => new Trouble('taken_over', 'retry')

const formOf = ({ uid, namespace, name, manifest, madeMs }: Claim): Accepted => ({
  ...{ kind: 'ApiKeyClaim', namespace, name, uid, generation: 1, manifest },
  ...{ file: '', line: 0, firstSeenMs: madeMs },
})

const keyOf = ({ namespace, name }: KeyRef): string => objectKey({ kind: 'ApiKeyClaim', namespace, name })

export function openClaims(parts: ClaimsParts) {
  const { kept, sealing, words, nowMs, onChange } = parts
  const claims = new Map<string, Claim>(kept.all().map((claim) => [keyOf(claim), claim]))
  /** Those that wait since longer get their time from us. */
  const beganMs = nowMs()
  /** Uids of claims whose answer is on its way: no other is given beside it. */
  const answering = new Set<string>()
  let last: Promise<unknown> = Promise.resolve()

  /** One after the other: of two with one name the second is told, and what is on its way out does not go twice. */
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const done = last.then(act)
    last = done.catch(() => undefined)
    return done
  }

  const ofKey = ({ namespace, name }: KeyRef): readonly Claim[] =>
    [...claims.values()].filter((claim) => claim.namespace === namespace && claim.apiKey === name)

  const change = async (claim: Claim): Promise<'changed' | 'gone'> => {
    await kept.put(claim)
    if (claims.get(keyOf(claim))?.uid !== claim.uid) {
      await kept.erase(claim.uid)
      return 'gone'
    }
    claims.set(keyOf(claim), claim)
    if (isConfirmed(claim)) onChange('changed', formOf(claim))
    return 'changed'
  }

  const answer = (claim: Claim, given: Pick<Claim, 'status' | 'delivered'>): Promise<'changed' | 'gone'> =>
    change({ ...claim, ...given, finished: true, finishedMs: nowMs() })

  const exclusively = async (claim: Claim, act: () => Promise<unknown>): Promise<void> => {
    if (answering.has(claim.uid)) throw takenOver()
    answering.add(claim.uid)
    try {
      await act()
    } finally {
      answering.delete(claim.uid)
    }
  }

  const deny = async (claim: Claim | undefined, denied: Denied): Promise<void> => {
    if (claim === undefined || claim.finished || answering.has(claim.uid)) return
    await exclusively(claim, () => answer(claim, { status: words.denied(claim, denied) }))
  }

  const isPast = ({ madeMs, delivered, finished, finishedMs }: Claim): boolean =>
    Math.max(madeMs, finished ? (finishedMs ?? delivered?.at ?? madeMs) : beganMs) + parts.lifeMs <= nowMs()

  const create = async (key: string, manifest: unknown, dryRun: boolean): Promise<Submitted> => {
    const read = parseManifest(manifest)
    if (!read.ok) return { kind: 'refused', problems: read.problems }
    if (read.manifest.kind !== 'ApiKeyClaim') throw new Trouble('no_claim', 'stop')
    if (claims.size >= MAX_CLAIMS) throw new Trouble('too_many_claims', 'retry')
    const { namespace, name, spec } = read.manifest
    const { apiKey, version, publicJwk } = spec
    const { isOnCurve } = await sealing()
    const claim: Claim = {
      ...{ uid: parts.newUid(), namespace, name, manifest, madeMs: nowMs(), apiKey, version, publicJwk },
      ...{ due: parts.dueOf({ namespace, name: apiKey }), usable: isOnCurve(publicJwk), finished: false },
    }
    if (!dryRun) {
      await kept.put(claim)
      claims.set(key, claim)
      onChange('came', formOf(claim))
      parts.wake({ namespace, name: apiKey })
    }
    return { kind: 'done', form: formOf(claim), warnings: [] }
  }

  const remove = async (claim: Claim | undefined): Promise<void> => {
    if (claim === undefined) return
    await kept.erase(claim.uid)
    claims.delete(keyOf(claim))
    onChange('went', formOf(claim))
  }

  const decided = async ({ key, decide, dryRun }: Submission): Promise<Submitted> => {
    const current = claims.get(key)
    const decision = decide(current && formOf(current))
    if (decision.kind === 'put') return await create(key, decision.manifest, dryRun)
    if (!dryRun) await remove(current)
    return { kind: 'done', form: undefined, warnings: [] }
  }

  /** What is sealed is shown once the key counts as handed over: until then it may be made anew, after a crash. */
  const isConfirmed = ({ namespace, apiKey, delivered }: Claim): boolean => {
    const secret = parts.secretOf({ namespace, name: apiKey })
    const current = secret?.uid === delivered?.keyUid ? secret?.current : undefined
    if (delivered === undefined || current === undefined || current.version > delivered.version) return true
    return current.version === delivered.version && isHandedOver(current)
  }

  return {
    find: (key: string): Accepted | undefined => {
      const claim = claims.get(key)
      return claim && formOf(claim)
    },
    all: (): readonly Accepted[] => [...claims.values()].map(formOf),
    statusOf: (key: string): object | undefined => {
      const claim = claims.get(key)
      return claim !== undefined && isConfirmed(claim) ? claim.status : undefined
    },
    /** Keys that somebody waits for. */
    awaited: (): readonly KeyRef[] =>
      [...claims.values()].flatMap(({ finished, namespace, apiKey }) =>
        finished ? [] : [{ namespace, name: apiKey }],
      ),

    submit: (submission: Submission): Promise<Submitted> => inTurn(() => decided(submission)),

    /** Oldest first; also those that hold a version of that very key already. */
    waiting: (key: KeyRef, keyUid: string | undefined) =>
      ofKey(key)
        .filter(({ finished, delivered }) => !finished || (delivered !== undefined && delivered.keyUid === keyUid))
        .map(({ name, version, due, usable, delivered }) => ({
          ...{ name, claimant: CLAIMANT, version, dueWhenMade: due, delivered },
          unattested: undefined,
          cap: undefined,
          objection: usable ? undefined : ('InvalidKey' as const),
        })),

    deliver: async (key: KeyRef, { claim: name, keyUid, version, plaintext, holds }: Delivering): Promise<void> => {
      const at = keyOf({ namespace: key.namespace, name })
      const asked = claims.get(at)
      if (asked === undefined) throw takenOver()
      await exclusively(asked, async () => {
        const { seal } = await sealing()
        const jwe = await seal(plaintext, asked.publicJwk)
        const claim = claims.get(at)
        if (claim?.uid !== asked.uid || claim.finished || !holds()) throw takenOver()
        const status = words.delivered(claim, { version, jwe })
        const delivered = { version, at: nowMs(), keyUid }
        // nobody has it, and nobody can read it any more
        if ((await answer(claim, { status, delivered })) === 'gone') throw takenOver()
      })
    },

    deny: async (key: KeyRef, denied: Denied): Promise<void> =>
      deny(claims.get(keyOf({ namespace: key.namespace, name: denied.claim })), denied),

    /** Something was written of that key: what was sealed may be shown now. */
    confirmed: (key: KeyRef): void => {
      for (const claim of ofKey(key)) if (claim.delivered !== undefined) onChange('changed', formOf(claim))
    },

    /** Of those that are past their time: takes away what is finished, and tells what nobody could answer. */
    sweep: (): Promise<void> =>
      inTurn(async () => {
        for (const claim of [...claims.values()].filter(isPast)) {
          if (claim.finished) await remove(claim)
          else await deny(claim, { claim: claim.name, ...words.unanswered })
        }
      }),
  }
}

type Delivering = {
  readonly claim: string
  readonly keyUid: string
  readonly version: number
  readonly plaintext: Plaintext
  /** Whether nobody else has taken the hand-over. */
  readonly holds: () => boolean
}
