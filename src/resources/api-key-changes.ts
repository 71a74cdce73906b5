/** What an update of an ApiKey may not do, and what a new one may not be. */
import type { ApiKey, ApiKeySpec } from './api-key.ts'
import { NO_CLOCK } from './cel.ts'
import { type Change, immutable } from './change.ts'
import { type Finding, forbidden, invalid, wrong } from './problem.ts'

type ApiKeyChange = Change<ApiKeySpec>

const expiryStays: ApiKeyChange = {
  name: "expiresAt can't be added, changed or removed",
  check: ({ expiresAt: before }, { expiresAt: after }) => {
    if (before === after) return undefined
    const done = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
    return { at: ['expiresAt'], message: wrong(`expiresAt can't be ${done} once the key exists: make another key`) }
  },
  cluster: [
    {
      rule: 'has(self.expiresAt) == has(oldSelf.expiresAt) && (!has(self.expiresAt) || self.expiresAt == oldSelf.expiresAt || timestamp(self.expiresAt) == timestamp(oldSelf.expiresAt))',
      message: "expiresAt can't be added, changed or removed once the key exists: make another key",
      says: `"expiresAt can't be " + (!has(oldSelf.expiresAt) ? 'added' : !has(self.expiresAt) ? 'removed' : 'changed') + ' once the key exists: make another key'`,
      field: '.expiresAt',
    },
  ],
}

const STAYS_REVOKED = 'a revoked key stays revoked: make another key'

const revokedStays: ApiKeyChange = {
  name: 'a revoked key stays revoked',
  check: (before, after) =>
    before.state !== 'Revoked' || after.state === 'Revoked'
      ? undefined
      : { at: ['state'], message: wrong(STAYS_REVOKED) },
  cluster: [{ rule: "oldSelf.state != 'Revoked' || self.state == 'Revoked'", message: STAYS_REVOKED, field: '.state' }],
}

const regenerateIsOnlyRaised: ApiKeyChange = {
  name: 'regenerate is only raised',
  check: (before, after) =>
    after.regenerate >= before.regenerate
      ? undefined
      : {
          at: ['regenerate'],
          message: invalid(after.regenerate, `it can only be raised, and was ${before.regenerate}`),
        },
  cluster: [
    {
      on: 'regenerate',
      rule: 'self >= oldSelf',
      message: 'it can only be raised',
    },
  ],
}

const REVOKED_GETS_NONE = 'a revoked key gets no new secret'
const NEITHER_REVOKED = "(oldSelf.state != 'Revoked' && self.state != 'Revoked')"

/** Why this key can't get a new secret; undefined where it can. */
function ended(before: ApiKeySpec, after: ApiKeySpec, now: number): string | undefined {
  if (before.state === 'Revoked' || after.state === 'Revoked') return REVOKED_GETS_NONE
  return before.expiresAt !== undefined && before.expiresAt <= now ? 'an expired key gets no new secret' : undefined
}

const endedIsNotRegenerated: ApiKeyChange = {
  name: "revoked and expired keys can't be regenerated",
  check: (before, after, now) => {
    const why = after.regenerate > before.regenerate ? ended(before, after, now) : undefined
    return why === undefined ? undefined : { at: ['regenerate'], message: forbidden(why) }
  },
  cluster: [
    {
      rule: `!has(self.regenerate) || self.regenerate <= oldSelf.regenerate || ${NEITHER_REVOKED}`,
      message: REVOKED_GETS_NONE,
      field: '.regenerate',
      reason: 'FieldValueForbidden',
    },
    NO_CLOCK,
  ],
}

/** CEL for the imported digest, or an empty text. */
function digestOf(spec: string): string {
  return `(has(${spec}.delivery) && has(${spec}.delivery.digest) ? ${spec}.delivery.digest : '')`
}

const endedGetsNoDigest: ApiKeyChange = {
  name: "the digest of a revoked or expired key can't be replaced",
  check: (before, after, now) => {
    if (before.delivery.kind !== 'imported' || after.delivery.kind !== 'imported') return undefined
    const why = before.delivery.digest === after.delivery.digest ? undefined : ended(before, after, now)
    return why === undefined ? undefined : { at: ['delivery', 'digest'], message: forbidden(why) }
  },
  cluster: [
    {
      rule: `${digestOf('self')} == '' || ${digestOf('oldSelf')} == '' || ${digestOf('self')} == ${digestOf('oldSelf')} || ${NEITHER_REVOKED}`,
      message: REVOKED_GETS_NONE,
      field: '.delivery.digest',
      reason: 'FieldValueForbidden',
    },
    NO_CLOCK,
  ],
}

const STAYS_IMPORTED = 'a key whose digest was imported stays imported: make another key'
const NEVER_IMPORTED = 'a key that Keyward minted is never imported: make another key'

const originStays: ApiKeyChange = {
  name: 'an imported key stays imported, and a minted one minted',
  check: ({ delivery: before }, { delivery: after }) => {
    if ((before.kind === 'imported') === (after.kind === 'imported')) return undefined
    return { at: ['delivery'], message: forbidden(before.kind === 'imported' ? STAYS_IMPORTED : NEVER_IMPORTED) }
  },
  cluster: [
    {
      rule: `${digestOf('oldSelf')} == '' || ${digestOf('self')} != ''`,
      message: STAYS_IMPORTED,
      field: '.delivery',
      reason: 'FieldValueForbidden',
    },
    {
      rule: `${digestOf('oldSelf')} != '' || ${digestOf('self')} == ''`,
      message: NEVER_IMPORTED,
      field: '.delivery',
      reason: 'FieldValueForbidden',
    },
  ],
}

const keyIdStays: ApiKeyChange = {
  name: 'keyId is immutable',
  check: ({ delivery: before }, { delivery: after }) =>
    before.kind !== 'imported' || after.kind !== 'imported' || before.keyId === after.keyId
      ? undefined
      : { at: ['delivery', 'keyId'], message: wrong(`keyId is immutable, and was ${before.keyId}`) },
  cluster: [
    {
      on: 'delivery',
      rule: '!has(self.keyId) || !has(oldSelf.keyId) || self.keyId == oldSelf.keyId',
      message: 'keyId is immutable',
      says: "'keyId is immutable, and was ' + oldSelf.keyId",
      field: '.keyId',
    },
  ],
}

export const CHANGES: readonly ApiKeyChange[] = [
  immutable('accessNamespace'),
  immutable('environment'),
  expiryStays,
  revokedStays,
  regenerateIsOnlyRaised,
  endedIsNotRegenerated,
  originStays,
  keyIdStays,
  endedGetsNoDigest,
]

/** A key that is over before it begins is a mistake; one that is read again after it has expired is not. */
export function expiredAtCreation({ spec: { expiresAt } }: ApiKey, now: number): Finding | undefined {
  if (expiresAt === undefined || expiresAt > now) return undefined
  return { at: ['expiresAt'], message: invalid(new Date(expiresAt).toISOString(), 'it lies in the past') }
}
