/** `keyward get`: why a permission is not in force, and every word of others without its controls. */
import { expect, test } from 'vitest'
import { describeKey } from '../../src/cli/describe-key.ts'
import { eventFacts } from '../../src/cli/key-events.ts'
import { factsOf } from '../../src/cli/key-facts.ts'
import { aStoredKey } from '../support/fake-cli-cluster.ts'
import { NOON } from '../support/make.ts'

const told = { events: [], place: undefined, nowMs: NOON, colours: false }

const key = aStoredKey('main', {
  spec: { permissions: ['customer:read', 'license:manage'], rateLimit: { requests: 600, per: '1m', burst: 60 } },
  status: {
    phase: 'Active',
    keyId: 'kw_prod_4fQ0Zp8sLm2T',
    permissions: ['customer:read'],
    observedGeneration: 1,
    credential: {
      version: 3,
      claimedAt: '2026-11-22T11:00:00Z',
      claimedBy: { username: 'ben' },
      previousValidUntil: '2026-11-22T13:00:00Z',
    },
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Active', message: 'the key is in force' },
      {
        type: 'WithinCreatorAccess',
        status: 'False',
        reason: 'AccessLost',
        message: 'no longer held by ana: license:manage',
        lastTransitionTime: '2026-11-22T11:50:00Z',
      },
    ],
  },
})

test('says which permission is not in force, since when, and because of whom', () => {
  const text = describeKey(factsOf(key), told)
  expect(text).toMatch(/^ {2}customer:read +held$/m)
  expect(text).toMatch(/^ {2}license:manage +not in force: no longer held by ana: license:manage \(for 10m\)$/m)
  expect(text).toMatch(/^Rate: +600 per 1m, 60 at once$/m)
  expect(text).toMatch(/^Handed over: +version 3 at 2026-11-22T11:00:00Z \(60m ago\), to ben$/m)
  expect(text).toMatch(/^Replaced secret: +works until 2026-11-22T13:00:00Z \(in 60m\)$/m)
})

test('a permission that is withheld is told with whom it is missing at and since when, each by itself', () => {
  const withheld = [
    { permission: 'license:manage', since: '2026-11-22T11:00:00Z', because: ['ana@example.com', 'ben\u001b'] },
    { permission: 'other:one', because: 7 },
  ]
  const object = { ...key, status: { ...(key.status as object), withheld } }
  expect(describeKey(factsOf(object), told)).toMatch(
    /^ {2}license:manage +not in force: not held by ana@example\.com and ben\\u001b since 2026-11-22T11:00:00Z \(for 60m\)$/m,
  )
  const noSense = { ...key, status: { ...(key.status as object), withheld: 'x' } }
  expect(describeKey(factsOf(noSense), told)).toMatch(/^ {2}license:manage +not in force: no longer held by ana/m)
})

test('says that the operator has not looked at the last change yet', () => {
  const edited = { ...key, metadata: { ...key.metadata, generation: 2 } }
  expect(describeKey(factsOf(edited), told)).toMatch(
    /^Status: +Active: the operator has not looked at the last change yet$/m,
  )
})

test('a key that nobody has looked at, and one whose status is nonsense, can be shown as well', () => {
  expect(describeKey(factsOf(aStoredKey('new')), told)).toMatch(/^Conditions: +none yet: is the operator running\?$/m)
  const nonsense = aStoredKey('odd', {
    spec: { permissions: 7 },
    status: { conditions: 'x', phase: {}, permissions: [1] },
  })
  expect(describeKey(factsOf(nonsense), told)).toMatch(/^Status: +Pending/m)
})

test('nothing that others wrote is obeyed by a terminal', () => {
  const spoiled = 'x\u001b]0;title\u0007\u202e\n'
  const conditions = [{ type: spoiled, status: 'True', reason: spoiled, message: spoiled }]
  const object = aStoredKey('main', {
    spec: {
      displayName: spoiled,
      permissions: [spoiled],
      customers: [spoiled],
      allowedCIDRs: [spoiled],
      expiresAt: spoiled,
    },
    status: { phase: spoiled, keyId: spoiled, createdBy: { username: spoiled }, lastUsedAt: spoiled, conditions },
  })
  const event = { type: spoiled, reason: spoiled, message: spoiled, at: spoiled, count: 1 }
  const text = describeKey(factsOf(object), { ...told, place: spoiled, events: [event] })
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
  expect(text.split('\n').some((line) => line === '')).toBe(true)
})

test('an event counts as often as it was seen', () => {
  const { metadata } = aStoredKey('main')
  const series = { count: 4, lastObservedTime: '2026-11-22T11:59:00.000000Z' }
  expect(eventFacts({ metadata, type: 'Warning', reason: 'AlreadyClaimed', message: 'm', series })).toEqual({
    type: 'Warning',
    reason: 'AlreadyClaimed',
    message: 'm',
    at: '2026-11-22T11:59:00.000000Z',
    count: 4,
  })
})

test('what the operator keeps in a Secret was handed over to nobody', () => {
  const kept = { ...key, spec: { ...(key.spec as object), delivery: { secretName: 'web-key' } } }
  expect(describeKey(factsOf(kept), told)).toMatch(/^Handed over: .*\(60m ago\), into the Secret web-key$/m)
})
