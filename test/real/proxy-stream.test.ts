/** Bodies far larger than memory pass through in both directions, however slowly the other end takes them. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type EchoUpstream, startEcho } from '../support/echo-upstream.ts'
import { requestBytes } from '../support/proxied.ts'
import type { Measured, Started } from '../support/proxy-process.ts'
import { openRaw } from '../support/raw-client.ts'
import { THREE_TRIALS } from '../support/trials.ts'

const MIB = 1024 * 1024
const TOTAL = 1024 * MIB
const MOST_GROWTH_KIB = 64 * 1024
const CHUNK = Buffer.alloc(256 * 1024, 'x')

let upstream: EchoUpstream
let child: ChildProcess
let started: Started
let before: number

beforeAll(async () => {
  upstream = await startEcho({
    take: (request, response) => {
      if (request.method === 'GET') {
        void pour(response, request.url === '/open/little' ? MIB : TOTAL)
        return
      }
      let taken = 0
      request.on('data', (chunk: Buffer) => {
        const before = taken
        taken += chunk.length
        // a rest in the middle: whatever is not held back has to be held by somebody
        if (before < TOTAL / 2 && taken >= TOTAL / 2) {
          request.pause()
          setTimeout(() => request.resume(), 500)
        }
      })
      request.on('end', () => response.end(String(taken)))
    },
  })
})
beforeEach(async () => {
  child = fork(new URL('../support/proxy-process.ts', import.meta.url), [upstream.url.href])
  started = (await once(child, 'message'))[0] as Started
  await download('/open/little', 0)
  before = await peakKiB()
})
afterEach(() => child.disconnect())
afterAll(async () => {
  await upstream.stop()
})

async function pour(response: ServerResponse, total: number): Promise<void> {
  response.writeHead(200, { 'content-length': total })
  for (let sent = 0; sent < total; sent += CHUNK.length) {
    if (!response.write(CHUNK)) await once(response, 'drain')
  }
  response.end()
}

async function peakKiB(): Promise<number> {
  child.send('measure')
  return ((await once(child, 'message'))[0] as Measured).peakKiB
}

async function download(path: string, pauseMs: number): Promise<number> {
  const connection = await openRaw(started.port)
  const { socket } = connection
  socket.removeAllListeners('data')
  let received = 0
  let paused = pauseMs === 0
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
    if (paused) return
    paused = true
    socket.pause()
    setTimeout(() => socket.resume(), pauseMs)
  })
  socket.write(requestBytes(`GET ${path}`, [`X-API-Key: ${started.key}`, 'Connection: close']))
  await connection.ended(100_000)
  return received
}

test('1 GiB comes down through at most 64 MiB, also to a caller that rests', THREE_TRIALS, async () => {
  expect(await download('/open/large', 500)).toBeGreaterThan(TOTAL)
  expect((await peakKiB()) - before).toBeLessThan(MOST_GROWTH_KIB)
})

test.each([
  ['a length', [`Content-Length: ${TOTAL}`], false],
  ['chunks', ['Transfer-Encoding: chunked'], true],
])(
  '1 GiB goes up in %s through at most 64 MiB, also to an upstream that rests',
  THREE_TRIALS,
  async (_what, framing, chunked) => {
    const connection = await openRaw(started.port)
    const { socket } = connection
    socket.write(requestBytes('POST /open/large', [`X-API-Key: ${started.key}`, ...framing]))
    const size = Buffer.from(`${CHUNK.length.toString(16)}\r\n`)
    for (let sent = 0; sent < TOTAL; sent += CHUNK.length) {
      if (chunked) socket.write(size)
      let goesOn = socket.write(CHUNK)
      if (chunked) goesOn = socket.write('\r\n')
      if (!goesOn) await once(socket, 'drain')
    }
    if (chunked) socket.write('0\r\n\r\n')
    expect((await connection.response({ timeoutMs: 60_000 })).text).toBe(String(TOTAL))
    connection.destroy()
    expect((await peakKiB()) - before).toBeLessThan(MOST_GROWTH_KIB)
  },
)
