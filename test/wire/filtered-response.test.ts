/** A list that is held back: how long, how much of them together, and what becomes of the room. */
import { expect, test } from 'vitest'
import { HeldBody, type Room } from '../../src/sidecar/filtered-response.ts'
import { DEFAULT_LIMITS, HELD_BYTES } from '../../src/sidecar/limits.ts'

const FILTER = { items: '', id: '', visible: new Set(['1']) }
const KIB = 1024
const TOO_MANY = 'too many long lists are being answered at once'

const held = (room: Room, maxBytes = 64 * KIB) => new HeldBody(FILTER, maxBytes, room)
const text = (whole: ReturnType<HeldBody['end']>) => ('body' in whole ? Buffer.from(whole.body).toString() : whole)

test('what comes in pieces is cut as a whole, wherever they part', () => {
  const body = held({ held: 0, most: 64 * KIB })
  for (const piece of ['[1,', '', '2', ',1', ']']) expect(body.add(Buffer.from(piece))).toBeUndefined()
  expect(text(body.end())).toBe('[1,1]')
})

test('bytes that are not UTF-8 are not cut', () => {
  const body = held({ held: 0, most: 64 * KIB })
  body.add(Buffer.from('["é"]', 'latin1'))
  expect(text(body.end())).toEqual({ failed: 'the body is not UTF-8' })
})

test('a piece that its sender goes on to use is held as it was', () => {
  const body = held({ held: 0, most: 64 * KIB })
  const piece = Buffer.from('[1,2]')
  body.add(piece)
  piece.fill(0)
  expect(text(body.end())).toBe('[1]')
})

test('a list as long as the bound is held, one byte more is not', () => {
  const whole = held({ held: 0, most: 64 * KIB }, 5)
  expect(whole.add(Buffer.from('[1,2]'))).toBeUndefined()
  expect(whole.add(Buffer.from(' '))).toBe('the upstream answered with more than 5 bytes')
})

test('lists that would not fit together are refused, and those that are held already are not', () => {
  const room = { held: 0, most: 100 * KIB }
  const [first, second] = [held(room), held(room)]
  const piece = Buffer.alloc(60 * KIB, ' ')
  expect(first.add(piece)).toBeUndefined()
  expect(second.add(piece)).toBe(TOO_MANY)
  expect(first.add(Buffer.from('[1,2]'))).toBeUndefined()
  expect(text(first.end())).toBe(`${' '.repeat(60 * KIB)}[1]`)
  second.release()
  first.release()
  expect(room.held).toBe(0)
})

test('the room is free again once a list is released, whether it was answered or given up, and only once', () => {
  const room = { held: 0, most: 100 * KIB }
  for (let i = 0; i < 10; i++) {
    const body = held(room)
    expect(body.add(Buffer.alloc(60 * KIB, ' '))).toBeUndefined()
    if (i % 2 === 0) body.end()
    body.release()
    body.release()
  }
  expect(room.held).toBe(0)
})

test('a list that comes byte by byte takes no more room than it has bytes, twice at most', () => {
  const room = { held: 0, most: 64 * KIB }
  const body = held(room)
  const byte = Buffer.from(' ')
  for (let i = 0; i < 20 * KIB; i++) body.add(byte)
  expect(room.held).toBe(32 * KIB)
})

test('all proxies of a process hold 64 MiB together: 128 of the longest lists', () => {
  const longest = Buffer.alloc(DEFAULT_LIMITS.filterBytes, ' ')
  const bodies = Array.from({ length: 129 }, () => new HeldBody(FILTER, DEFAULT_LIMITS.filterBytes))
  const whys = bodies.map((body) => body.add(longest))
  for (const body of bodies) body.release()
  expect(HELD_BYTES).toBe(64 * KIB * KIB)
  expect(whys).toEqual([...Array.from({ length: 128 }, () => undefined), TOO_MANY])
  const next = new HeldBody(FILTER, DEFAULT_LIMITS.filterBytes)
  expect(next.add(longest)).toBeUndefined()
  next.release()
})
