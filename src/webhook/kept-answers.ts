/**
 * Answers about people, by person and question; each person is held once. What only admission asked for passes: it goes after
 * seconds, and first where there is too much, so that nobody fills the memory by asking.
 */
import type { Person } from '../core/person.ts'

export type Whose = {
  readonly person: Person
  /** `personKey` of the person. */
  readonly who: string
}

export type Kept = Whose & {
  /** `questionKey` of the question. */
  readonly key: string
  /** When it was asked, by the steady clock. */
  readonly askedAt: number
}

export type KeptAnswers<Entry extends Kept> = {
  readonly find: (who: string, key: string) => Entry | undefined
  /** The same person as others hold it, so that it is there once. */
  readonly held: (whose: Whose) => Whose
  /** In place of the one before. @param isPassing nobody but admission asked */
  readonly keep: (entry: Entry, isPassing: boolean) => void
  /** Somebody goes by it for longer than an admission takes. */
  readonly stay: (entry: Entry) => void
  /** Nothing where another one is in its place by now. */
  readonly drop: (entry: Entry) => void
  readonly all: () => readonly Entry[]
  readonly size: () => number
}

export type KeptAnswersParts = {
  readonly steadyMs: () => number
  /** Of all of them. */
  readonly most: number
}

/** Several times as old as an admission takes one. */
const PASSING_MS = 5000
const MOST_PASSING = 20_000
/** Of the people whom passing answers are about. */
const MOST_PASSING_CHARS = 8 * 1024 * 1024

type Held<Entry> = Whose & { readonly entries: Map<string, Entry>; passing: number }

export function keepAnswers<Entry extends Kept>({ steadyMs, most }: KeptAnswersParts): KeptAnswers<Entry> {
  const people = new Map<string, Held<Entry>>()
  /** Each the oldest first. */
  const passing = new Set<Entry>()
  const staying = new Set<Entry>()
  let passingChars = 0

  const size = (): number => passing.size + staying.size

  const pass = (entry: Entry, held: Held<Entry>): void => {
    passing.add(entry)
    if (held.passing === 0) passingChars += held.who.length
    held.passing += 1
  }

  const passNoMore = (entry: Entry, held: Held<Entry>): void => {
    if (!passing.delete(entry)) return
    held.passing -= 1
    if (held.passing === 0) passingChars -= held.who.length
  }

  const drop = (entry: Entry): void => {
    const held = people.get(entry.who)
    if (held?.entries.get(entry.key) !== entry) return
    passNoMore(entry, held)
    staying.delete(entry)
    held.entries.delete(entry.key)
    if (held.entries.size === 0) people.delete(entry.who)
  }

  const isTooMuch = (): boolean => passing.size > MOST_PASSING || passingChars > MOST_PASSING_CHARS || size() > most

  const tidy = (): void => {
    for (const oldest of passing) {
      if (!isTooMuch() && steadyMs() - oldest.askedAt <= PASSING_MS) break
      drop(oldest)
    }
    for (const oldest of staying) {
      if (size() <= most) break
      drop(oldest)
    }
  }

  return {
    find: (who, key) => {
      tidy()
      return people.get(who)?.entries.get(key)
    },
    held: (whose) => people.get(whose.who) ?? whose,
    keep: (entry, isPassing) => {
      const { person, who, key } = entry
      const before = people.get(who)?.entries.get(key)
      const stays = !isPassing || (before !== undefined && staying.has(before))
      if (before !== undefined) drop(before)
      const held = people.get(who) ?? { person, who, entries: new Map<string, Entry>(), passing: 0 }
      people.set(who, held)
      held.entries.set(key, entry)
      if (stays) staying.add(entry)
      else pass(entry, held)
      tidy()
    },
    stay: (entry) => {
      const held = people.get(entry.who)
      if (held === undefined || !passing.has(entry)) return
      passNoMore(entry, held)
      staying.add(entry)
    },
    drop,
    all: () => [...passing, ...staying],
    size,
  }
}
