/** What is to be done next, as a table: a world on the left, the steps on the right. */
import { describe, expect, test } from 'vitest'
import { NOTHING_HELD } from '../../src/core/cap.ts'
import { inForceAt, plan, type Step, toBeGranted } from '../../src/operator/plan.ts'
import type { World } from '../../src/operator/world.ts'
import {
  aClaim,
  aDigest,
  aKeyId,
  anImportedSecret,
  aSecret,
  aVersion,
  aWorld,
  claimOf,
  DAY,
  HOUR,
  holding,
  IMPORTED,
  NEW_KEYS,
  NOON,
  NOT_ARRIVED,
  somePeople,
  TO_WORKLOAD,
  WORKLOAD,
} from './make.ts'

/** What a plan would do, without the report that ends it. */
const todo = (world: World, now = NOON): readonly Step[] =>
  plan(world, now).steps.filter(({ kind }) => kind !== 'report')

const handOver = (version: number, rotations = 0): Step => ({
  kind: 'handOver',
  version,
  rotations,
  recipient: NEW_KEYS,
})
const denied = (claim: string, reason: string) =>
  expect.objectContaining({ kind: 'denyClaim', claim, reason }) as unknown as Step
const retire: Step = { kind: 'retire' }
const register: Step = { kind: 'register' }
const endOverlap = (at: number): Step => ({ kind: 'endOverlap', at })
const importing: Step = {
  kind: 'importDigest',
  keyId: IMPORTED.keyId,
  digest: IMPORTED.digest,
  claimedBy: 'ana@example.com',
}

type Row = readonly [sentence: string, world: World, steps: readonly Step[]]

const FIRST_VERSION: readonly Row[] = [
  ['a key without a recipient gets its key ID and waits', aWorld(), [register]],
  ['a registered key without a recipient waits', aWorld({ secret: aSecret({ current: undefined }) }), []],
  ['a key with a recipient is handed over', aWorld({ automatic: NEW_KEYS }), [handOver(1)]],
  [
    'a registered key is handed over as soon as there is a recipient',
    aWorld({ secret: aSecret({ current: undefined }), automatic: NEW_KEYS }),
    [handOver(1)],
  ],
  ['a key that was handed over is left alone', aWorld({ secret: aSecret(), automatic: NEW_KEYS }), []],
  [
    'a version that was stored and not delivered is minted again under the same version',
    aWorld({ secret: aSecret({ current: aVersion(1, '1', NOT_ARRIVED) }), automatic: NEW_KEYS }),
    [handOver(1)],
  ],
  [
    'a key that was regenerated before it was claimed starts at that version',
    aWorld({ spec: { regenerate: 2 }, automatic: NEW_KEYS }),
    [handOver(3)],
  ],
  [
    'a suspended key gets its key ID but no secret',
    aWorld({ spec: { state: 'Suspended' }, automatic: NEW_KEYS }),
    [register],
  ],
  [
    'a suspended key is not minted',
    aWorld({ spec: { state: 'Suspended' }, secret: aSecret({ current: undefined }), automatic: NEW_KEYS }),
    [],
  ],
  ['a revoked key gets nothing', aWorld({ spec: { state: 'Revoked' }, automatic: NEW_KEYS }), []],
  ['an expired key gets nothing', aWorld({ spec: { expiresAt: NOON }, automatic: NEW_KEYS }), []],
  [
    'a key of a workload goes to its Secret',
    aWorld({ spec: { delivery: WORKLOAD }, automatic: TO_WORKLOAD }),
    [{ ...handOver(1), recipient: TO_WORKLOAD } as Step],
  ],
  ['a key of a workload waits where no Secrets are', aWorld({ spec: { delivery: WORKLOAD } }), [register]],
  [
    'a key whose digests were taken away by hand is not minted anew in silence',
    aWorld({ automatic: NEW_KEYS, reported: { keyId: 'kw_prod_mmmmmmmmmmmm', conditions: [] } }),
    [],
  ],
  [
    'a key whose digests can not be read is not minted anew either',
    aWorld({ automatic: NEW_KEYS, held: { kind: 'unreadable', problem: 'not JSON' } }),
    [],
  ],
]

const V1_V2 = { current: aVersion(2, '2'), previous: { version: 1, digest: aDigest('1'), validUntil: NOON + HOUR } }

const REGENERATE: readonly Row[] = [
  [
    'without overlap the old secret dies before the new one is minted',
    aWorld({ spec: { regenerate: 1 }, secret: aSecret(), automatic: NEW_KEYS }),
    [retire, handOver(2)],
  ],
  [
    'without overlap the old secret dies even if nobody claims the new one',
    aWorld({ spec: { regenerate: 1 }, secret: aSecret() }),
    [retire],
  ],
  [
    'without overlap the old secret of a suspended key dies too, and nothing is minted',
    aWorld({ spec: { regenerate: 1, state: 'Suspended' }, secret: aSecret(), automatic: NEW_KEYS }),
    [retire],
  ],
  [
    'with overlap the old secret lives on until the new one is there',
    aWorld({ spec: { regenerate: 1, overlapMs: HOUR }, secret: aSecret() }),
    [],
  ],
  [
    'with overlap the new one is minted beside it',
    aWorld({ spec: { regenerate: 1, overlapMs: HOUR }, secret: aSecret(), automatic: NEW_KEYS }),
    [handOver(2)],
  ],
  [
    'a key can be regenerated twice before anybody claims',
    aWorld({ spec: { regenerate: 2 }, secret: aSecret(), automatic: NEW_KEYS }),
    [retire, handOver(3)],
  ],
  [
    'a regeneration without overlap ends an overlap that still runs',
    aWorld({ spec: { regenerate: 2 }, secret: aSecret(V1_V2), automatic: NEW_KEYS }),
    [retire, handOver(3)],
  ],
  [
    'a stored version that never arrived dies with the rest',
    aWorld({
      spec: { regenerate: 2 },
      secret: aSecret({
        current: aVersion(2, '2', NOT_ARRIVED),
        previous: { version: 1, digest: aDigest('1'), validUntil: undefined },
      }),
    }),
    [retire],
  ],
  [
    'a revoked key is not regenerated',
    aWorld({ spec: { regenerate: 1, state: 'Revoked' }, secret: aSecret(), tombstoned: true, automatic: NEW_KEYS }),
    [],
  ],
  [
    'an expired key is not regenerated',
    aWorld({ spec: { regenerate: 1, expiresAt: NOON }, secret: aSecret(), automatic: NEW_KEYS }),
    [],
  ],
  [
    'a lower number is no regeneration',
    aWorld({ secret: aSecret({ current: aVersion(3, '3') }), automatic: NEW_KEYS }),
    [],
  ],
]

const OVERLAP: readonly Row[] = [
  [
    'an overlap that runs is left alone',
    aWorld({ spec: { regenerate: 1, overlapMs: 2 * HOUR }, secret: aSecret(V1_V2) }),
    [],
  ],
  [
    'an overlap that is over is cleared away',
    aWorld({
      spec: { regenerate: 1, overlapMs: HOUR },
      secret: aSecret({ ...V1_V2, previous: { ...V1_V2.previous, validUntil: NOON } }),
    }),
    [endOverlap(NOON)],
  ],
  [
    'a shorter overlap ends sooner',
    aWorld({ spec: { regenerate: 1, overlapMs: 1.5 * HOUR }, secret: aSecret(V1_V2) }),
    [endOverlap(NOON + HOUR / 2)],
  ],
  [
    'an overlap that is taken back ends now',
    aWorld({ spec: { regenerate: 1 }, secret: aSecret(V1_V2) }),
    [endOverlap(NOON - HOUR)],
  ],
  [
    'a longer overlap revives nothing: it counts for the next regeneration',
    aWorld({ spec: { regenerate: 1, overlapMs: 9 * HOUR }, secret: aSecret(V1_V2) }),
    [],
  ],
  [
    'an overlap that is taken back before the new secret arrived ends now',
    aWorld({
      spec: { regenerate: 1 },
      secret: aSecret({
        current: aVersion(2, '2', NOT_ARRIVED),
        previous: { version: 1, digest: aDigest('1'), validUntil: undefined },
      }),
    }),
    [endOverlap(NOON)],
  ],
]

const everyDay = { delivery: WORKLOAD, rotation: { everyMs: DAY } }
const yesterday = { issuedAt: NOON - DAY, claimedAt: NOON - DAY }

const ROTATION: readonly Row[] = [
  [
    'a rotation that is due makes the next version',
    aWorld({ spec: everyDay, secret: aSecret({ current: aVersion(1, '1', yesterday) }), automatic: NEW_KEYS }),
    [handOver(2, 1)],
  ],
  [
    'a rotation that was missed ten times is made up for once',
    aWorld({
      spec: everyDay,
      secret: aSecret({ current: aVersion(1, '1', { issuedAt: NOON - 10 * DAY }) }),
      automatic: NEW_KEYS,
    }),
    [handOver(2, 1)],
  ],
  ['a rotation that is not due waits', aWorld({ spec: everyDay, secret: aSecret(), automatic: NEW_KEYS }), []],
  [
    'rotations and regenerations add up',
    aWorld({
      spec: { ...everyDay, regenerate: 2 },
      secret: aSecret({ rotations: 3, current: aVersion(6, '6', yesterday) }),
      automatic: NEW_KEYS,
    }),
    [handOver(7, 4)],
  ],
  [
    'a regeneration between rotations takes the old secret at once',
    aWorld({ spec: { ...everyDay, regenerate: 1 }, secret: aSecret(), automatic: NEW_KEYS }),
    [retire, handOver(2)],
  ],
  [
    'a regeneration that is not handed over yet is the next version, even when a rotation is due as well',
    aWorld({
      spec: { ...everyDay, regenerate: 1, overlapMs: HOUR },
      secret: aSecret({ current: aVersion(1, '1', yesterday) }),
      automatic: NEW_KEYS,
    }),
    [handOver(2)],
  ],
  [
    'without a recipient nothing is rotated away',
    aWorld({ spec: everyDay, secret: aSecret({ current: aVersion(1, '1', yesterday) }) }),
    [],
  ],
  [
    'a suspended key is not rotated',
    aWorld({
      spec: { ...everyDay, state: 'Suspended' },
      secret: aSecret({ current: aVersion(1, '1', yesterday) }),
      automatic: NEW_KEYS,
    }),
    [],
  ],
  [
    'a rotation that was stored and not delivered is handed over again, and the old secret is kept meanwhile',
    aWorld({
      spec: everyDay,
      secret: aSecret({
        rotations: 1,
        current: aVersion(2, '2', NOT_ARRIVED),
        previous: { version: 1, digest: aDigest('1'), validUntil: undefined },
      }),
      automatic: NEW_KEYS,
    }),
    [handOver(2, 1)],
  ],
]

const replaced = { delivery: { ...IMPORTED, digest: aDigest('b') } }
const replacing: Step = { ...importing, digest: aDigest('b') } as Step

const IMPORT: readonly Row[] = [
  ['a digest is imported', aWorld({ spec: { delivery: IMPORTED } }), [importing]],
  [
    'a digest is imported even where new keys have a recipient',
    aWorld({ spec: { delivery: IMPORTED }, automatic: NEW_KEYS }),
    [importing],
  ],
  [
    'a digest of a suspended key is imported',
    aWorld({ spec: { delivery: IMPORTED, state: 'Suspended' } }),
    [importing],
  ],
  ['a digest of a revoked key is not', aWorld({ spec: { delivery: IMPORTED, state: 'Revoked' } }), []],
  ['a digest of an expired key is not', aWorld({ spec: { delivery: IMPORTED, expiresAt: NOON - 1 } }), []],
  ['an imported digest is left alone', aWorld({ spec: { delivery: IMPORTED }, secret: anImportedSecret() }), []],
  [
    'a new digest takes the place of the old one at once',
    aWorld({ spec: replaced, secret: anImportedSecret() }),
    [retire, replacing],
  ],
  [
    'a new digest with overlap is imported beside the old one',
    aWorld({ spec: { ...replaced, overlapMs: HOUR }, secret: anImportedSecret() }),
    [replacing],
  ],
  [
    'a digest that another key has is not imported',
    aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: undefined, digest: 'held' } }),
    [],
  ],
  [
    'a key ID that another key has is not imported',
    aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: 'held', digest: undefined } }),
    [],
  ],
  [
    'a key ID that was revoked or deleted is not imported again',
    aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: 'retired', digest: undefined } }),
    [],
  ],
  [
    'the old digest dies even if the new one belongs to another key',
    aWorld({ spec: replaced, secret: anImportedSecret(), taken: { keyId: undefined, digest: 'held' } }),
    [retire],
  ],
  [
    'with overlap the old digest goes on where the new one belongs to another key',
    aWorld({
      spec: { ...replaced, overlapMs: HOUR },
      secret: anImportedSecret(),
      taken: { keyId: undefined, digest: 'held' },
    }),
    [],
  ],
  [
    'an imported key is imported again where its digest was lost: the manifest says it',
    aWorld({ spec: { delivery: IMPORTED }, reported: { keyId: IMPORTED.keyId, conditions: [] } }),
    [importing],
  ],
  ['a minted key never becomes an imported one', aWorld({ spec: { delivery: IMPORTED }, secret: aSecret() }), []],
  ['an imported key never becomes a minted one', aWorld({ secret: anImportedSecret(), automatic: NEW_KEYS }), []],
  [
    'an imported key keeps its key ID',
    aWorld({ spec: { delivery: { ...replaced.delivery, keyId: aKeyId('j') } }, secret: anImportedSecret() }),
    [],
  ],
  [
    'regenerate does nothing to an imported key',
    aWorld({ spec: { delivery: IMPORTED, regenerate: 3 }, secret: anImportedSecret() }),
    [],
  ],
]

const END: readonly Row[] = [
  [
    'a revoked key leaves a tombstone and keeps its digests',
    aWorld({ spec: { state: 'Revoked' }, secret: aSecret() }),
    [{ kind: 'tombstone', keyId: aKeyId('m'), uid: 'uid-1' }],
  ],
  ['one tombstone is enough', aWorld({ spec: { state: 'Revoked' }, secret: aSecret(), tombstoned: true }), []],
  [
    'a revoked import that was never imported leaves no tombstone on the key ID of another',
    aWorld({ spec: { delivery: IMPORTED, state: 'Revoked' }, taken: { keyId: 'held', digest: undefined } }),
    [],
  ],
  [
    'a deleted key leaves a tombstone before its digests go',
    aWorld({ gone: true, orphans: [{ uid: 'uid-0', keyId: aKeyId('o') }] }),
    [
      { kind: 'tombstone', keyId: aKeyId('o'), uid: 'uid-0' },
      { kind: 'remove', keyId: aKeyId('o'), uid: 'uid-0' },
    ],
  ],
  [
    'a key that was deleted and made again starts anew',
    aWorld({ orphans: [{ uid: 'uid-0', keyId: aKeyId('o') }], automatic: NEW_KEYS }),
    [
      { kind: 'tombstone', keyId: aKeyId('o'), uid: 'uid-0' },
      { kind: 'remove', keyId: aKeyId('o'), uid: 'uid-0' },
      handOver(1),
    ],
  ],
  ['where nothing is, nothing is to be done', aWorld({ gone: true }), []],
  ['a key that is being deleted is not minted', aWorld({ deleting: true, automatic: NEW_KEYS }), []],
  ['nor does it get a key ID', aWorld({ deleting: true }), []],
  ['nor is it imported', aWorld({ deleting: true, spec: { delivery: IMPORTED } }), []],
  [
    'nor is it rotated',
    aWorld({
      deleting: true,
      spec: { delivery: WORKLOAD, rotation: { everyMs: HOUR } },
      secret: aSecret(),
      automatic: NEW_KEYS,
    }),
    [],
  ],
  [
    'its claims are denied',
    aWorld({ deleting: true, secret: aSecret({ current: undefined }), claims: [aClaim('a')] }),
    [denied('a', 'KeyInactive')],
  ],
]

const ready = aSecret({ current: undefined })
const wins = (claim: string, version = 1): Step => ({ ...handOver(version), recipient: claimOf(claim) }) as Step

const CLAIMS: readonly Row[] = [
  [
    'the oldest claim wins, the others are denied',
    aWorld({ secret: ready, claims: [aClaim('a'), aClaim('b')] }),
    [wins('a'), denied('b', 'AlreadyClaimed')],
  ],
  [
    'a claim that is no good lets the next one win',
    aWorld({ secret: ready, claims: [aClaim('a', { objection: 'InvalidKey' }), aClaim('b')] }),
    [wins('b'), denied('a', 'InvalidKey')],
  ],
  ['a version is claimed once', aWorld({ secret: aSecret(), claims: [aClaim('b')] }), [denied('b', 'AlreadyClaimed')]],
  [
    'a claim of the version that is due wins',
    aWorld({ spec: { regenerate: 1, overlapMs: HOUR }, secret: aSecret(), claims: [aClaim('b', { version: 2 })] }),
    [wins('b', 2)],
  ],
  [
    'a claim of an older version is denied',
    aWorld({ spec: { regenerate: 1, overlapMs: HOUR }, secret: aSecret(), claims: [aClaim('b', { version: 1 })] }),
    [denied('b', 'VersionSuperseded')],
  ],
  [
    'a claim that waited before a regeneration never takes the new version',
    aWorld({
      spec: { regenerate: 1 },
      secret: ready,
      claims: [aClaim('a', { dueWhenMade: 1 }), aClaim('b', { dueWhenMade: 2 })],
    }),
    [wins('b', 2), denied('a', 'VersionSuperseded')],
  ],
  [
    'a claim of a version that is not due is denied',
    aWorld({ secret: ready, claims: [aClaim('a', { version: 2 })] }),
    [denied('a', 'NotClaimable')],
  ],
  [
    'a suspended key can not be claimed',
    aWorld({ spec: { state: 'Suspended' }, secret: ready, claims: [aClaim('a')] }),
    [denied('a', 'KeyInactive')],
  ],
  [
    'a revoked key can not be claimed',
    aWorld({ spec: { state: 'Revoked' }, secret: ready, tombstoned: true, claims: [aClaim('a')] }),
    [denied('a', 'KeyInactive')],
  ],
  [
    'an expired key can not be claimed',
    aWorld({ spec: { expiresAt: NOON }, secret: ready, claims: [aClaim('a')] }),
    [denied('a', 'KeyExpired')],
  ],
  [
    'an imported key can not be claimed',
    aWorld({ spec: { delivery: IMPORTED }, secret: anImportedSecret(), claims: [aClaim('a')] }),
    [denied('a', 'NotClaimable')],
  ],
  [
    'a key of a workload can not be claimed',
    aWorld({ spec: { delivery: WORKLOAD }, automatic: TO_WORKLOAD, claims: [aClaim('a')] }),
    [{ ...handOver(1), recipient: TO_WORKLOAD } as Step, denied('a', 'NotClaimable')],
  ],
  [
    'what goes to --new-keys can not be claimed as well',
    aWorld({ automatic: NEW_KEYS, claims: [aClaim('a')] }),
    [handOver(1), denied('a', 'AlreadyClaimed')],
  ],
  [
    'a claim of a key that is not there is denied',
    aWorld({ gone: true, claims: [aClaim('a')] }),
    [denied('a', 'KeyNotFound')],
  ],
  [
    'what was sealed for a claim before a crash is confirmed, not minted again',
    aWorld({
      secret: aSecret({ current: aVersion(1, '1', NOT_ARRIVED) }),
      claims: [aClaim('a', { delivered: { version: 1, at: NOON - 5 } }), aClaim('b')],
    }),
    [{ kind: 'confirm', claimedBy: 'ben@example.com', at: NOON - 5 }, denied('b', 'AlreadyClaimed')],
  ],
]

const NOBODY = somePeople({ createdBy: 'unrecorded', unattested: 'it was not stamped' })

const UNATTESTED: readonly Row[] = [
  ['a key that nobody is known to have made gets not even a key ID', aWorld({ people: NOBODY }), []],
  ['it is not handed over', aWorld({ people: NOBODY, automatic: NEW_KEYS }), []],
  ['its digest is not imported', aWorld({ people: NOBODY, spec: { delivery: IMPORTED } }), []],
  [
    'another digest of it is not imported either, and the one before is dead all the same',
    aWorld({
      people: NOBODY,
      spec: { delivery: { ...IMPORTED, digest: aDigest('b') } },
      secret: anImportedSecret(),
    }),
    [retire],
  ],
  [
    'its claims are denied',
    aWorld({ people: NOBODY, secret: ready, claims: [aClaim('a')] }),
    [denied('a', 'NotPermitted')],
  ],
  [
    'it is not rotated',
    aWorld({
      people: NOBODY,
      spec: { delivery: WORKLOAD, rotation: { everyMs: HOUR } },
      secret: aSecret(),
      automatic: TO_WORKLOAD,
    }),
    [],
  ],
  [
    'what it had is retired by a regeneration all the same',
    aWorld({ people: NOBODY, spec: { regenerate: 1 }, secret: aSecret() }),
    [retire],
  ],
  [
    'it is revoked all the same',
    aWorld({ people: NOBODY, spec: { state: 'Revoked' }, secret: aSecret() }),
    [{ kind: 'tombstone', keyId: aKeyId('m'), uid: 'uid-1' }],
  ],
  [
    'a claim that nobody is known to have made does not win',
    aWorld({ secret: ready, claims: [aClaim('a', { unattested: 'it was not stamped' }), aClaim('b')] }),
    [wins('b'), denied('a', 'NotPermitted')],
  ],
]

const CAPPED = { secret: ready, people: somePeople(holding('a:read', 'b:read')) }
const claimHolding = (name: string, ...held: readonly string[]) => aClaim(name, { cap: { held, within: {} } })

const CLAIMANTS: readonly Row[] = [
  [
    'a claimant who lost something that the others hold is denied, and the next one wins',
    aWorld({ ...CAPPED, claims: [claimHolding('a', 'b:read'), claimHolding('b', 'a:read', 'b:read')] }),
    [wins('b'), denied('a', 'NotPermitted')],
  ],
  [
    'a ServiceAccount that is gone does not take the version',
    aWorld({ ...CAPPED, claims: [claimHolding('a')] }),
    [denied('a', 'NotPermitted')],
  ],
  [
    'a claimant who lacks only what the others lack too wins',
    aWorld({ ...CAPPED, people: somePeople(holding('a:read')), claims: [claimHolding('a', 'a:read')] }),
    [wins('a')],
  ],
  [
    'one who comes too late is told that, whatever they hold',
    aWorld({ ...CAPPED, claims: [claimHolding('a', 'a:read', 'b:read'), claimHolding('b')] }),
    [wins('a'), denied('b', 'AlreadyClaimed')],
  ],
  [
    'one of whom nobody was asked yet waits until those before are answered',
    aWorld({ ...CAPPED, claims: [claimHolding('a'), aClaim('b', { cap: NOTHING_HELD, unasked: true })] }),
    [denied('a', 'NotPermitted')],
  ],
]

const TABLE = [
  ...FIRST_VERSION,
  ...REGENERATE,
  ...OVERLAP,
  ...ROTATION,
  ...IMPORT,
  ...END,
  ...CLAIMS,
  ...UNATTESTED,
  ...CLAIMANTS,
]

test('whoever is denied for what they lack is told what that is', () => {
  const who = 'system:serviceaccount:ci:deployer'
  const world = aWorld({ ...CAPPED, claims: [{ ...claimHolding('a', 'b:read'), claimant: who }] })
  const [step] = todo(world)
  expect(step).toMatchObject({
    message: `${who} does not hold a:read on acme any more, or is not the ServiceAccount that it was: whoever claims a key holds all that it may do; claim anew when that is so`,
  })
})

describe('steps', () => {
  test.each(TABLE)('%s', (_sentence, world, steps) => {
    expect(todo(world)).toEqual(steps)
  })

  test('a plan is the same each time it is made', () => {
    for (const [, world] of TABLE) expect(plan(world, NOON)).toEqual(plan(world, NOON))
  })

  test('a world that is settled and reported yields no steps', () => {
    const settled = TABLE.map(([, world]) => world).filter((world) => todo(world).length === 0)
    for (const world of settled) {
      const { steps, status } = plan(world, NOON)
      const kept = JSON.parse(JSON.stringify(status ?? null)) as unknown
      const after = { ...world, reported: { ...world.reported, whole: kept, conditions: status?.conditions ?? [] } }
      expect([...steps, ...plan(after, NOON + 1).steps]).toEqual(
        status === undefined ? [] : [{ kind: 'report', status }],
      )
    }
    expect(settled.length).toBeGreaterThan(25)
  })
})

describe('the next look', () => {
  test.each([
    ['a key without any date is not looked at again by itself', aWorld({ secret: aSecret() }), undefined],
    [
      'a week before a key expires',
      aWorld({ spec: { expiresAt: NOON + 30 * DAY }, secret: aSecret() }),
      NOON + 23 * DAY,
    ],
    ['when a key expires', aWorld({ spec: { expiresAt: NOON + DAY }, secret: aSecret() }), NOON + DAY],
    [
      'when an overlap ends',
      aWorld({ spec: { regenerate: 1, overlapMs: 2 * HOUR, expiresAt: NOON + 2 * HOUR }, secret: aSecret(V1_V2) }),
      NOON + HOUR,
    ],
    ['when a rotation is due', aWorld({ spec: everyDay, secret: aSecret(), automatic: NEW_KEYS }), NOON + 23 * HOUR],
    [
      'a minute later where another key has what this one imports',
      aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: undefined, digest: 'held' } }),
      NOON + 60_000,
    ],
    [
      'never where the key ID is gone for good',
      aWorld({ spec: { delivery: IMPORTED }, taken: { keyId: 'retired', digest: undefined } }),
      undefined,
    ],
    ['never for what is over', aWorld({ spec: { expiresAt: NOON - DAY }, secret: aSecret() }), undefined],
  ] as const)('%s', (_sentence, world, again) => {
    expect(plan(world, NOON).again).toBe(again)
  })
})

describe('what is in force before any step is done', () => {
  const digestsOf = (world: World) => {
    if (world.declared === undefined || world.held?.kind !== 'read') return []
    const secret = inForceAt(world.declared, world.held.secret, NOON)
    return [secret?.current?.digest[0], secret?.previous?.digest[0]].filter((digit) => digit !== undefined)
  }

  test.each([
    ['a key that nothing changed', aWorld({ secret: aSecret() }), ['1']],
    [
      'nothing of a key that is regenerated without overlap',
      aWorld({ spec: { regenerate: 1 }, secret: aSecret() }),
      [],
    ],
    [
      'the old secret of a key that is regenerated with overlap',
      aWorld({ spec: { regenerate: 1, overlapMs: 1 }, secret: aSecret() }),
      ['1'],
    ],
    [
      'both within an overlap',
      aWorld({ spec: { regenerate: 1, overlapMs: 2 * HOUR }, secret: aSecret(V1_V2) }),
      ['2', '1'],
    ],
    [
      'the new one where the overlap was taken back',
      aWorld({ spec: { regenerate: 1 }, secret: aSecret(V1_V2) }),
      ['2'],
    ],
    ['nothing of an import whose digest was replaced', aWorld({ spec: replaced, secret: anImportedSecret() }), []],
    [
      'the only secret of a key that a schedule rotates',
      aWorld({ spec: everyDay, secret: aSecret({ current: aVersion(1, '1', yesterday) }), automatic: NEW_KEYS }),
      ['1'],
    ],
  ] as const)('%s', (_sentence, world, digits) => {
    expect(digestsOf(world)).toEqual(digits)
  })
})

describe('what is granted', () => {
  const spec = (permissions: readonly string[]) => ({ generation: 1, spec: { permissions }, cap: undefined })
  const asked = spec(['a:b'])

  test.each<Row>([
    [
      'is written where the ApiKey asks for something else',
      aWorld({ secret: aSecret(), granting: { asked, last: spec(['a:c']) } }),
      [{ kind: 'grant' }],
    ],
    [
      'is written where nothing was granted',
      aWorld({ secret: aSecret(), granting: { asked, last: undefined } }),
      [{ kind: 'grant' }],
    ],
    [
      'stays where the ApiKey asks for the same',
      aWorld({ secret: aSecret(), granting: { asked, last: { ...asked, generation: 7 } } }),
      [],
    ],
    ['comes along with the first writing of a key', aWorld({ granting: { asked, last: undefined } }), [register]],
    ['is what is declared where nobody grants', aWorld({ secret: aSecret() }), []],
    [
      'is written before a new version is handed over, and after the old one is dead',
      aWorld({ spec: { regenerate: 1 }, secret: aSecret(), automatic: NEW_KEYS, granting: { asked, last: undefined } }),
      [retire, { kind: 'grant' }, handOver(2)],
    ],
  ])('%s', (_sentence, world, steps) => {
    expect(todo(world)).toEqual(steps)
  })

  const granting = (...held: readonly string[]) => ({ asked, last: { ...asked, cap: { held, within: {} } } })

  test.each<Row>([
    [
      'is written where the people behind the key lost something',
      aWorld({ secret: aSecret(), granting: granting('a:b'), people: somePeople(holding()) }),
      [{ kind: 'grant' }],
    ],
    [
      'is written where they hold something again',
      aWorld({ secret: aSecret(), granting: granting(), people: somePeople(holding('a:b')) }),
      [{ kind: 'grant' }],
    ],
    [
      'is written where they hold it in other places',
      aWorld({
        secret: aSecret(),
        granting: granting('a:b'),
        people: somePeople({ cap: { held: ['a:b'], within: { 'a:b': ['acme-web'] } } }),
      }),
      [{ kind: 'grant' }],
    ],
    [
      'stays where they hold the same',
      aWorld({ secret: aSecret(), granting: granting('a:b'), people: somePeople(holding('a:b')) }),
      [],
    ],
    [
      'is taken back where nobody is known to have made the key',
      aWorld({
        secret: aSecret(),
        granting: granting('a:b'),
        people: somePeople({ ...holding('a:b'), unattested: 'it was not stamped' }),
      }),
      [{ kind: 'grant' }],
    ],
  ])('%s', (_sentence, world, steps) => {
    expect(todo(world)).toEqual(steps)
  })

  test('goes as far as everybody behind the key, and for a claim as far as its claimant too', () => {
    const world = aWorld({
      granting: granting('a:b'),
      people: somePeople(holding('a:b')),
      claims: [aClaim('mine', { cap: { held: ['a:c'], within: {} } })],
    })
    expect(toBeGranted(world)?.cap).toEqual({ held: ['a:b'], within: {} })
    expect(toBeGranted(world, NEW_KEYS)?.cap).toEqual({ held: ['a:b'], within: {} })
    expect(toBeGranted(world, claimOf('mine'))).toEqual({ ...asked, cap: { held: ['a:c'], within: {} } })
  })

  test('is nothing where nobody is known to have made the key', () => {
    const people = somePeople({ ...holding('a:b'), unattested: 'it was not stamped' })
    expect(toBeGranted(aWorld({ granting: granting('a:b'), people }))?.cap).toEqual({ held: [], within: {} })
  })
})

describe('a version that is stored and not confirmed', () => {
  const secret = aSecret({ current: aVersion(1, '1', NOT_ARRIVED) })
  const arrival = { by: 'ben@example.com', at: NOON - HOUR }

  test.each<Row>([
    [
      'is confirmed where it may have arrived, and goes to nobody else',
      aWorld({ secret, arrival, claims: [aClaim('second')] }),
      [{ kind: 'confirm', claimedBy: 'ben@example.com', at: NOON - HOUR }, denied('second', 'AlreadyClaimed')],
    ],
    [
      'is confirmed where a Secret holds it',
      aWorld({ spec: { delivery: WORKLOAD }, secret, arrival, automatic: TO_WORKLOAD, workloadSecret: 'present' }),
      [{ kind: 'confirm', claimedBy: 'ben@example.com', at: NOON - HOUR }],
    ],
    ['is dead all the same where a regeneration came', aWorld({ spec: { regenerate: 1 }, secret, arrival }), [retire]],
    [
      'and is dead leaves the next one to who claims it',
      aWorld({ spec: { regenerate: 1 }, secret, arrival, claims: [aClaim('next', { version: 2 })] }),
      [retire, wins('next', 2)],
    ],
    [
      'is confirmed first where the next one is due beside it, and whoever claims that waits',
      aWorld({
        spec: { regenerate: 1, overlapMs: HOUR },
        secret,
        arrival,
        claims: [aClaim('first', { version: 1 }), aClaim('next', { version: 2 })],
      }),
      [{ kind: 'confirm', claimedBy: 'ben@example.com', at: NOON - HOUR }, denied('first', 'VersionSuperseded')],
    ],
  ])('%s', (_sentence, world, steps) => {
    expect(todo(world)).toEqual(steps)
  })
})

describe('the Secret of a workload', () => {
  const claimed = { spec: { delivery: WORKLOAD }, secret: aSecret(), automatic: TO_WORKLOAD } as const

  test.each(['missing', 'unknown', 'present'] as const)('that is %s makes no new version', (workloadSecret) => {
    expect(todo(aWorld({ ...claimed, workloadSecret }))).toEqual([])
  })

  test('is looked at again after five minutes or so, each at its own pace', () => {
    const after = (uid: string): number => {
      const world = aWorld({ ...claimed, workloadSecret: 'missing' })
      const again = plan({ ...world, declared: world.declared && { ...world.declared, uid } }, NOON).again ?? 0
      expect(plan({ ...world, declared: world.declared && { ...world.declared, uid } }, NOON).again).toBe(again)
      return again - NOON
    }
    const all = Array.from({ length: 1000 }, (_, i) => after(`2f3e${i * 7919}-8a1c-4e0b-9d57-${i}`))
    expect([Math.min(...all) >= 240_000, Math.max(...all) <= 360_000]).toEqual([true, true])
    expect([Math.min(...all) < 250_000, Math.max(...all) > 350_000]).toEqual([true, true])
    expect(plan(aWorld(claimed), NOON).again).toBeUndefined()
  })

  test.each<[string, World]>([
    ['revoked', aWorld({ ...claimed, spec: { delivery: WORKLOAD, state: 'Revoked' }, workloadSecret: 'present' })],
    ['expired', aWorld({ ...claimed, spec: { delivery: WORKLOAD, expiresAt: NOON }, workloadSecret: 'present' })],
  ])('of a key that is %s is not looked at again by itself', (_what, world) => {
    expect(plan(world, NOON).again).toBeUndefined()
  })

  test.each([
    [undefined, 1],
    [0, 1],
    [1, 1],
    [2, 2],
    [4, 4],
    [16, 16],
    [32, 30],
    [9000, 30],
  ])('that is to be collected after %s seconds of waiting is looked at again in %s', (waited, seconds) => {
    const condition = {
      ...{
        type: 'CredentialStored',
        status: 'False',
        reason: 'AwaitingCollection',
        message: '',
        observedGeneration: 1,
      },
      lastTransitionTime: new Date(NOON - (waited ?? 0) * 1000).toISOString(),
    }
    const reported = waited === undefined ? undefined : { conditions: [condition] }
    const world = aWorld({ spec: { delivery: WORKLOAD }, workloadSecret: 'collected', reported })
    expect([todo(world), (plan(world, NOON).again ?? 0) - NOON]).toEqual([[register], seconds * 1000])
  })
})
