/** PURE: what was asked for on the command line as an ApiKey, or every problem by the flag that it stands in. */
import { durationMs, PERIOD } from '../resources/common.ts'
import { type FieldProblem, parseManifest, refusedAtCreation } from '../resources/manifest.ts'
import type { Draft } from './cluster.ts'
import type { FieldCause } from './refused.ts'
import { quoted } from './shell-word.ts'

export type NewKeyFlags = {
  readonly displayName?: string | undefined
  readonly accessNamespace?: string | undefined
  readonly environment?: string | undefined
  /** Each may hold several, between commas. */
  readonly permissions?: readonly string[] | undefined
  readonly customers?: readonly string[] | undefined
  readonly expiresAt?: string | undefined
  /** Instead of expiresAt: `90d`. */
  readonly expiresIn?: string | undefined
  /** `600/1m`. */
  readonly rateLimit?: string | undefined
  readonly burst?: string | undefined
  /** `1000000/month`. */
  readonly quota?: string | undefined
  readonly allowedCidrs?: readonly string[] | undefined
  readonly overlap?: string | undefined
  readonly rotateEvery?: string | undefined
  readonly secretName?: string | undefined
}

export type NewKey =
  | { readonly ok: true; readonly draft: Draft }
  | { readonly ok: false; readonly problems: readonly string[] }

/** Judged as the API server will, so that every problem is named at once. */
export function newKey(
  place: { readonly name: string; readonly namespace: string },
  flags: NewKeyFlags,
  nowMs: number,
): NewKey {
  const wrong = badFlags(flags)
  const draft: Draft = { metadata: { name: place.name, namespace: place.namespace }, spec: specOf(flags, nowMs) }
  const judged = parseManifest({ apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', ...draft })
  const found = judged.ok ? refusedAtCreation(judged.manifest, nowMs) : judged.problems
  const said = new Set(wrong.map(([flag]) => flag))
  const problems = [
    ...wrong.map(([flag, problem]) => `${flag}: ${problem}`),
    ...problemsByFlag(found).filter((problem) => !said.has(problem.split(':', 1)[0] ?? '')),
  ]
  return problems.length === 0 ? { ok: true, draft } : { ok: false, problems }
}

/** Of `--overlap` for a key that is there, in the same words. */
export function overlapProblems(overlap: string): readonly string[] {
  const others = { accessNamespace: 'any', environment: 'production', permissions: ['any:any'] }
  const made = newKey({ name: 'any', namespace: 'any' }, { ...others, overlap }, 0)
  return made.ok ? [] : made.problems
}

/** Each field of the spec by the flag that fills it. */
const FLAGS: readonly (readonly [field: string, flag: string])[] = [
  ['metadata.name', 'NAME'],
  ['metadata.namespace', '--namespace'],
  ['spec.displayName', '--display-name'],
  ['spec.accessNamespace', '--access-namespace'],
  ['spec.environment', '--environment'],
  ['spec.permissions', '--permissions'],
  ['spec.customers', '--customers'],
  ['spec.expiresAt', '--expires-at'],
  ['spec.rateLimit.burst', '--burst'],
  ['spec.rateLimit', '--rate-limit'],
  ['spec.quota', '--quota'],
  ['spec.allowedCIDRs', '--allowed-cidrs'],
  ['spec.overlap', '--overlap'],
  ['spec.rotation', '--rotate-every'],
  ['spec.delivery', '--secret-name'],
  ['spec.state', 'spec.state'],
  ['spec.regenerate', 'spec.regenerate'],
]

/** `--permissions: Invalid value: …`; a field that has no flag stays as it is. */
export const problemsByFlag = (problems: readonly (FieldCause | FieldProblem)[]): readonly string[] =>
  problems.map(({ field, message }) => {
    const flag = FLAGS.find(
      ([named]) => field === named || field.startsWith(`${named}.`) || field.startsWith(`${named}[`),
    )
    return field === '' ? message : `${flag?.[1] ?? field}: ${message}`
  })

export const RATE = /^([0-9]{1,16})\/([1-9][0-9]{0,5}[smhd])$/
export const RATE_SAYS = 'requests and time, such as 600/1m'
const QUOTA = /^([0-9]{1,16})\/(day|month)$/
const WHOLE = /^[0-9]{1,16}$/

function badFlags(flags: NewKeyFlags): readonly (readonly [flag: string, problem: string])[] {
  const { rateLimit, burst, quota, expiresIn, expiresAt } = flags
  const wrong: (readonly [string, string])[] = []
  const not = (flag: string, value: string, right: string) =>
    wrong.push([flag, `${JSON.stringify(value)} is not ${right}`])
  if (rateLimit !== undefined && !RATE.test(rateLimit)) not('--rate-limit', rateLimit, RATE_SAYS)
  if (burst !== undefined && !WHOLE.test(burst)) not('--burst', burst, 'a whole number')
  else if (burst !== undefined && rateLimit === undefined) wrong.push(['--burst', 'goes with --rate-limit only'])
  if (quota !== undefined && !QUOTA.test(quota))
    not('--quota', quota, 'requests and day or month, such as 1000000/month')
  if (expiresIn !== undefined && !PERIOD.test(expiresIn))
    not('--expires-in', expiresIn, 'a number of s, m, h or d, such as 90d')
  if (expiresIn !== undefined && expiresAt !== undefined) wrong.push(['--expires-in', 'or --expires-at: one of them'])
  return wrong
}

/** A spec as flags can give it. */
type DraftedSpec = {
  readonly displayName?: string
  readonly accessNamespace?: string
  readonly environment?: string
  readonly permissions?: readonly string[]
  readonly customers?: readonly string[]
  readonly expiresAt?: string
  readonly rateLimit?: { readonly requests: number; readonly per: string; readonly burst?: number }
  readonly quota?: { readonly requests: number; readonly per: string }
  readonly allowedCIDRs?: readonly string[]
  readonly overlap?: string
  readonly rotation?: { readonly every: string }
  readonly delivery?: { readonly secretName: string }
}

/** What was not said is left out, and what can't be read as well: that is said as a problem of its flag. */
function specOf(flags: NewKeyFlags, nowMs: number): DraftedSpec {
  const { rateLimit, burst, quota, rotateEvery, secretName } = flags
  const rate = RATE.exec(rateLimit ?? '')
  const amount = QUOTA.exec(quota ?? '')
  const spec = {
    displayName: flags.displayName,
    accessNamespace: flags.accessNamespace,
    environment: flags.environment,
    permissions: several(flags.permissions),
    customers: several(flags.customers),
    expiresAt: expiryOf(flags, nowMs),
    rateLimit:
      rate === null
        ? undefined
        : { requests: Number(rate[1]), per: rate[2], ...(WHOLE.test(burst ?? '') && { burst: Number(burst) }) },
    quota: amount === null ? undefined : { requests: Number(amount[1]), per: amount[2] },
    allowedCIDRs: several(flags.allowedCidrs),
    overlap: flags.overlap,
    rotation: rotateEvery === undefined ? undefined : { every: rotateEvery },
    delivery: secretName === undefined ? undefined : { secretName },
  }
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined))
}

/** `a,b` and a second flag with `c` are three. */
export function several(values: readonly string[] | undefined): readonly string[] | undefined {
  const parts = values?.flatMap((value) => value.split(',')).map((value) => value.trim())
  return parts?.filter((value) => value !== '')
}

function expiryOf({ expiresAt, expiresIn }: NewKeyFlags, nowMs: number): string | undefined {
  if (expiresAt !== undefined || expiresIn === undefined || !PERIOD.test(expiresIn)) return expiresAt
  const at = new Date(nowMs + durationMs(expiresIn))
  return Number.isFinite(at.getTime()) ? at.toISOString().replace(/\.\d+Z$/, 'Z') : expiresIn
}

/** The same on a command line: all that the flags give, since one left out would make a key that may do more. */
export function commandLineOf(self: string, { metadata, spec }: Draft): string {
  const { rateLimit, quota, rotation, delivery, ...plain } = spec as DraftedSpec
  const flags: readonly (readonly [string, string | undefined])[] = [
    ['-n', metadata.namespace as string],
    ['--access-namespace', plain.accessNamespace],
    ['--environment', plain.environment],
    ['--permissions', plain.permissions?.join(',')],
    ['--display-name', plain.displayName],
    ['--customers', plain.customers?.join(',')],
    ['--expires-at', plain.expiresAt],
    ['--rate-limit', rateLimit && `${rateLimit.requests}/${rateLimit.per}`],
    ['--burst', rateLimit?.burst?.toString()],
    ['--quota', quota && `${quota.requests}/${quota.per}`],
    ['--allowed-cidrs', plain.allowedCIDRs?.join(',')],
    ['--overlap', plain.overlap],
    ['--rotate-every', rotation?.every],
    ['--secret-name', delivery?.secretName],
  ]
  const words = flags.flatMap(([flag, value]) => (value === undefined ? [] : [`${flag} ${quoted(value)}`]))
  return [self, 'create', quoted(String(metadata.name)), ...words].join(' ')
}
