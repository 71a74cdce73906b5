/** What is kept of a key is read back as it was, and nothing that we did not write is believed. */
import { describe, expect, test } from 'vitest'
import { capInForce, type HeldAt, NOTHING_HELD } from '../../src/core/cap.ts'
import { recordOf } from '../../src/resources/key-record.ts'
import { encodeKeySecret, type KeySecret, parseKeySecret } from '../../src/resources/key-secret.ts'
import { aDigest, anApiKey, anImportedSecret, aSecret, aVersion, HOUR, NOON, NOT_ARRIVED } from '../operator/make.ts'

const previous = { version: 1, digest: aDigest('1'), validUntil: NOON }

describe('what is kept', () => {
  test.each([
    ['a key that was handed over', aSecret()],
    ['a key that waits', aSecret({ current: undefined })],
    ['a version that is not known to have arrived', aSecret({ current: aVersion(1, '1', NOT_ARRIVED) })],
    ['an overlap', aSecret({ current: aVersion(2, '2'), previous })],
    [
      'an overlap that has not begun',
      aSecret({ current: aVersion(2, '2', NOT_ARRIVED), previous: { ...previous, validUntil: undefined } }),
    ],
    ['a key that was rotated', aSecret({ rotations: 7 })],
    ['an import', anImportedSecret()],
  ] as readonly (readonly [string, KeySecret])[])('%s is read back as it was', (_what, secret) => {
    expect(parseKeySecret(encodeKeySecret(secret))).toEqual({ ok: true, value: secret })
  })

  test('is written in this form', () => {
    expect(JSON.parse(encodeKeySecret(aSecret({ current: aVersion(2, '2'), previous })))).toEqual({
      format: 1,
      keyId: 'kw_prod_mmmmmmmmmmmm',
      uid: 'uid-1',
      name: 'default/main',
      origin: 'minted',
      rotations: 0,
      current: {
        version: 2,
        digest: `sha256:${'2'.repeat(64)}`,
        issuedAt: NOON - HOUR,
        claimedBy: 'ben@example.com',
        claimedAt: NOON - HOUR,
      },
      previous: { version: 1, digest: `sha256:${'1'.repeat(64)}`, validUntil: NOON },
    })
  })
})

const written = (): Record<string, unknown> =>
  JSON.parse(encodeKeySecret(aSecret({ current: aVersion(2, '2'), previous }))) as Record<string, unknown>
const current = written().current as Record<string, unknown>

describe('what we did not write is refused', () => {
  test.each([
    ['another format', { format: 2 }, 'format'],
    ['a field that we do not know', { admin: true }, 'admin'],
    ['a key ID of another form', { keyId: 'kw_prod_short' }, 'keyId'],
    ['a digest without its algorithm', { current: { ...current, digest: '2'.repeat(64) } }, 'current.digest'],
    ['a digest in capitals', { current: { ...current, digest: `sha256:${'A'.repeat(64)}` } }, 'current.digest'],
    ['a version zero', { current: { ...current, version: 0 } }, 'current.version'],
    ['a version that is no number', { current: { ...current, version: '2' } }, 'current.version'],
    ['a claimant without a time', { current: { ...current, claimedAt: undefined } }, 'claimedBy and claimedAt'],
    ['a time without a claimant', { current: { ...current, claimedBy: undefined } }, 'claimedBy and claimedAt'],
    ['a previous one without a current one', { current: undefined }, 'previous must precede current'],
    ['a previous one of the same version', { current: { ...current, version: 1 } }, 'previous must precede current'],
    [
      'the same digest twice',
      { previous: { version: 1, digest: current.digest, validUntil: NOON } },
      'previous must precede current',
    ],
    [
      'a previous one without an end',
      { previous: { version: 1, digest: `sha256:${'1'.repeat(64)}` } },
      'previous.validUntil',
    ],
    ['another origin', { origin: 'found' }, 'origin'],
    ['fewer than no rotations', { rotations: -1 }, 'rotations'],
    ['a name without its namespace', { name: 'main' }, 'name'],
  ])('%s', (_what, change, named) => {
    const read = parseKeySecret(JSON.stringify({ ...written(), ...change }))
    expect(read).toEqual({ ok: false, problem: expect.stringContaining(named) })
  })

  test.each(['', '{', 'null', '[]', '"text"', '{"format":1}'])('%j', (text) => {
    expect(parseKeySecret(text).ok).toBe(false)
  })
})

describe('a record', () => {
  test('says what the manifest asks, and which digests lead to it', () => {
    const apiKey = anApiKey({ customers: ['globex'], expiresAt: NOON + HOUR, state: 'Suspended' })
    expect(recordOf(apiKey, aSecret({ current: aVersion(2, '2'), previous }), undefined)).toEqual({
      record: {
        keyId: 'kw_prod_mmmmmmmmmmmm',
        name: 'default/main',
        accessNamespace: 'acme',
        environment: 'production',
        asked: ['license:manage', 'customer:read'],
        held: ['license:manage', 'customer:read'],
        heldWithin: undefined,
        customers: ['globex'],
        expiresAt: NOON + HOUR,
        state: 'Suspended',
        allowedCidrs: undefined,
        limits: [],
      },
      current: '2'.repeat(64),
      previous: { digest: '1'.repeat(64), validUntil: NOON },
    })
  })

  test.each([
    ['as long as the key', NOON + HOUR, NOON + HOUR],
    ['without end where the key has none', undefined, Number.POSITIVE_INFINITY],
  ])('the old secret works %s until the new one has arrived', (_what, expiresAt, validUntil) => {
    const secret = aSecret({ current: aVersion(2, '2', NOT_ARRIVED), previous: { ...previous, validUntil: undefined } })
    expect(recordOf(anApiKey({ expiresAt }), secret, undefined).previous).toEqual({
      digest: '1'.repeat(64),
      validUntil,
    })
  })

  test('holds of what is asked what the people behind the key hold, where they hold it', () => {
    const cap = capInForce({
      held: ['customer:read', 'x:y'],
      within: { 'customer:read': ['acme-web', 'acme-web-eu'], 'license:manage': 'everywhere' },
    })
    const { asked, held, heldWithin } = recordOf(anApiKey(), aSecret(), cap).record
    expect([asked, held]).toEqual([['license:manage', 'customer:read'], ['customer:read']])
    expect(heldWithin).toEqual(
      new Map<string, HeldAt>([
        ['customer:read', new Set(['acme-web', 'acme-web-eu'])],
        ['license:manage', 'everywhere'],
      ]),
    )
  })

  test('of people who hold nothing holds nothing anywhere', () => {
    const { held, heldWithin } = recordOf(anApiKey(), aSecret(), capInForce(NOTHING_HELD)).record
    expect([held, heldWithin]).toEqual([[], new Map()])
  })

  test('of a key that is being deleted says so', () => {
    expect(recordOf({ ...anApiKey(), deleting: true }, aSecret(), undefined).record.state).toBe('Deleted')
  })
})
