/** A server that is told how many connections it takes: who comes then is let in, and who does nothing goes. */
import type { RequestListener } from 'node:http'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { type Listening, listen } from '../../src/runtime/listen.ts'
import { makeAuthority } from '../support/certificates.ts'
import { until } from '../support/until.ts'

const opened: Socket[] = []
let server: Listening | undefined

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy()
  await server?.stop(1000)
})

const here: RequestListener = (_request, response) => {
  response.end('here')
}

function noted(socket: Socket): Socket {
  opened.push(socket)
  return socket.on('error', () => undefined)
}

const bare = (port: number): Socket => noted(connect(port, '127.0.0.1'))

async function ask(socket: Socket): Promise<string | undefined> {
  const answer = new Promise<string | undefined>((resolve) => {
    socket.once('data', (data) => resolve(String(data).split('\r\n')[0]))
    socket.once('close', () => resolve('closed'))
  })
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  return await answer
}

const gone = (sockets: readonly Socket[]) => sockets.map((socket) => socket.destroyed)
const oneGone = (sockets: readonly Socket[]) => until('one is closed', () => gone(sockets).includes(true))

test('closes the one that never asked, then the one that has been idle longest', async () => {
  server = await listen(here, { host: '127.0.0.1', port: 0, most: 3 })
  const { port } = server
  const [one, other] = [bare(port), bare(port)]
  expect([await ask(one), await ask(other)]).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK'])
  expect(await ask(one)).toBe('HTTP/1.1 200 OK')
  const silent = bare(port)
  await until('it is there', () => !silent.connecting)

  expect(await ask(bare(port))).toBe('HTTP/1.1 200 OK')
  await oneGone([one, other, silent])
  expect(gone([one, other, silent])).toEqual([false, false, true])

  expect(await ask(bare(port))).toBe('HTTP/1.1 200 OK')
  await oneGone([one, other])
  expect(gone([one, other])).toEqual([false, true])
})

test('closes whoever comes where all have a request under way, and loses none of those', async () => {
  const waiting: (() => void)[] = []
  server = await listen((_request, response) => waiting.push(() => response.end('here')), {
    host: '127.0.0.1',
    port: 0,
    most: 2,
  })
  const { port } = server
  const answers = [ask(bare(port)), ask(bare(port))]
  await until('both are under way', () => waiting.length === 2)
  expect(await ask(bare(port))).toBe('closed')
  for (const answer of waiting) answer()
  expect(await Promise.all(answers)).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK'])
})

test('counts connections as they are, also where many came and went', async () => {
  server = await listen(here, { host: '127.0.0.1', port: 0, most: 2 })
  const kept = bare(server.port)
  expect(await ask(kept)).toBe('HTTP/1.1 200 OK')
  for (let i = 0; i < 5; i++) {
    const passing = bare(server.port)
    expect(await ask(passing)).toBe('HTTP/1.1 200 OK')
    passing.destroy()
    await until('it is closed', () => passing.closed)
    // the server hears of it with what comes behind it
    expect(await ask(kept)).toBe('HTTP/1.1 200 OK')
  }
})

test('over TLS, connections without a handshake keep nobody out', async () => {
  const authority = await makeAuthority()
  const { cert, key } = await authority.issue(['127.0.0.1'])
  const material = { cert: Buffer.from(cert), key: Buffer.from(key), ca: Buffer.from(authority.ca) }
  const options = { ...material, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' } as const
  const tls = { options: () => options, onChange: () => undefined }
  server = await listen(here, { host: '127.0.0.1', port: 0, most: 8 }, tls)
  const { port } = server
  const good = () => noted(connectTls({ port, host: '127.0.0.1', ...material }))

  const before = good()
  expect(await ask(before)).toBe('HTTP/1.1 200 OK')
  const hoarded = Array.from({ length: 20 }, () => bare(port))
  await until('most of them are closed', () => gone(hoarded).filter(Boolean).length >= 13)
  expect(await ask(good())).toBe('HTTP/1.1 200 OK')
  expect(await ask(before), 'who had shown who they are').toBe('HTTP/1.1 200 OK')
  // the oldest went first
  expect(gone(hoarded).lastIndexOf(true)).toBe(13)
})
