/** What people may do, asked once for each distinct question: first for all places at once, then by name; bounded in number and pace. */
import type { Permission } from '../core/permission.ts'
import { type Person, personKey } from './person.ts'
import { type Question, questionKey, type ReviewSpec, reviewSpec } from './review-spec.ts'

/** The API server's answer to a SubjectAccessReview; what could not be asked is a Trouble. */
export type Review = (spec: ReviewSpec) => Promise<boolean>

/** Somebody waits for an answer to admission; a renewal of what is known keeps to its pace behind them. */
export type Lane = 'admission' | 'renewal'

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
  /** Answers that are kept; 200,000 unless told. */
  readonly keep?: number
}

export type Asking = {
  readonly lane: Lane
  /** An answer that is older is asked for anew. */
  readonly maxAgeMs: number
}

export type Reviews = {
  readonly may: (person: Person, question: Question, asking: Asking) => Promise<boolean>
  /** Those of the permissions that the person may not grant, in their order. */
  readonly missing: (person: Person, wanted: Wanted, asking: Asking) => Promise<readonly Permission[]>
  /** What may have changed, such as after an edit of a role; answers that are on their way are not taken over either. */
  readonly forget: (concerns: (person: Person, question: Question) => boolean) => void
  readonly size: () => number
}

export type Wanted = { readonly accessNamespace: string; readonly permissions: readonly Permission[] }

type Entry = {
  readonly person: Person
  readonly question: Question
  /** When it was asked, by the steady clock. */
  readonly askedAt: number
  readonly answer: Promise<boolean>
}

export function makeReviews(parts: ReviewParts): Reviews {
  const { review, steadyMs, counted, keep = 200_000 } = parts
  const entries = new Map<string, Entry>()
  const turn = turns(parts.concurrency ?? 16)
  const pace = paced(parts)

  const one = (person: Person, question: Question, { lane, maxAgeMs }: Asking): Promise<boolean> => {
    const key = `${questionKey(question)} ${personKey(person)}`
    const known = entries.get(key)
    if (known !== undefined && steadyMs() - known.askedAt <= maxAgeMs) return known.answer
    const ask = async (): Promise<boolean> => {
      if (lane === 'renewal') await pace()
      return turn(() => {
        counted(lane)
        return review(reviewSpec(person, question))
      })
    }
    const entry: Entry = { person, question, askedAt: steadyMs(), answer: ask() }
    // behind those that were asked before, so that the oldest goes first
    entries.delete(key)
    entries.set(key, entry)
    entry.answer.catch(() => {
      if (entries.get(key) === entry) entries.delete(key)
    })
    for (const oldest of entries.keys()) {
      if (entries.size <= keep) break
      entries.delete(oldest)
    }
    return entry.answer
  }

  /** A yes to the question without a name covers every name. */
  const may: Reviews['may'] = async (person, question, asking) =>
    (await one(person, everywhere(question), asking)) || (await one(person, question, asking))

  return {
    may,
    missing: async (person, { accessNamespace, permissions }, asking) => {
      const answers = await Promise.all(
        permissions.map((permission) => may(person, { kind: 'grant', permission, accessNamespace }, asking)),
      )
      return permissions.filter((_, i) => answers[i] !== true)
    },
    forget: (concerns) => {
      for (const [key, { person, question }] of entries) if (concerns(person, question)) entries.delete(key)
    },
    size: () => entries.size,
  }
}

const everywhere = (question: Question): Question =>
  question.kind === 'grant' ? { ...question, accessNamespace: undefined } : { ...question, host: undefined }

/** At most so many at once; the others wait in the order in which they came. */
function turns(most: number): <T>(act: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (act) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await act()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}

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
