/** Conditions as metav1 has them: a transition is a change of status, and nothing else is. */
import { expect, test } from 'vitest'
import { conditionsOf, formatTime } from '../../src/core/condition.ts'

const ready = { type: 'Ready', status: 'True', reason: 'Active', message: 'the key is in force' } as const
const before = [{ ...ready, observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:00Z' }]
const moment = { generation: 2, nowMs: Date.UTC(2026, 10, 22, 12) }

test.each([
  ['another reason and message keep the time', { ...ready, reason: 'Other', message: 'other' }, '2026-01-01T00:00:00Z'],
  ['another status moves it', { ...ready, status: 'False' }, '2026-11-22T12:00:00Z'],
  ['another type has a time of its own', { ...ready, type: 'Claimed' }, '2026-11-22T12:00:00Z'],
] as const)('%s', (_what, finding, lastTransitionTime) => {
  expect(conditionsOf([finding], before, moment)).toEqual([{ ...finding, observedGeneration: 2, lastTransitionTime }])
})

test('what is no longer found is no longer said', () => {
  expect(conditionsOf([], before, moment)).toEqual([])
})

test.each([
  [0, '1970-01-01T00:00:00Z'],
  [1_763_812_800_999, '2025-11-22T12:00:00Z'],
])('%i ms is written %s', (ms, text) => {
  expect(formatTime(ms)).toBe(text)
})
