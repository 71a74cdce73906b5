/** PURE: how a digest Secret says how far the people behind a key go, and who received its versions. */
import type { Cap, Places } from '../core/cap.ts'
import type { Attested, Person } from '../core/person.ts'
import type { KeySecret } from '../resources/key-secret.ts'
import { isObject } from '../resources/problem.ts'

/** Who received a version by claiming it, as their stamp proved it: they cap the key as long as it is in force. */
export type Claimants = ReadonlyMap<number, Attested>

export const NO_CLAIMANTS: Claimants = new Map()

/** undefined: it says nothing that we wrote. */
export function parseCap(value: unknown): Cap | undefined {
  if (!isObject(value) || !isTexts(value.held) || !isObject(value.within)) return undefined
  const within = Object.entries(value.within)
  if (!within.every((entry): entry is [string, Places] => entry[1] === 'everywhere' || isTexts(entry[1])))
    return undefined
  return { held: value.held, within: Object.fromEntries(within) }
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

/** undefined where there is nobody to be written down. */
export const encodeClaimants = (claimants: Claimants): string | undefined =>
  claimants.size === 0 ? undefined : JSON.stringify(Object.fromEntries(claimants))

/** undefined: it says something that we did not write, so that it isn't known who caps the key. */
export function parseClaimants(value: unknown): Claimants | undefined {
  if (!isObject(value)) return undefined
  const claimants = new Map<number, Attested>()
  for (const [version, said] of Object.entries(value)) {
    const attested = attestedIn(said)
    if (attested === undefined || !VERSION.test(version)) return undefined
    claimants.set(Number(version), attested)
  }
  return claimants
}

const VERSION = /^[1-9]\d{0,14}$/

function attestedIn(value: unknown): Attested | undefined {
  if (!isObject(value) || typeof value.at !== 'number') return undefined
  const person = personIn(value.person)
  return person && { person, at: value.at }
}

function personIn(value: unknown): Person | undefined {
  if (!isObject(value)) return undefined
  const { username, uid, groups, extra } = value
  if (typeof username !== 'string' || typeof uid !== 'string' || !isTexts(groups) || !isObject(extra)) return undefined
  const extras = Object.entries(extra)
  if (!extras.every((entry): entry is [string, readonly string[]] => isTexts(entry[1]))) return undefined
  return { username, uid, groups, extra: Object.fromEntries(extras) }
}

/**
 * Those of the versions that are in `next`. A digest that was there before keeps its claimant; a new one has the one that is
 * given, or none.
 */
export function claimantsOf(
  next: KeySecret,
  before: { readonly secret: KeySecret; readonly claimants: Claimants } | undefined,
  claimant: Attested | undefined,
): Claimants {
  const kept = [next.current, next.previous].flatMap((version): [number, Attested][] => {
    if (version === undefined) return []
    const known = [before?.secret.current, before?.secret.previous].find((one) => one?.digest === version.digest)
    const who = known !== undefined ? before?.claimants.get(known.version) : isNew(version, next) ? claimant : undefined
    return who === undefined ? [] : [[version.version, who]]
  })
  return new Map(kept)
}

const isNew = (version: { readonly version: number }, { current }: KeySecret): boolean =>
  version.version === current?.version
