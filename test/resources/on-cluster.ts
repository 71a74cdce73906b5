/** Where a cluster answers otherwise than standalone, in one place, each with its reason. All other cases are refused with the same words. */

export type Elsewhere = {
  /** What the API server does: takes it, or refuses it in words of its own. */
  readonly answer: 'takes it' | 'own words'
  readonly why: string
  /** By the names of the cases. */
  readonly cases: readonly string[]
}

export const ELSEWHERE: readonly Elsewhere[] = [
  {
    answer: 'takes it',
    why: 'only the webhook compares hundreds of things with one another: it exceeds what a rule may cost',
    cases: ['a tie', 'a tie by HEAD', 'a label twice'],
  },
  {
    answer: 'takes it',
    why: 'only the webhook reads JSON in a string',
    cases: ['keys that are no JSON', 'an empty JWK Set', 'a key of an unknown type'],
  },
  {
    answer: 'takes it',
    why: 'only the webhook has a clock',
    cases: ['an expired key regenerated'],
  },
  {
    answer: 'own words',
    why: 'kind and version stand in the path of a request, which is that of an ApiKey here',
    cases: ['another version', 'no version', 'another kind', 'a kind of Object.prototype', 'no kind'],
  },
  {
    answer: 'own words',
    why: 'metadata is read before any schema, and what a Kubernetes namespace is called is no affair of the object in it',
    cases: [
      'no metadata',
      'a name of 254 letters',
      'a name that is a number',
      'a namespace with dots',
      'a label that is no string',
      'a label name with a space',
      'an annotation that is a mapping',
    ],
  },
  {
    answer: 'own words',
    why: 'of a boolean in the place of a number the API server says only that it is no int64',
    cases: ['regenerate as a switch'],
  },
]

/** How a case is answered elsewhere; undefined: with the same words. */
export const elsewhere = (what: string): Elsewhere['answer'] | undefined =>
  ELSEWHERE.find(({ cases }) => cases.includes(what))?.answer

/**
 * Whether standalone says what the API server says. Standalone has room for a hint behind it, shows no more than the
 * beginning of a long value, and tells of an unknown field where the API server has one line for all of them.
 */
export function sameWords(ours: string, theirs: string): boolean {
  if (ours === theirs) return true
  const goesOn = ours.startsWith(theirs) && /^[:,]/.test(ours.slice(theirs.length))
  return goesOn
}
