import { expect, test } from 'vitest'
import { type Breaker, CLOSED, next, opened, type Seen, SILENT_MS, TROUBLES } from '../../src/enforce/breaker.ts'

const at = (nowMs: number, jitter = 0.5) => ({ nowMs, jitter })
const after = (from: Breaker, ...seen: readonly (readonly [Seen, number])[]): Breaker =>
  seen.reduce((breaker, [what, ms]) => next(breaker, what, at(ms)), from)
const failures = (count: number, fromMs = 0) =>
  Array.from({ length: count }, (_, i) => ['failure', fromMs + i] as const)

test('a handful of failures in a row opens it, one less does not', () => {
  expect(after(CLOSED, ...failures(TROUBLES - 1)).phase).toBe('closed')
  expect(after(CLOSED, ...failures(TROUBLES)).phase).toBe('open')
})

test('a good answer between them makes up for failures, a slow one does not', () => {
  const almost = after(CLOSED, ...failures(TROUBLES - 1))
  expect(after(almost, ['success', 10], ['failure', 11]).phase).toBe('closed')
  expect(after(almost, ['slow', 10], ['failure', 11]).phase).toBe('open')
})

test('silence opens it only once it has lasted, however many wait', () => {
  const late = (count: number, fromMs: number) => Array.from({ length: count }, () => ['late', fromMs] as const)
  const silent = after(CLOSED, ...late(100, 0), ...late(100, SILENT_MS - 1))
  expect(silent.phase).toBe('closed')
  expect(after(silent, ['success', SILENT_MS], ...late(100, SILENT_MS + 1)).phase).toBe('closed')
  expect(after(silent, ['late', SILENT_MS]).phase).toBe('open')
})

test('failures of different times are different trouble', () => {
  const almost = after(CLOSED, ...failures(TROUBLES - 1))
  expect(after(almost, ['failure', 60_000]).phase).toBe('closed')
})

test('a probe that fails opens it at once', () => {
  expect(opened(CLOSED, at(5))).toEqual({ phase: 'open', pauseMs: 250, nextMs: 255 })
})

test('open, it lets one probe through after a pause, and late answers change nothing', () => {
  const open = after(CLOSED, ...failures(TROUBLES))
  expect(after(open, ['success', 5], ['failure', 6], ['tick', 100])).toBe(open)
  expect(after(open, ['tick', 260]).phase).toBe('half-open')
})

test('the pause is spread, so that replicas do not come back together', () => {
  const nexts = [0, 0.999].map((jitter) => {
    const open = opened(CLOSED, at(0, jitter))
    return open.phase === 'open' ? Math.round(open.nextMs) : 0
  })
  expect(nexts).toEqual([188, 312])
})

test('half-open, a good probe closes it; a slow or failed one starts the next pause', () => {
  const half = after(CLOSED, ...failures(TROUBLES), ['tick', 300])
  expect(after(half, ['success', 301]).phase).toBe('closed')
  for (const seen of ['slow', 'failure', 'late'] as const) {
    expect(after(half, [seen, 301])).toEqual({ phase: 'open', pauseMs: 250, nextMs: 551 })
  }
})

test('trouble that comes back as soon as it is trusted again waits longer, but never more than 1.25 s', () => {
  const again = after(CLOSED, ...failures(TROUBLES), ['tick', 300], ['success', 301], ...failures(TROUBLES, 400))
  expect(again).toMatchObject({ phase: 'open', nextMs: 1404 })
  const later = after(CLOSED, ...failures(TROUBLES), ['tick', 300], ['success', 301], ...failures(TROUBLES, 9000))
  expect(later).toMatchObject({ phase: 'open', nextMs: 9254 })
})
