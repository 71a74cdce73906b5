import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { ApiError, refusalFrom } from '../../src/kube/api-error.ts'
import { makeLines } from '../../src/kube/json-lines.ts'
import { nextAfter, watchAgainMs } from '../../src/kube/watch-state.ts'
import { eventOf } from '../../src/kube/watch-stream.ts'

describe('lines', () => {
  test('are whole wherever the chunks are cut, within a character too', () => {
    const bytes = Buffer.from('{"a":"é😀"}\n\n{"b":2}\n{"c"')
    for (let size = 1; size <= bytes.length; size++) {
      const lines = makeLines(100)
      const seen: string[] = []
      for (let i = 0; i < bytes.length; i += size) seen.push(...lines.push(bytes.subarray(i, i + size)))
      expect(seen).toEqual(['{"a":"é😀"}', '{"b":2}'])
      expect(lines.unfinished()).toBe(true)
    }
  })

  test('are bounded', () => {
    const lines = makeLines(10)
    expect(lines.push(Buffer.from('0123456789'))).toEqual([])
    expect(() => lines.push(Buffer.from('0'))).toThrow('kube_too_large')
  })
})

describe('an event', () => {
  const metadata = { name: 'a', uid: 'u', resourceVersion: '7' }

  test('is an object that came, changed or went, or how far the watch is', () => {
    expect(eventOf(JSON.stringify({ type: 'ADDED', object: { metadata } }))).toEqual({
      type: 'ADDED',
      object: { metadata },
    })
    const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } }
    expect(eventOf(JSON.stringify(bookmark))).toEqual({ type: 'BOOKMARK', resourceVersion: '9' })
  })

  test('is never passed over: what is not understood ends the watch, unquoted', () => {
    for (const line of ['{"type":"ADDED","obj', '"marked"', '{"type":"LATER"}', '{"type":"ADDED","object":{}}']) {
      expect(() => eventOf(line)).toThrow(new Trouble('kube_not_understood', 'retry'))
    }
  })

  test('that is an error says which one', () => {
    const expired = { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }
    expect(() => eventOf(JSON.stringify(expired))).toThrow(expect.objectContaining({ code: 'kube_gone', status: 410 }))
    expect(() => eventOf('{"type":"ERROR"}')).toThrow(expect.objectContaining({ code: 'kube_unavailable' }))
  })
})

describe('after a failure', () => {
  const trouble = (code: string) => new Trouble(code, 'retry')
  const status = (code: number) => new ApiError(refusalFrom(code, undefined, undefined))

  test.each([
    ['a watch that was cut', trouble('kube_unreachable'), true, 1, 'probe'],
    ['a watch that went silent', trouble('kube_timeout'), true, 1, 'probe'],
    ['a line that is no JSON', trouble('kube_not_understood'), true, 1, 'probe'],
    ['the same three times', trouble('kube_not_understood'), true, 3, 'list'],
    ['a server that was away', trouble('kube_unreachable'), false, 1, 'list'],
    ['a server that answers 500', status(500), false, 1, 'list'],
    ['a server that throttles, however often', status(429), false, 9, 'watch'],
    ['a past that is gone', status(410), false, 1, 'list'],
    ['an error within the watch', status(500), true, 1, 'list'],
    ['what may not be watched just now', status(403), false, 1, 'watch'],
  ])('%s', (_what, error, opened, failures, next) => {
    expect(nextAfter({ error, opened, failures })).toBe(next)
  })

  test('it waits from 25 ms to 5 s', () => {
    expect([watchAgainMs(1, 0), watchAgainMs(1, 1), watchAgainMs(5, 1), watchAgainMs(99, 1)]).toEqual([
      25, 50, 800, 5000,
    ])
  })
})
