/** What all kinds share: scalars with their bounds and patterns, lists, durations, instants, metadata. */
import { z } from 'zod'
import type { Parsed } from '../core/parsed.ts'
import { PERMISSION } from '../core/permission.ts'

export const API_VERSION = 'keyward.dev/v1alpha1'

// Bounds and patterns stand in the schemas, and the patterns keep to what RE2 can do, since the API server runs them too.
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
export const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const NO_CONTROLS = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u
export const DURATION = /^([0-9]{1,6}(s|m|h))+$/
export const PERIOD = /^[1-9][0-9]{0,5}(s|m|h|d)$/
const SHORT_DURATION = /^[1-9][0-9]{0,5}(s|m|h)$/
export const INSTANT =
  /^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$/
export const CIDR = /^[0-9a-fA-F:.]+\/[0-9]{1,3}$/
export const KEY_ID = /^kw_(prod|stag|dev)_[0-9A-Za-z]{12}$/
const QUALIFIED_NAME =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/

type Form = { readonly max: number; readonly pattern: RegExp; readonly right: string }

/** What a CRD and a message need to know of a schema beyond its shape. */
export type SchemaMeta = {
  /** What would be right where the pattern is not met. */
  readonly right?: string
  /** CEL for those words, where they depend on what was written. */
  readonly rightSays?: string
  /** What is written here could be a secret, so that no message shows it. */
  readonly hidden?: true
  /** Long enough for a whole key, which is refused. */
  readonly holdsKeys?: true
}

// a pattern is never tried on a string that is too long: nobody's patience is spent on megabytes
const bounded = (max: number) => z.string().min(1, { abort: true }).max(max, { abort: true })

/** A string of 1 to `max` characters and one pattern; `right` says in words what would be right. */
export const matching = ({ max, pattern, right }: Form) =>
  bounded(max)
    .regex(pattern, right)
    .meta({ right } satisfies SchemaMeta)

export const dnsLabel = () =>
  matching({
    max: 63,
    pattern: LABEL,
    right: 'lower-case letters, digits and "-", beginning and ending with a letter or digit',
  })

export const dnsSubdomain = () =>
  matching({
    max: 253,
    pattern: SUBDOMAIN,
    right: 'lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit',
  })

/** Text for people. */
export const display = (max = 128) =>
  matching({ max, pattern: NO_CONTROLS, right: 'text without line breaks and control characters' }).meta({
    holdsKeys: true,
  } satisfies SchemaMeta)

/** Ids that stand in URLs, in headers and between commas. */
export const urlId = () =>
  matching({ max: 128, pattern: /^[A-Za-z0-9._~-]+$/, right: 'letters, digits and . _ ~ - only' }).meta({
    holdsKeys: true,
  } satisfies SchemaMeta)

export const permission = () =>
  matching({
    max: 128,
    pattern: PERMISSION,
    right: 'a permission in lower case with at least one colon, such as license:manage',
  })

export const durationText = () =>
  matching({ max: 16, pattern: DURATION, right: 'a duration in hours, minutes and seconds, such as 720h or 1h30m' })

export const shortDurationText = () =>
  matching({ max: 12, pattern: SHORT_DURATION, right: 'a whole number of s, m or h, such as 15m' })

export const periodText = () =>
  matching({ max: 8, pattern: PERIOD, right: 'a whole number of s, m, h or d, such as 1m' })

export const instantText = () =>
  matching({
    max: 40,
    pattern: INSTANT,
    right: 'a date and time with its offset as in RFC 3339, such as 2027-03-01T00:00:00Z',
  })

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of `1h30m`, `720h` or `15m`. */
export function durationMs(text: string): number {
  let sum = 0
  let number = 0
  for (const character of text) {
    const unit = UNIT_MS[character]
    if (unit === undefined) number = number * 10 + Number(character)
    else {
      sum += number * unit
      number = 0
    }
  }
  return sum
}

/** Milliseconds since 1970; undefined for a day that the calendar does not have. */
export function instantMs(text: string): number | undefined {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number)
  const lastOfMonth = new Date(0)
  // Date.UTC takes the years 0 to 99 for those of the last century
  lastOfMonth.setUTCFullYear(year ?? 0, month ?? 0, 0)
  const at = Date.parse(text)
  return (day ?? 0) <= lastOfMonth.getUTCDate() && Number.isFinite(at) ? at : undefined
}

/** `a workspace`, `an application`. */
export const withArticle = (noun: string): string => (/^[aeio]/.test(noun) ? `an ${noun}` : `a ${noun}`)

/** The value of something whose form the schema has already seen to. */
export function sure<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`the schema let through what its parser refuses: ${parsed.problem}`)
  return parsed.value
}

/** Whatever the API server writes into metadata is let through, so that an exported object can be read back. */
const SERVER_MADE = {
  generateName: z.unknown().optional(),
  uid: z.unknown().optional(),
  resourceVersion: z.unknown().optional(),
  generation: z.unknown().optional(),
  creationTimestamp: z.unknown().optional(),
  deletionTimestamp: z.unknown().optional(),
  deletionGracePeriodSeconds: z.unknown().optional(),
  ownerReferences: z.unknown().optional(),
  finalizers: z.unknown().optional(),
  managedFields: z.unknown().optional(),
  selfLink: z.unknown().optional(),
}

const qualifiedName = () =>
  matching({
    max: 317,
    pattern: QUALIFIED_NAME,
    right: 'letters, digits and - _ . with an optional DNS prefix and "/", such as example.com/team',
  })

const shared = {
  labels: z
    .record(
      qualifiedName(),
      z
        .string()
        .max(63, { abort: true })
        .regex(LABEL_VALUE, 'letters, digits and - _ . beginning and ending with a letter or digit'),
    )
    .optional(),
  annotations: z.record(qualifiedName(), z.string().max(262_144)).optional(),
  ...SERVER_MADE,
}

/** The API server's own words for names. */
const NAME = 'name or generateName is required. Files need a name: generateName is for kubectl create only'
const A_NAME =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

const objectName = () => matching({ max: 253, pattern: SUBDOMAIN, right: A_NAME }).describe(NAME)

/** Metadata of kinds that live in a Kubernetes namespace. */
export const namespacedMetadata = z.strictObject({
  name: objectName(),
  namespace: dnsLabel().default('default'),
  ...shared,
})

/** Metadata of cluster-scoped kinds; a Kubernetes namespace means nothing there, and tools like kustomize add one. */
const clusterMetadata = <T extends z.ZodType>(name: T) =>
  z.strictObject({ name, namespace: z.unknown().optional(), ...shared })

export const subdomainNamed = clusterMetadata(objectName())
export const labelNamed = clusterMetadata(dnsLabel().describe(NAME))

/** A whole object of one kind: nothing is let through that is not named, and status is never read. */
export const objectOf = <Kind extends string, Metadata extends z.ZodType, Spec extends z.ZodType>(parts: {
  readonly kind: Kind
  readonly metadata: Metadata
  readonly spec: Spec
}) =>
  z.strictObject({
    apiVersion: z.literal(API_VERSION).describe(API_VERSION),
    kind: z.literal(parts.kind).describe('the kind of the object'),
    metadata: parts.metadata,
    spec: parts.spec,
    status: z.unknown().optional(),
  })
