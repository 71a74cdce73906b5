/** What an update of an ApiKey may not do, and what a new one may not be. */
import type { ApiKey, ApiKeySpec } from './api-key.ts'
import { type Change, immutable } from './change.ts'
import { type Finding, forbidden, invalid } from './problem.ts'

type ApiKeyChange = Change<ApiKeySpec>

const expiryStays: ApiKeyChange = {
  name: "expiresAt can't be added, changed or removed",
  check: ({ expiresAt: before }, { expiresAt: after }) => {
    if (before === after) return undefined
    const done = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
    const [was, is] = [before, after].map((at) => (at === undefined ? 'none' : new Date(at).toISOString()))
    const why = `expiresAt can't be ${done} once the key exists, and was ${was}: make another key`
    return { at: ['expiresAt'], message: invalid(is, why) }
  },
}

const revokedStays: ApiKeyChange = {
  name: 'a revoked key stays revoked',
  check: (before, after) =>
    before.state !== 'Revoked' || after.state === 'Revoked'
      ? undefined
      : { at: ['state'], message: invalid(after.state, 'a revoked key stays revoked: make another key') },
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
}

/** Why this key can't get a new secret; undefined where it can. */
function ended(before: ApiKeySpec, after: ApiKeySpec, now: number): string | undefined {
  if (before.state === 'Revoked' || after.state === 'Revoked') return 'a revoked key gets no new secret'
  return before.expiresAt !== undefined && before.expiresAt <= now ? 'an expired key gets no new secret' : undefined
}

const endedIsNotRegenerated: ApiKeyChange = {
  name: "revoked and expired keys can't be regenerated",
  check: (before, after, now) => {
    const why = after.regenerate > before.regenerate ? ended(before, after, now) : undefined
    return why === undefined ? undefined : { at: ['regenerate'], message: forbidden(why) }
  },
}

const endedGetsNoDigest: ApiKeyChange = {
  name: "the digest of a revoked or expired key can't be replaced",
  check: (before, after, now) => {
    if (before.delivery.kind !== 'imported' || after.delivery.kind !== 'imported') return undefined
    const why = before.delivery.digest === after.delivery.digest ? undefined : ended(before, after, now)
    return why === undefined ? undefined : { at: ['delivery', 'digest'], message: forbidden(why) }
  },
}

const originStays: ApiKeyChange = {
  name: 'an imported key stays imported, and a minted one minted',
  check: ({ delivery: before }, { delivery: after }) => {
    if ((before.kind === 'imported') === (after.kind === 'imported')) return undefined
    const why =
      before.kind === 'imported'
        ? 'a key whose digest was imported stays imported: make another key'
        : 'a key that Keyward minted is never imported: make another key'
    return { at: ['delivery'], message: forbidden(why) }
  },
}

const keyIdStays: ApiKeyChange = {
  name: 'keyId is immutable',
  check: ({ delivery: before }, { delivery: after }) =>
    before.kind !== 'imported' || after.kind !== 'imported' || before.keyId === after.keyId
      ? undefined
      : { at: ['delivery', 'keyId'], message: invalid(after.keyId, `keyId is immutable, and was ${before.keyId}`) },
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
