/** PURE: what is said of a key: conditions, the phase that sums them up, and the columns of tables. */
import { conditionsOf, type Finding, formatTime } from '../core/condition.ts'
import type { Limit } from '../core/limit.ts'
import { effective, summary } from '../core/permission.ts'
import { isHandedOver } from '../core/version.ts'
import { type KeySecret, UNRECORDED } from '../resources/key-secret.ts'
import type { ApiKeyStatus, CredentialStatus, Person, Phase, Reported } from '../resources/key-status.ts'
import { capOf, isClaimed, type Life } from './life.ts'
import { withheldOf, withinAccess } from './withheld.ts'
import type { AutomaticRecipient, People, WorkloadSecret } from './world.ts'

export const EXPIRING_SOON_MS = 7 * 24 * 3_600_000

/** The life of a key, with its secret as it is in force. */
export type Told = Life & {
  readonly people: People
  readonly automatic: AutomaticRecipient | undefined
  readonly workloadSecret: WorkloadSecret | undefined
  readonly before: Reported
  readonly setback: string | undefined
}

export function statusOf(told: Told): ApiKeyStatus {
  const { declared, spec, secret, people, before, now } = told
  const held = effective(spec.permissions, capOf(people)?.held)
  const withheld = withheldOf({ asked: spec.permissions, people, before, now })
  const ready = readiness(told)
  const findings = [
    ready,
    claimedness(told),
    withinAccess(people, withheld),
    expiringSoon(told),
    ...credentialStored(told),
    ...conflicts(told),
  ]
  return {
    phase: PHASES[ready.reason] ?? 'Failed',
    // a key ID is set once: where its digests are lost, what was said of it stays
    keyId: secret?.keyId ?? (isKeptInStatus(told) ? before.keyId : undefined),
    createdBy: personOf(people.createdBy),
    permissions: held,
    permissionsSummary: summary(spec.permissions, held),
    withheld: withheld.length === 0 ? undefined : withheld,
    limitsSummary: limitsSummary(spec.limits),
    credential: secret && credentialOf(secret),
    observedGeneration: declared.generation,
    conditions: [
      ...conditionsOf(findings, before.conditions, { generation: declared.generation, nowMs: now }),
      ...before.conditions.filter(({ type }) => !OURS.has(type)),
    ],
  }
}

const isKeptInStatus = ({ failure }: Told): boolean =>
  failure?.reason === 'SecretMissing' || failure?.reason === 'NotAttested'

/** What others say of a key stays. */
const OURS = new Set(['Ready', 'Claimed', 'WithinCreatorAccess', 'ExpiringSoon', 'CredentialStored', 'Conflict'])

/** The phase is only a summary of why a key is ready or not; every other reason is a failure. */
const PHASES: Readonly<Record<string, Phase | undefined>> = {
  Active: 'Active',
  Suspended: 'Inactive',
  Revoked: 'Inactive',
  Deleting: 'Inactive',
  Expired: 'Expired',
  AwaitingClaim: 'Pending',
  AwaitingHandOver: 'Pending',
  NoRecipient: 'Pending',
  SecretNotOurs: 'Pending',
  AwaitingCollection: 'Pending',
}

function readiness(told: Told): Finding {
  const { spec, declared, failure, expired, secret } = told
  const not = (reason: string, message: string): Finding => ({ type: 'Ready', status: 'False', reason, message })
  if (declared.apiKey.deleting === true) return not('Deleting', 'the key is being deleted')
  if (spec.state === 'Revoked') return not('Revoked', 'the key is revoked for good')
  if (failure !== undefined) return not(failure.reason, failure.message)
  if (spec.state === 'Suspended') return not('Suspended', 'the key is suspended')
  if (expired) return not('Expired', `the key expired at ${formatTime(spec.expiresAt ?? 0)}`)
  if (!works(secret)) return not(...awaited(told))
  return { type: 'Ready', status: 'True', reason: 'Active', message: 'the key is in force' }
}

/** Whether somebody has a secret that is good. */
const works = (secret: KeySecret | undefined): boolean =>
  secret !== undefined && (isHandedOver(secret.current) || secret.previous !== undefined)

/** What a version that is due waits for: reason and sentence. */
function awaited({ spec, due, automatic, workloadSecret }: Told): readonly [string, string] {
  if (automatic !== undefined) return ['AwaitingHandOver', `version ${due} is on its way`]
  if (spec.delivery.kind === 'workloadSecret' && workloadSecret === 'foreign')
    return ['SecretNotOurs', notOurs(spec.delivery.secretName)]
  if (spec.delivery.kind === 'workloadSecret' && workloadSecret === 'collected')
    return ['AwaitingCollection', notYetCollected(spec.delivery.secretName)]
  return spec.delivery.kind === 'workloadSecret'
    ? ['NoRecipient', `version ${due} has no Secret to go to here: start standalone with --new-keys to receive it`]
    : ['AwaitingClaim', `version ${due} waits to be claimed`]
}

function claimedness(told: Told): Finding {
  const { spec, declared, failure, expired, secret, due, setback } = told
  const not = (reason: string, message: string): Finding => ({ type: 'Claimed', status: 'False', reason, message })
  if (isClaimed(told) && secret?.current !== undefined) {
    const { version, claimedBy } = secret.current
    const [reason, how, word] =
      secret.origin === 'imported' ? ['Imported', 'imported', 'by'] : ['Claimed', 'handed over', 'to']
    const who = personOf(claimedBy)
    const message = `version ${version} was ${how}${who === undefined ? '' : ` ${word} ${who.username}`}`
    return { type: 'Claimed', status: 'True', reason, message }
  }
  if (declared.apiKey.deleting === true) return not('KeyInactive', 'the key is being deleted')
  if (spec.state === 'Revoked') return not('KeyInactive', 'the key is revoked for good')
  if (failure !== undefined) return not(failure.reason, failure.message)
  if (expired) return not('KeyExpired', 'the key expired before this version was claimed')
  if (spec.state === 'Suspended') return not('KeyInactive', `version ${due} is not minted until the key is active`)
  if (setback !== undefined) return not('HandOverFailed', `version ${due} could not be handed over yet: ${setback}`)
  return not(...awaited(told))
}

/** As many characters as a status holds. */
const MOST_NAME = 1024

/** Nobody has the name that stands for nobody. */
const personOf = (username: string | undefined): Person | undefined =>
  username === undefined || username === UNRECORDED ? undefined : { username: username.slice(0, MOST_NAME) }

function expiringSoon({ spec: { expiresAt }, expired, now }: Told): Finding {
  const type = 'ExpiringSoon'
  if (expiresAt === undefined)
    return { type, status: 'False', reason: 'NeverExpires', message: 'the key does not expire' }
  const at = formatTime(expiresAt)
  if (expired) return { type, status: 'False', reason: 'Expired', message: `the key expired at ${at}` }
  return expiresAt - EXPIRING_SOON_MS <= now
    ? { type, status: 'True', reason: 'WithinAWeek', message: `the key expires at ${at}` }
    : { type, status: 'False', reason: 'NotYet', message: `the key expires at ${at}` }
}

const notOurs = (secretName: string): string =>
  `the Secret ${secretName} belongs to somebody else and is left alone: delete it, or name another in spec.delivery.secretName`

const notYetCollected = (secretName: string): string =>
  `the Secret ${secretName} is that of an ApiKey of this name that was deleted: its garbage collection is waited for`

/** Only where a workload's Secret is looked after; a key whose Secret is gone goes on, since somebody may have read it. */
function credentialStored(told: Told): readonly Finding[] {
  const { spec, workloadSecret } = told
  if (workloadSecret === undefined || spec.delivery.kind !== 'workloadSecret') return []
  return [{ type: 'CredentialStored', ...storedness(told, workloadSecret, spec.delivery.secretName) }]
}

function storedness(told: Told, workloadSecret: WorkloadSecret, secretName: string): Omit<Finding, 'type'> {
  if (workloadSecret === 'foreign') return { status: 'False', reason: 'SecretNotOurs', message: notOurs(secretName) }
  if (workloadSecret === 'collected') {
    return { status: 'False', reason: 'AwaitingCollection', message: notYetCollected(secretName) }
  }
  if (workloadSecret === 'unknown') {
    return { status: 'Unknown', reason: 'NotSeen', message: `the Secret ${secretName} can't be looked at` }
  }
  if (!isClaimed(told)) {
    return {
      status: 'False',
      reason: 'AwaitingHandOver',
      message: `version ${told.due} is not in the Secret ${secretName} yet`,
    }
  }
  if (workloadSecret === 'present') {
    return { status: 'True', reason: 'Stored', message: `the Secret ${secretName} holds version ${told.due}` }
  }
  const message = `the Secret ${secretName} was deleted or never held version ${told.due}: the plaintext is gone; raise spec.regenerate for a new one`
  return { status: 'False', reason: 'SecretMissing', message }
}

/** Only where there is one. */
const conflicts = ({ spec, failure }: Told): readonly Finding[] =>
  failure?.conflict === undefined || spec.state === 'Revoked'
    ? []
    : [{ type: 'Conflict', status: 'True', reason: failure.conflict, message: failure.message }]

function credentialOf({ current, previous }: KeySecret): CredentialStatus | undefined {
  if (current?.claimedAt === undefined || current.claimedBy === undefined) return undefined
  return {
    version: current.version,
    issuedAt: formatTime(current.issuedAt),
    claimedBy: personOf(current.claimedBy),
    claimedAt: formatTime(current.claimedAt),
    previousValidUntil: previous?.validUntil === undefined ? undefined : formatTime(previous.validUntil),
  }
}

/** `600/1m, 1000000/month`. */
function limitsSummary(limits: readonly Limit[]): string | undefined {
  const parts = limits.map((limit) =>
    limit.kind === 'rate'
      ? `${limit.requests}/${period(limit.perUs / 1_000_000)}`
      : `${limit.requests}/${limit.period}`,
  )
  return parts.length === 0 ? undefined : parts.join(', ')
}

const UNITS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'm'],
] as const

/** Seconds in the largest unit that divides them. */
function period(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds % size === 0) ?? [1, 's']
  return `${seconds / size}${unit}`
}
