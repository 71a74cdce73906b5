/** What people may do, asked once for each distinct question, for all places at once where that saves any; bounded in number and pace. */
import type { Permission } from '../core/permission.ts'
import { type Person, personKey } from '../core/person.ts'
import { Trouble } from '../core/trouble.ts'
import { type Kept, keepAnswers, type Whose } from './kept-answers.ts'
import { type Question, questionKey, type ReviewSpec, reviewSpec } from './review-spec.ts'
import { type Lane, makeTurns } from './review-turns.ts'

export type { Lane } from './review-turns.ts'

/** The API server's answer to a SubjectAccessReview; what could not be asked is a Trouble. */
export type Review = (spec: ReviewSpec) => Promise<boolean>

export type ReviewParts = {
  readonly review: Review
  readonly steadyMs: () => number
  readonly pause: (ms: number) => Promise<void>
  /** One more was asked. */
  readonly counted: (lane: Lane) => void
  /** At once; 16 unless told. */
  readonly concurrency?: number
  /** Renewals a second; 200 unless told. */
  readonly perSecond?: number
  /** Answers that are kept; 200,000 unless told. Those that only admission asked for go first. */
  readonly keep?: number
}

export type Asking = {
  readonly lane: Lane
  /** An answer that is older is asked for anew. */
  readonly maxAgeMs: number
  /** Whoever asked waits no longer: what nobody else waits for is not asked any more. */
  readonly gone?: AbortSignal | undefined
}

export type Reviews = {
  readonly may: (person: Person, question: Question, asking: Asking) => Promise<boolean>
  /** Those of the permissions that the person may not grant, in their order. */
  readonly missing: (person: Person, wanted: Wanted, asking: Asking) => Promise<readonly Permission[]>
  /** What may have changed, such as after an edit of a role; answers that are on their way are not taken over either. */
  readonly forget: (concerns: (known: Known) => boolean) => void
  readonly size: () => number
}

export type Wanted = { readonly accessNamespace: string; readonly permissions: readonly Permission[] }

export type Known = {
  readonly person: Person
  /** `personKey` of the person. */
  readonly who: string
  readonly question: Question
  /** undefined: there is none yet. */
  readonly said: boolean | undefined
}

type Entry = Kept & {
  readonly question: Question
  readonly lane: Lane
  readonly answer: Promise<boolean>
  said: boolean | undefined
  /** Until it is asked: those who wait for it, undefined for whoever waits however long it takes. */
  waiting: Set<AbortSignal | undefined> | undefined
}

type Asked = { readonly question: Question /** `questionKey` of it. */; readonly key: string }

export function makeReviews(parts: ReviewParts): Reviews {
  const { review, steadyMs, counted, keep = 200_000 } = parts
  const answers = keepAnswers<Entry>({ steadyMs, most: keep })
  const queue = makeTurns(parts.concurrency ?? 16)
  const pace = paced(parts)
  const keys = new WeakMap<Person, string>()

  const whoIs = (person: Person): string => {
    const who = keys.get(person) ?? personKey(person)
    keys.set(person, who)
    return who
  }

  const begin = (whose: Whose, { question, key }: Asked, { lane, gone }: Asking): Promise<boolean> => {
    const { person, who } = answers.held(whose)
    const { promise: answer, resolve, reject } = Promise.withResolvers<boolean>()
    const about = { person, who, question, key }
    const entry: Entry = { ...about, askedAt: steadyMs(), lane, answer, said: undefined, waiting: new Set([gone]) }
    answers.keep(entry, lane === 'admission')
    const forget = (): void => answers.drop(entry)
    answer.then((said) => {
      entry.said = said
    }, forget)
    queue({
      ...{ lane, who },
      isWanted: () => [...(entry.waiting ?? [])].some((one) => one?.aborted !== true),
      drop: () => {
        forget()
        reject(notWaitedFor())
      },
      begin: async () => {
        entry.waiting = undefined
        counted(lane)
        const asked = review(reviewSpec(person, question))
        resolve(asked)
        await asked
      },
    })
    return answer
  }

  const one = async (person: Person, question: Question, asking: Asking): Promise<boolean> => {
    const { lane, maxAgeMs, gone } = asking
    if (gone?.aborted === true) throw notWaitedFor()
    const who = whoIs(person)
    const key = questionKey(question)
    const known = () => {
      const entry = answers.find(who, key)
      if (entry === undefined || steadyMs() - entry.askedAt > maxAgeMs) return undefined
      // what waits in another lane may wait longer there
      if (entry.waiting !== undefined && entry.lane !== lane) return undefined
      entry.waiting?.add(gone)
      if (lane !== 'admission') answers.stay(entry)
      return entry.answer
    }
    const answer = known()
    if (answer !== undefined) return answer
    // before anything of it is known to others: nobody else waits for the pace
    if (lane === 'renewal') await pace()
    return (lane === 'renewal' ? known() : undefined) ?? begin({ person, who }, { question, key }, asking)
  }

  const isKnown = (person: Person, question: Question, { maxAgeMs }: Asking): boolean => {
    const entry = answers.find(whoIs(person), questionKey(question))
    return entry?.said === true && steadyMs() - entry.askedAt <= maxAgeMs
  }

  /**
   * A yes to the question without a name covers every name, and saves those of a key's other places. Who waits for an admission
   * is asked about one: that question alone has the whole answer, in half the time.
   */
  const may: Reviews['may'] = async (person, question, asking) => {
    if (!isNamed(question)) return one(person, question, asking)
    const wide = everywhere(question)
    const isWide = asking.lane === 'admission' ? isKnown(person, wide, asking) : await one(person, wide, asking)
    return isWide || one(person, question, asking)
  }

  return {
    may,
    missing: async (person, { accessNamespace, permissions }, asking) => {
      const granted = await Promise.all(
        permissions.map((permission) => may(person, { kind: 'grant', permission, accessNamespace }, asking)),
      )
      return permissions.filter((_, i) => granted[i] !== true)
    },
    forget: (concerns) => {
      for (const entry of answers.all()) if (concerns(entry)) answers.drop(entry)
    },
    size: answers.size,
  }
}

const everywhere = (question: Question): Question =>
  question.kind === 'grant' ? { ...question, accessNamespace: undefined } : { ...question, host: undefined }

const isNamed = (question: Question): boolean =>
  (question.kind === 'grant' ? question.accessNamespace : question.host) !== undefined

const notWaitedFor = (): Trouble => new Trouble('review_not_waited_for', 'retry')

/** Spreads what comes at once over time, a tenth of a second's worth at a time. */
function paced({ steadyMs, pause, perSecond = 200 }: ReviewParts): () => Promise<void> {
  const apartMs = 1000 / perSecond
  let next = 0
  return async () => {
    const now = steadyMs()
    next = Math.max(next, now - 100) + apartMs
    if (next > now) await pause(next - now)
  }
}
