/** Whose question is next: so many are asked at once, and nobody who only asks for admission keeps all the others waiting. */

/**
 * Who goes first. admission: somebody waits for it; change: what may have changed, or was never asked; renewal: what is known
 * and only getting old, which keeps to its pace.
 */
export const LANES = ['admission', 'change', 'renewal'] as const
export type Lane = (typeof LANES)[number]

export type Waiting = {
  readonly lane: Lane
  /** `personKey` of the person that it is about. */
  readonly who: string
  readonly begin: () => Promise<unknown>
  /** Whether anybody still waits for it; where nobody does it is dropped instead of begun. */
  readonly isWanted: () => boolean
  readonly drop: () => void
}

/** Of four turns one is kept from admission: a loss of access is seen however many keys somebody tries to make. */
const ADMISSION_SHARE = 3 / 4
/** Of one person's admissions at once, so that those of others go on. */
const MOST_OF_ONE_PERSON = 8

/** At most so many at once; the others wait, the first lane first, and in each in the order in which they came. */
export function makeTurns(most: number): (one: Waiting) => void {
  const mostAdmissions = Math.ceil(most * ADMISSION_SHARE)
  const admissions = takingTurns()
  const others = { change: line(), renewal: line() }
  let running = 0
  let admitting = 0

  const next = (): Waiting | undefined =>
    (admitting < mostAdmissions ? admissions.take() : undefined) ?? others.change.take() ?? others.renewal.take()

  const run = async (one: Waiting): Promise<void> => {
    running += 1
    if (one.lane === 'admission') admitting += 1
    try {
      await one.begin()
    } catch {
      // whoever waits for the answer is told
    } finally {
      running -= 1
      if (one.lane === 'admission') {
        admitting -= 1
        admissions.over(one.who)
      }
      fill()
    }
  }

  const fill = (): void => {
    while (running < most) {
      const one = next()
      if (one === undefined) return
      void run(one)
    }
  }

  return (one) => {
    if (one.lane === 'admission') admissions.add(one)
    else others[one.lane].add(one)
    fill()
  }
}

type Line = ReturnType<typeof line>

/** First in, first out, however long it is. */
function line() {
  let come: Waiting[] = []
  let go: Waiting[] = []

  const first = (): Waiting | undefined => {
    if (go.length === 0) {
      go = come.reverse()
      come = []
    }
    return go.pop()
  }

  return {
    add: (one: Waiting): void => {
      come.push(one)
    },
    /** The first one that anybody still wants. */
    take: (): Waiting | undefined => {
      for (let one = first(); one !== undefined; one = first()) {
        if (one.isWanted()) return one
        one.drop()
      }
      return undefined
    },
  }
}

/** One person after the other, and of each only so many at once. */
function takingTurns() {
  const people = new Map<string, { readonly line: Line; running: number }>()

  const add = (one: Waiting): void => {
    const person = people.get(one.who) ?? { line: line(), running: 0 }
    people.set(one.who, person)
    person.line.add(one)
  }

  const take = (): Waiting | undefined => {
    for (const [who, person] of people) {
      if (person.running >= MOST_OF_ONE_PERSON) continue
      const one = person.line.take()
      if (one === undefined) {
        if (person.running === 0) people.delete(who)
        continue
      }
      person.running += 1
      // behind the others
      people.delete(who)
      people.set(who, person)
      return one
    }
    return undefined
  }

  return {
    add,
    take,
    over: (who: string): void => {
      const person = people.get(who)
      if (person !== undefined) person.running -= 1
    },
  }
}
