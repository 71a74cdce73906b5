/** Scenarios of too much, too slow and too many; each in a size that an ordinary test run can carry. */
import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import { compileRoutes, type RouteSpec } from '../../src/core/route.ts'
import { ask } from '../support/ask.ts'
import { openRaw, sendRaw } from '../support/raw-client.ts'
import { until } from '../support/until.ts'
import type { Scenario } from './scenarios-keys.ts'
import type { World } from './world.ts'

const MEBIBYTE = 1024 * 1024
/** What the process may grow by while somebody tries to fill it up. */
const GROWTH_BYTES = 96 * MEBIBYTE
/** What one request may take of the event loop. */
const LOOP_SECONDS = 0.05
/** Of which one has to be quiet. */
const LOOP_TRIES = 20

const good = (key: string | undefined): string =>
  `GET /api/x HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${key}\r\nConnection: close\r\n\r\n`

async function metric(world: World, name: string): Promise<number> {
  const line = (await world.metrics()).split('\n').find((one) => one.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1) ?? Number.NaN)
}

const checkPort = ({ standalone }: World): number => Number(new URL(standalone.checkUrl).port)

/** Connections that are opened and say `text` and no more. */
async function openMany(port: number, count: number, text: string): Promise<readonly Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ port, host: '127.0.0.1' }))
  await Promise.all(
    sockets.map((socket) => {
      socket.on('error', () => undefined)
      return new Promise<void>((resolve) => {
        socket.once('close', () => resolve())
        socket.once('connect', () => socket.write(Buffer.from(text), () => resolve()))
      })
    }),
  )
  return sockets
}

/** Milliseconds that requests of somebody else take meanwhile, the slowest twentieth left out. */
async function othersTake({ port, credentials }: World, count: number): Promise<number> {
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    expect((await sendRaw(port, good(credentials.KEY_RO)))?.status).toBe(200)
    took.push(performance.now() - start)
  }
  return took.sort((a, b) => a - b)[Math.floor(count * 0.95)] ?? 0
}

const SLOW_CONNECTIONS = 300
const SLOW_PATIENCE_MS = 60_000

export const LOAD_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'DOS-slowloris': async (world) => {
    const alone = await othersTake(world, 60)
    const sockets = await openMany(world.port, SLOW_CONNECTIONS, 'GET /api/x HTTP/1.1\r\nHost: a\r\nX-A: ')
    const drip = setInterval(() => {
      for (const socket of sockets) if (!socket.destroyed) socket.write('a')
    }, 1000)
    try {
      // the box is shared and the quantile of few requests is coarse: what must not happen is waiting behind the slow,
      // which one quiet round shows
      const bound = Math.max(alone * 2, 50)
      let took = await othersTake(world, 60)
      for (let round = 1; round < 5 && took >= bound; round++) took = await othersTake(world, 60)
      expect(took).toBeLessThan(bound)
      await until(
        'every slow connection is closed',
        () => sockets.every(({ destroyed }) => destroyed),
        SLOW_PATIENCE_MS,
      )
    } finally {
      clearInterval(drip)
      for (const socket of sockets) socket.destroy()
    }
  },

  'DOS-slow-read': async (world) => {
    const before = await metric(world, 'process_resident_memory_bytes')
    const gibibyte = 1024 * MEBIBYTE
    const connections = await Promise.all(Array.from({ length: 4 }, () => openRaw(world.port)))
    for (const { socket, send } of connections) {
      socket.pause()
      send(good(world.credentials.KEY_OK).replace('/api/x', `/api/big?bytes=${gibibyte}`))
    }
    await new Promise((resolve) => setTimeout(resolve, 2000))
    const grown = (await metric(world, 'process_resident_memory_bytes')) - before
    expect(await othersTake(world, 20)).toBeLessThan(2000)
    for (const { destroy } of connections) destroy()
    expect(grown).toBeLessThan(GROWTH_BYTES)
  },

  'DOS-body-huge': async (world) => {
    const before = await metric(world, 'process_resident_memory_bytes')
    const head = `POST /check/envoy/api/orders HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${world.credentials.KEY_OK}\r\n`
    const announced = await sendRaw(checkPort(world), `${head}Content-Length: ${1024 * MEBIBYTE}\r\n\r\nx`)
    expect(announced?.status).toBe(413)
    const endless = await openRaw(checkPort(world))
    endless.send(`${head}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`)
    expect((await endless.response()).status).toBe(413)
    const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`
    for (let sent = 0; sent < 1024 && !endless.isEnded(); sent++) {
      endless.send(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await endless.ended()
    endless.destroy()
    expect((await metric(world, 'process_resident_memory_bytes')) - before).toBeLessThan(GROWTH_BYTES)
  },

  'DOS-metrics-card': async (world) => {
    const series = async () => (await world.metrics()).split('\n').filter((line) => /^keyward_/.test(line))
    const methods = ['GET', 'POST', 'PUT', 'PROPFIND', 'SEARCH']
    const one = (i: number) =>
      sendRaw(
        world.port,
        `${methods[i % methods.length]} /api/${i} HTTP/1.1\r\nHost: ${i % 2 === 0 ? 'api.test' : `h${i}.test`}\r\n` +
          `User-Agent: agent-${i}\r\nX-API-Key: kw_prod_${String(i).padStart(12, 'A')}_${'b'.repeat(49)}\r\nConnection: close\r\n\r\n`,
      )
    for (let i = 0; i < 20; i++) await one(i)
    const names = async () => (await series()).map((line) => line.slice(0, line.lastIndexOf(' '))).sort()
    const few = await names()
    for (let i = 20; i < 2000; i += 20) await Promise.all(Array.from({ length: 20 }, (_none, k) => one(i + k)))
    expect(await names()).toEqual(few)
    expect(few.length).toBeGreaterThan(5)
  },

  'DOS-hashdos': async (world) => {
    // names that V8 takes for array indices, whose hash is their value: as many as a head may hold, and far more
    const names = (count: number) => Array.from({ length: count }, (_none, i) => `${i * 1024}:\r\n`).join('')
    const withNames = (count: number) => good(world.credentials.KEY_OK).replace('X-API-Key', `${names(count)}X-API-Key`)
    expect([400, 431]).toContain((await sendRaw(world.port, withNames(10_000)))?.status)
    const counts = Array.from({ length: 100 }, (_none, i) => 80 + i * 12)
    const longest = async (of: readonly number[]) => {
      await world.metrics()
      for (const count of of) await sendRaw(world.port, withNames(count))
      return metric(world, 'keyward_event_loop_delay_seconds')
    }
    if ((await longest(counts)) < LOOP_SECONDS) return
    // the box has other things to do as well: what keeps the loop does so each time, alone
    for (const count of counts) {
      const least: number[] = []
      while (least.length < LOOP_TRIES && (least.at(-1) ?? 1) >= LOOP_SECONDS) least.push(await longest([count]))
      expect(least.at(-1), `${count} names`).toBeLessThan(LOOP_SECONDS)
    }
  },

  'DOS-redos-glob': () => {
    // every branch goes on for long and none matches: 2^10 ways for a matcher that walks them all
    const segments = Array.from({ length: 10 }, (_none, i) => [`/a`, `/{p${i}}`] as const)
    const routes: RouteSpec[] = Array.from({ length: 1024 }, (_none, bits) => ({
      methods: ['GET'],
      path: `${segments.map((pair, i) => pair[(bits >> i) & 1]).join('')}/b`,
      authenticated: true,
    }))
    const table = compileRoutes(routes)
    const path = '/a'.repeat(2000).slice(1).split('/')
    const deep = [...Array<string>(10).fill('a'), 'c']
    for (const asked of [path, deep]) {
      const took: number[] = []
      for (let i = 0; i < 200; i++) {
        const start = performance.now()
        const match = table.match('GET', asked)
        took.push(performance.now() - start)
        expect(match).toBe(undefined)
      }
      // the median: a machine that stops in the middle says nothing of the table
      expect(took.sort((a, b) => a - b)[100]).toBeLessThan(1)
    }
    return Promise.resolve()
  },

  'DOS-conn-flood': async (world) => {
    const sockets = await openMany(world.port, 2000, '')
    try {
      for (const path of ['/livez', '/readyz']) {
        expect((await ask(world.standalone.adminUrl + path)).status, path).toBe(200)
      }
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    await until('the proxy answers again', async () => {
      const answer = await sendRaw(world.port, good(world.credentials.KEY_OK)).catch(() => undefined)
      return answer?.status === 200
    })
  },
}
