/** What is said of a key: phase, conditions and the columns of tables. */
import { describe, expect, test } from 'vitest'
import { statusAt } from '../../src/operator/plan.ts'
import type { World } from '../../src/operator/world.ts'
import type { ApiKeyStatus } from '../../src/resources/key-status.ts'
import {
  aDigest,
  anImportedSecret,
  aSecret,
  aVersion,
  aWorld,
  DAY,
  HOUR,
  holding,
  IMPORTED,
  NEW_KEYS,
  NOON,
  NOT_ARRIVED,
  somePeople,
  WORKLOAD,
} from './make.ts'

function statusOf(world: World, now = NOON, setback?: string): ApiKeyStatus {
  const status = statusAt(world, now, setback)
  if (status === undefined) throw new Error('no status')
  return status
}

const reasons = (status: ApiKeyStatus): Record<string, string> =>
  Object.fromEntries(status.conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]))

const overlap = { current: aVersion(2, '2'), previous: { version: 1, digest: aDigest('1'), validUntil: NOON + HOUR } }
const unsaid = { WithinCreatorAccess: 'True NotCapped', ExpiringSoon: 'False NeverExpires' }

describe('phase and conditions', () => {
  test.each([
    [
      'a claimed key is active',
      aWorld({ secret: aSecret() }),
      'Active',
      { Ready: 'True Active', Claimed: 'True Claimed' },
    ],
    [
      'an unclaimed key is pending',
      aWorld({ secret: aSecret({ current: undefined }) }),
      'Pending',
      { Ready: 'False AwaitingClaim', Claimed: 'False AwaitingClaim' },
    ],
    [
      'a key for a Secret that can not be had is pending',
      aWorld({ spec: { delivery: WORKLOAD } }),
      'Pending',
      { Ready: 'False NoRecipient', Claimed: 'False NoRecipient' },
    ],
    [
      'a suspended key is inactive',
      aWorld({ spec: { state: 'Suspended' }, secret: aSecret() }),
      'Inactive',
      { Ready: 'False Suspended', Claimed: 'True Claimed' },
    ],
    [
      'a suspended key is not minted',
      aWorld({ spec: { state: 'Suspended' }, automatic: NEW_KEYS }),
      'Inactive',
      { Ready: 'False Suspended', Claimed: 'False KeyInactive' },
    ],
    [
      'a key that is being deleted is inactive',
      aWorld({ deleting: true, automatic: NEW_KEYS }),
      'Inactive',
      { Ready: 'False Deleting', Claimed: 'False KeyInactive' },
    ],
    [
      'a revoked key is inactive',
      aWorld({ spec: { state: 'Revoked' }, secret: aSecret() }),
      'Inactive',
      { Ready: 'False Revoked', Claimed: 'True Claimed' },
    ],
    [
      'a revoked and expired key is inactive, as decisions say it',
      aWorld({ spec: { state: 'Revoked', expiresAt: NOON }, secret: aSecret() }),
      'Inactive',
      { Ready: 'False Revoked', Claimed: 'True Claimed', ExpiringSoon: 'False Expired' },
    ],
    [
      'an expired key is expired',
      aWorld({ spec: { expiresAt: NOON }, secret: aSecret() }),
      'Expired',
      { Ready: 'False Expired', Claimed: 'True Claimed', ExpiringSoon: 'False Expired' },
    ],
    [
      'a key with six days left expires soon',
      aWorld({ spec: { expiresAt: NOON + 6 * DAY }, secret: aSecret() }),
      'Active',
      { Ready: 'True Active', Claimed: 'True Claimed', ExpiringSoon: 'True WithinAWeek' },
    ],
    [
      'a key with eight days left does not',
      aWorld({ spec: { expiresAt: NOON + 8 * DAY }, secret: aSecret() }),
      'Active',
      { Ready: 'True Active', Claimed: 'True Claimed', ExpiringSoon: 'False NotYet' },
    ],
    [
      'a regenerated key is active as long as the old secret works',
      aWorld({ spec: { regenerate: 1, overlapMs: HOUR }, secret: aSecret() }),
      'Active',
      { Ready: 'True Active', Claimed: 'False AwaitingClaim' },
    ],
    [
      'a regenerated key without overlap is pending again',
      aWorld({ spec: { regenerate: 1 }, secret: aSecret() }),
      'Pending',
      { Ready: 'False AwaitingClaim', Claimed: 'False AwaitingClaim' },
    ],
    [
      'an import is active',
      aWorld({ spec: { delivery: IMPORTED }, secret: anImportedSecret() }),
      'Active',
      { Ready: 'True Active', Claimed: 'True Imported' },
    ],
    [
      'an import of what another key has has failed',
      aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: undefined, digest: 'held' } }),
      'Failed',
      { Ready: 'False Conflict', Claimed: 'False Conflict', Conflict: 'True DigestHeld' },
    ],
    [
      'an import of a key ID in use has failed',
      aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: 'held', digest: undefined } }),
      'Failed',
      { Ready: 'False Conflict', Claimed: 'False Conflict', Conflict: 'True KeyIdHeld' },
    ],
    [
      'an import of a key ID that was revoked has failed',
      aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: 'retired', digest: undefined } }),
      'Failed',
      { Ready: 'False Conflict', Claimed: 'False Conflict', Conflict: 'True KeyIdRetired' },
    ],
    [
      'a key that changed its kind has failed',
      aWorld({ secret: anImportedSecret() }),
      'Failed',
      { Ready: 'False DeliveryChanged', Claimed: 'True Imported' },
    ],
    [
      'a key whose digests are gone has failed',
      aWorld({ reported: { keyId: 'kw_prod_mmmmmmmmmmmm', conditions: [] } }),
      'Failed',
      { Ready: 'False SecretMissing', Claimed: 'False SecretMissing' },
    ],
    [
      'a key whose digests can not be read has failed',
      aWorld({ held: { kind: 'unreadable', problem: 'not JSON' } }),
      'Failed',
      { Ready: 'False SecretUnreadable', Claimed: 'False SecretUnreadable' },
    ],
    [
      'people who lost a permission take it from the key',
      aWorld({
        secret: aSecret(),
        people: somePeople(holding('customer:read')),
      }),
      'Active',
      { Ready: 'True Active', Claimed: 'True Claimed', WithinCreatorAccess: 'False AccessLost' },
    ],
    [
      'people who hold everything cap nothing',
      aWorld({
        secret: aSecret(),
        people: somePeople(holding('customer:read', 'license:manage', 'x:y')),
      }),
      'Active',
      { Ready: 'True Active', Claimed: 'True Claimed', WithinCreatorAccess: 'True WithinAccess' },
    ],
    [
      'a key that nobody is known to have made has failed',
      aWorld({ people: somePeople({ createdBy: 'unrecorded', unattested: 'it was not stamped' }) }),
      'Failed',
      { Ready: 'False NotAttested', Claimed: 'False NotAttested', WithinCreatorAccess: 'False NotAttested' },
    ],
    [
      'a key that was handed over before nobody was known to have made it has failed too',
      aWorld({ secret: aSecret(), people: somePeople({ ...holding('customer:read'), unattested: 'another spec' }) }),
      'Failed',
      { Ready: 'False NotAttested', Claimed: 'True Claimed', WithinCreatorAccess: 'False NotAttested' },
    ],
    [
      'a key that nobody is known to have made is revoked all the same',
      aWorld({ spec: { state: 'Revoked' }, people: somePeople({ unattested: 'it was not stamped' }) }),
      'Inactive',
      { Ready: 'False Revoked', Claimed: 'False KeyInactive', WithinCreatorAccess: 'False NotAttested' },
    ],
  ] as const)('%s', (_sentence, world, phase, said) => {
    const status = statusOf(world)
    expect([status.phase, reasons(status)]).toEqual([phase, { ...unsaid, ...said }])
  })

  test('whom nobody wrote down is not named', () => {
    const current = aVersion(1, '1', { claimedBy: 'unrecorded' })
    const status = statusOf(
      aWorld({
        secret: aSecret({ current }),
        people: somePeople({ createdBy: 'unrecorded' }),
      }),
    )
    expect([status.createdBy, status.credential?.claimedBy]).toEqual([undefined, undefined])
    const messages = Object.fromEntries(status.conditions.map(({ type, message }) => [type, message]))
    expect(messages.Claimed).toBe('version 1 was handed over')
    expect(JSON.stringify(status)).not.toContain('unrecorded')
    const imported = statusOf(aWorld({ spec: { delivery: IMPORTED }, secret: anImportedSecret() }))
    expect(imported.conditions.find(({ type }) => type === 'Claimed')?.message).toBe(
      'version 1 was imported by ben@example.com',
    )
  })

  test.each([
    ['were lost', somePeople()],
    ['may be there again once it is known who made it', somePeople({ unattested: 'another stamp key' })],
  ])('the key ID stays said of a key whose digests %s', (_what, people) => {
    const reported = { keyId: 'kw_prod_mmmmmmmmmmmm', conditions: [] }
    expect(statusOf(aWorld({ reported, people })).keyId).toBe('kw_prod_mmmmmmmmmmmm')
  })

  test('a hand-over that fails is named in the status, and the old secret goes on', () => {
    const secret = aSecret({
      current: aVersion(2, '2', NOT_ARRIVED),
      previous: { ...overlap.previous, validUntil: undefined },
    })
    const world = aWorld({ spec: { regenerate: 1, overlapMs: HOUR }, secret, automatic: NEW_KEYS })
    const status = statusOf(world, NOON, 'new_keys_unwritable')
    expect(status.phase).toBe('Active')
    expect(status.conditions.find(({ type }) => type === 'Claimed')).toMatchObject({
      status: 'False',
      reason: 'HandOverFailed',
      message: 'version 2 could not be handed over yet: new_keys_unwritable',
    })
  })

  test('the time of a condition moves with its status, not with its words', () => {
    const first = statusOf(aWorld({ secret: aSecret({ current: undefined }) }))
    const second = statusOf(aWorld({ secret: aSecret(), reported: first }), NOON + HOUR)
    const third = statusOf(aWorld({ spec: { state: 'Suspended' }, secret: aSecret(), reported: second }), NOON + DAY)
    const fourth = statusOf(aWorld({ spec: { state: 'Revoked' }, secret: aSecret(), reported: third }), NOON + 2 * DAY)
    const times = [first, second, third, fourth].map(
      ({ conditions }) => conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime,
    )
    expect(times).toEqual([
      '2026-11-22T12:00:00Z',
      '2026-11-22T13:00:00Z',
      '2026-11-23T12:00:00Z',
      '2026-11-23T12:00:00Z',
    ])
  })
})

describe('fields', () => {
  test('a status says all of it', () => {
    const limits = [
      { kind: 'rate', requests: 600, perUs: 60_000_000, burst: 60 },
      { kind: 'quota', requests: 1_000_000, period: 'month' },
    ] as const
    const world = aWorld({
      spec: { limits, regenerate: 1, overlapMs: 2 * HOUR },
      secret: aSecret(overlap),
      people: somePeople({
        ...holding('customer:read'),
        lost: [{ username: 'ben@example.com', permissions: ['license:manage'], why: 'notHeld' }],
      }),
    })
    expect(statusOf(world)).toEqual({
      phase: 'Active',
      keyId: 'kw_prod_mmmmmmmmmmmm',
      createdBy: { username: 'ana@example.com' },
      permissions: ['customer:read'],
      permissionsSummary: 'customer:read (1 of 2)',
      withheld: [{ permission: 'license:manage', since: '2026-11-22T12:00:00Z', because: ['ben@example.com'] }],
      limitsSummary: '600/1m, 1000000/month',
      credential: {
        version: 2,
        issuedAt: '2026-11-22T11:00:00Z',
        claimedBy: { username: 'ben@example.com' },
        claimedAt: '2026-11-22T11:00:00Z',
        previousValidUntil: '2026-11-22T13:00:00Z',
      },
      observedGeneration: 1,
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Active',
          message: 'the key is in force',
          observedGeneration: 1,
          lastTransitionTime: '2026-11-22T12:00:00Z',
        },
        {
          type: 'Claimed',
          status: 'True',
          reason: 'Claimed',
          message: 'version 2 was handed over to ben@example.com',
          observedGeneration: 1,
          lastTransitionTime: '2026-11-22T12:00:00Z',
        },
        {
          type: 'WithinCreatorAccess',
          status: 'False',
          reason: 'AccessLost',
          message: 'license:manage: not held by ben@example.com since 2026-11-22T12:00:00Z',
          observedGeneration: 1,
          lastTransitionTime: '2026-11-22T12:00:00Z',
        },
        {
          type: 'ExpiringSoon',
          status: 'False',
          reason: 'NeverExpires',
          message: 'the key does not expire',
          observedGeneration: 1,
          lastTransitionTime: '2026-11-22T12:00:00Z',
        },
      ],
    })
  })

  test.each([
    [90, '10/90s'],
    [120, '10/2m'],
    [5400, '10/90m'],
    [86_400, '10/1d'],
  ])('a limit per %i seconds reads %s', (seconds, text) => {
    const limits = [{ kind: 'rate', requests: 10, perUs: seconds * 1_000_000, burst: 10 }] as const
    expect(statusOf(aWorld({ spec: { limits } })).limitsSummary).toBe(text)
  })

  test('what is not claimed has no credential, and what was lost keeps its key ID', () => {
    const lost = statusOf(aWorld({ reported: { keyId: 'kw_prod_mmmmmmmmmmmm', conditions: [] } }))
    const pending = statusOf(aWorld({ secret: aSecret({ current: undefined }) }))
    expect([lost.keyId, lost.credential, pending.keyId, pending.credential]).toEqual([
      'kw_prod_mmmmmmmmmmmm',
      undefined,
      'kw_prod_mmmmmmmmmmmm',
      undefined,
    ])
  })

  test('a conflict that is over is no longer said', () => {
    const failed = statusOf(aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: 'held', digest: undefined } }))
    const healed = statusOf(aWorld({ spec: { delivery: IMPORTED }, secret: anImportedSecret(), reported: failed }))
    expect(healed.conditions.map(({ type }) => type)).not.toContain('Conflict')
  })
})

describe('the Secret of a workload', () => {
  const stored = (over: Parameters<typeof aWorld>[0]) => {
    const status = statusOf(aWorld({ spec: { delivery: WORKLOAD }, ...over }))
    return [reasons(status).CredentialStored, status.phase]
  }

  test.each([
    ['that holds the version', { workloadSecret: 'present', secret: aSecret() }, ['True Stored', 'Active']],
    [
      'that was deleted leaves the key in force',
      { workloadSecret: 'missing', secret: aSecret() },
      ['False SecretMissing', 'Active'],
    ],
    [
      'that waits for its version',
      { workloadSecret: 'missing', automatic: NEW_KEYS },
      ['False AwaitingHandOver', 'Pending'],
    ],
    ['of somebody else', { workloadSecret: 'foreign' }, ['False SecretNotOurs', 'Pending']],
    [
      'of somebody else, for a key that works',
      { workloadSecret: 'foreign', secret: aSecret() },
      ['False SecretNotOurs', 'Active'],
    ],
    ['that can not be looked at', { workloadSecret: 'unknown', secret: aSecret() }, ['Unknown NotSeen', 'Active']],
    ['where there is none', { secret: aSecret() }, [undefined, 'Active']],
  ] as const)('%s', (_what, over, expected) => {
    expect(stored(over)).toEqual(expected)
  })

  test('that was deleted says what to do', () => {
    const { conditions } = statusOf(
      aWorld({ spec: { delivery: WORKLOAD }, workloadSecret: 'missing', secret: aSecret() }),
    )
    expect(conditions.find(({ type }) => type === 'CredentialStored')?.message).toBe(
      'the Secret main-credential was deleted or never held version 1: the plaintext is gone; raise spec.regenerate for a new one',
    )
  })
})
