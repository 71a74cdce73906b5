/** What people may do, asked once for each distinct question: first for all places at once, then by name; bounded in number and pace. */
import type { Permission } from '../core/permission.ts'
import { type Person, personKey } from '../core/person.ts'
import { type Question, questionKey, type ReviewSpec, reviewSpec } from './review-spec.ts'

/** The API server's answer to a SubjectAccessReview; what could not be asked is a Trouble. */
export type Review = (spec: ReviewSpec) => Promise<boolean>

/**
 * Who goes first. admission: somebody waits for it; change: what may have changed, or was never asked; renewal: what is known
 * and only getting old, which keeps to its pace.
 */
export const LANES = ['admission', 'change', 'renewal'] as const
export type Lane = (typeof LANES)[number]

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

type Entry = {
  readonly person: Person
  readonly who: string
  readonly question: Question
  /** When it was asked, by the steady clock. */
  readonly askedAt: number
  readonly answer: Promise<boolean>
  said: boolean | undefined
}

export function makeReviews(parts: ReviewParts): Reviews {
  const { review, steadyMs, counted, keep = 200_000 } = parts
  const entries = new Map<string, Entry>()
  const turn = turns(parts.concurrency ?? 16)
  const pace = paced(parts)
  const keys = new WeakMap<Person, string>()

  const whoIs = (person: Person): string => {
    const who = keys.get(person) ?? personKey(person)
    keys.set(person, who)
    return who
  }

  const begin = (key: string, about: Pick<Entry, 'person' | 'who' | 'question'>, lane: Lane): Promise<boolean> => {
    const answer = turn(lane, () => {
      counted(lane)
      return review(reviewSpec(about.person, about.question))
    })
    const entry: Entry = { ...about, askedAt: steadyMs(), answer, said: undefined }
    // behind those that were asked before, so that the oldest goes first
    entries.delete(key)
    entries.set(key, entry)
    answer.then(
      (said) => {
        entry.said = said
      },
      () => {
        if (entries.get(key) === entry) entries.delete(key)
      },
    )
    for (const oldest of entries.keys()) {
      if (entries.size <= keep) break
      entries.delete(oldest)
    }
    return answer
  }

  const one = async (person: Person, question: Question, { lane, maxAgeMs }: Asking): Promise<boolean> => {
    const who = whoIs(person)
    const key = `${questionKey(question)} ${who}`
    const known = () => {
      const entry = entries.get(key)
      return entry !== undefined && steadyMs() - entry.askedAt <= maxAgeMs ? entry.answer : undefined
    }
    const answer = known()
    if (answer !== undefined) return answer
    // before anything of it is known to others: nobody else waits for the pace
    if (lane === 'renewal') await pace()
    return (lane === 'renewal' ? known() : undefined) ?? begin(key, { person, who, question }, lane)
  }

  /** A yes to the question without a name covers every name. */
  const may: Reviews['may'] = async (person, question, asking) =>
    (await one(person, everywhere(question), asking)) || (isNamed(question) && (await one(person, question, asking)))

  return {
    may,
    missing: async (person, { accessNamespace, permissions }, asking) => {
      const answers = await Promise.all(
        permissions.map((permission) => may(person, { kind: 'grant', permission, accessNamespace }, asking)),
      )
      return permissions.filter((_, i) => answers[i] !== true)
    },
    forget: (concerns) => {
      for (const [key, entry] of entries) if (concerns(entry)) entries.delete(key)
    },
    size: () => entries.size,
  }
}

const everywhere = (question: Question): Question =>
  question.kind === 'grant' ? { ...question, accessNamespace: undefined } : { ...question, host: undefined }

const isNamed = (question: Question): boolean =>
  (question.kind === 'grant' ? question.accessNamespace : question.host) !== undefined

/** At most so many at once; the others wait, each lane in the order in which they came, the first lane first. */
function turns(most: number): <T>(lane: Lane, act: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: Readonly<Record<Lane, Line>> = { admission: line(), change: line(), renewal: line() }
  return async (lane, act) => {
    if (running >= most) await new Promise<void>(waiting[lane].add)
    else running++
    try {
      return await act()
    } finally {
      const next = LANES.map((one) => waiting[one].take).reduce<(() => void) | undefined>(
        (got, take) => got ?? take(),
        undefined,
      )
      if (next === undefined) running--
      else next()
    }
  }
}

type Line = ReturnType<typeof line>

/** First in, first out, however long it is. */
function line() {
  let come: (() => void)[] = []
  let go: (() => void)[] = []
  return {
    add: (one: () => void): void => {
      come.push(one)
    },
    take: (): (() => void) | undefined => {
      if (go.length === 0) {
        go = come.reverse()
        come = []
      }
      return go.pop()
    },
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
