/** Too much of something on one connection: what is sent, and how it has to end. Meanwhile others are answered. */
import { gzipSync } from 'node:zlib'
import { until } from '../support/until.ts'
import { type Caller, gone } from './h2-caller.ts'
import {
  block,
  data,
  type Field,
  FLAG,
  frame,
  framed,
  headers,
  indexed,
  remembered,
  settings,
  TYPE,
  uint32,
} from './h2-frames.ts'
import { called, GOOD, goodWith } from './h2-outcome.ts'

export type Flood = {
  readonly send: (caller: Caller, message: Uint8Array) => Promise<void>
  /** `refused`: the calls, or all of the connection; `bounded`: it may all go on, as long as memory does not grow. */
  readonly ends: 'connection' | 'refused' | 'bounded'
  /** What the process may grow by. */
  readonly growthMiB: number
}

/** Sends the same again and again until that is enough, or the other side has had enough. */
async function again(caller: Caller, rounds: number, bytes: (round: number) => readonly Uint8Array[]): Promise<void> {
  for (let round = 0; round < rounds && !gone(caller); round++) {
    await caller.send(...bytes(round))
    // what the other side says is heard between two rounds
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const times = (count: number, bytes: Uint8Array): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes))

const ping = frame(TYPE.ping, Buffer.alloc(8))
const crumb: Field = ['cookie', 'a']

/** HEADERS that have no end, and so many CONTINUATION of them. */
const continued = (count: number, piece: Buffer): Flood => ({
  send: async (caller) => {
    await caller.send(frame(TYPE.headers, block(GOOD), { stream: 1 }))
    await again(caller, count / 100, () => [times(100, frame(TYPE.continuation, piece, { stream: 1 }))])
  },
  ends: 'connection',
  growthMiB: 20,
})

export const CORPUS_FLOODS: Readonly<Record<string, readonly Flood[]>> = {
  'H2-continuation': [
    continued(10_000, block([['x-a', 'a'.repeat(1000)]])),
    continued(10_000, Buffer.alloc(0)),
    continued(10_000, Buffer.of(0)),
  ],
  'H2-settings-flood': [
    {
      send: (caller) => again(caller, 1000, () => [times(100, settings([4, 65_535]))]),
      ends: 'connection',
      growthMiB: 40,
    },
    { send: (caller) => again(caller, 1000, () => [times(100, settings())]), ends: 'connection', growthMiB: 40 },
    { send: (caller) => again(caller, 1000, () => [times(100, ping)]), ends: 'connection', growthMiB: 40 },
  ],
  'H2-hpack-bomb': [
    {
      send: async (caller, message) => {
        // as large as the table of the other side can hold
        const large = remembered(['x-bomb', 'b'.repeat(4000)])
        const many = Buffer.concat([block(GOOD), large, times(5000, indexed(62))])
        const flags = FLAG.endHeaders
        await caller.send(frame(TYPE.headers, many, { stream: 1, flags }), data(1, framed(message), { end: true }))
      },
      ends: 'refused',
      growthMiB: 20,
    },
    {
      send: async (caller) => {
        const flags = FLAG.endHeaders | FLAG.endStream
        const large = Buffer.concat([block(GOOD), remembered(['x-bomb', 'b'.repeat(4000)])])
        const many = Buffer.concat([block(GOOD), times(5000, indexed(62))])
        await caller.send(frame(TYPE.headers, large, { stream: 1, flags }))
        await again(caller, 200, (round) => [frame(TYPE.headers, many, { stream: 3 + 2 * round, flags })])
      },
      ends: 'refused',
      growthMiB: 20,
    },
  ],
  'H2-cookie-crumb': [
    {
      send: async (caller, message) => {
        const crumbs = times(1000, block([crumb]))
        await caller.send(frame(TYPE.headers, block(GOOD), { stream: 1 }))
        await again(caller, 100, () => [frame(TYPE.continuation, crumbs, { stream: 1 })])
        await caller.send(
          frame(TYPE.continuation, undefined, { stream: 1, flags: FLAG.endHeaders }),
          data(1, framed(message), { end: true }),
        )
      },
      ends: 'refused',
      growthMiB: 20,
    },
    {
      send: async (caller, message) => {
        await caller.send(...called(goodWith(...Array.from({ length: 1000 }, () => crumb)), message))
      },
      ends: 'refused',
      growthMiB: 20,
    },
  ],
  'H2-tiny-data': [
    {
      send: async (caller) => {
        const streams = Array.from({ length: 100 }, (_none, i) => 2 * i + 1)
        const prefix = framed(Buffer.alloc(60_000)).subarray(0, 5)
        await caller.send(...streams.flatMap((id) => [headers(id, GOOD), data(id, prefix)]))
        caller.used(500)
        const one = Buffer.concat(streams.map((id) => data(id, Buffer.of(0))))
        for (let sent = 0; sent < 1_000_000 && !gone(caller); sent += 1000) {
          await until('there is room for more', () => caller.room() >= 1000 || gone(caller), 60_000)
          caller.used(1000)
          await caller.send(times(10, one))
        }
      },
      ends: 'bounded',
      growthMiB: 48,
    },
  ],
}

const bombOf = (mebibytes: number): Buffer => gzipSync(Buffer.alloc(mebibytes * 1024 * 1024), { level: 9 })

/** More of the same kind. */
export const MORE_FLOODS: Readonly<Record<string, Flood>> = {
  'calls that are reset as soon as they are there': {
    send: (caller) =>
      again(caller, 500, (round) =>
        Array.from({ length: 100 }, (_none, i) => {
          const stream = 2 * (100 * round + i) + 1
          return Buffer.concat([headers(stream, GOOD), frame(TYPE.reset, uint32(8), { stream })])
        }),
      ),
    ends: 'connection',
    growthMiB: 48,
  },
  'more calls at a time than are taken': {
    send: (caller) =>
      again(caller, 50, (round) => Array.from({ length: 100 }, (_none, i) => headers(2 * (100 * round + i) + 1, GOOD))),
    ends: 'bounded',
    growthMiB: 48,
  },
  'empty DATA without an end': {
    send: async (caller) => {
      await caller.send(headers(1, GOOD))
      await again(caller, 1000, () => [times(100, data(1, Buffer.alloc(0)))])
    },
    ends: 'bounded',
    growthMiB: 40,
  },
  'windows that grow byte by byte': {
    send: (caller) => again(caller, 1000, () => [times(100, frame(TYPE.window, uint32(1)))]),
    ends: 'bounded',
    growthMiB: 40,
  },
  'priorities of streams that are not there': {
    send: (caller) =>
      again(caller, 1000, (round) =>
        Array.from({ length: 100 }, (_none, i) =>
          frame(TYPE.priority, Buffer.of(0, 0, 0, 0, 7), { stream: 2 * (100 * round + i) + 1 }),
        ),
      ),
    ends: 'bounded',
    growthMiB: 40,
  },
  'messages that are announced and never come': {
    send: (caller) =>
      again(caller, 10, (round) =>
        Array.from({ length: 100 }, (_none, i) => {
          const stream = 2 * (100 * round + i) + 1
          return Buffer.concat([headers(stream, GOOD), data(stream, Buffer.of(0, 0, 0, 0xff, 0xff, 0))])
        }),
      ),
    ends: 'bounded',
    growthMiB: 48,
  },
  'one message that becomes 8 MiB': {
    send: async (caller) => {
      const bomb = bombOf(8)
      await caller.send(headers(1, goodWith(['grpc-encoding', 'gzip'])), data(1, framed(bomb, 1), { end: true }))
    },
    ends: 'refused',
    growthMiB: 20,
  },
}
