/** Scenarios of a key's life and form: short, replaced, deleted, someone else's, used up. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { checksum } from '../../src/core/credential.ts'
import { until } from '../support/until.ts'
import { type Answer, headerOf } from './client.ts'
import { valuesOf } from './upstream.ts'
import { apiKey, futureKey, importedDelivery, type World } from './world.ts'

export type Scenario = (world: World) => Promise<void>

const get = (world: World, target: string, line: string): Promise<Answer> =>
  world.send(`GET ${target} HTTP/1.1\r\nHost: api.test\r\n${line}\r\nConnection: close\r\n\r\n`)

const withKey = (world: World, key: string, target = '/api/x'): Promise<Answer> =>
  get(world, target, `X-API-Key: ${key}`)

/** Sends it, and says what came back and which targets the upstream saw meanwhile. */
async function outcome(world: World, asking: () => Promise<Answer>) {
  const before = world.upstream.seen.length
  const answer = await asking()
  return { status: answer.status, seen: world.upstream.seen.slice(before) }
}

async function refused(world: World, key: string, status = 401): Promise<void> {
  for (const line of [`X-API-Key: ${key}`, `Authorization: Bearer ${key}`]) {
    const { status: answered, seen } = await outcome(world, () => get(world, '/api/x', line))
    expect([answered, seen]).toEqual([status, []])
  }
}

const statusIs = (world: World, key: string, status: number): Promise<boolean> =>
  until(`the key is ${status}`, async () => (await withKey(world, key)).status === status)

export const KEY_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'KEY-short-3': (world) => refused(world, 'abc'),

  'KEY-hash-as-key': async (world) => {
    const key = world.credentials.KEY_OK ?? ''
    const id = key.slice(0, key.lastIndexOf('_'))
    const hex = createHash('sha256').update(key).digest('hex')
    const asSecret = `${id}_${hex.slice(0, 43)}`
    for (const presented of [hex, `sha256:${hex}`, `${id}_${hex}`, asSecret + checksum(asSecret)]) {
      await refused(world, presented)
    }
  },

  'KEY-rotated-old': async (world) => {
    world.standalone.edit('keys-rotated.yaml', apiKey('rotated'))
    const old = (await world.standalone.key('team-a/rotated', 1)).key
    expect((await withKey(world, old)).status).toBe(200)
    world.standalone.edit('keys-rotated.yaml', apiKey('rotated', 'regenerate: 1'))
    const fresh = (await world.standalone.key('team-a/rotated', 2)).key
    expect(await statusIs(world, fresh, 200)).toBe(true)
    await refused(world, old)
  },

  'KEY-deleted-recreated': async (world) => {
    world.standalone.edit('keys-again.yaml', apiKey('again'))
    const old = (await world.standalone.key('team-a/again', 1)).key
    expect((await withKey(world, old)).status).toBe(200)
    world.standalone.remove('keys-again.yaml')
    expect(await statusIs(world, old, 401)).toBe(true)
    world.standalone.edit('keys-again.yaml', apiKey('again'))
    const fresh = (await world.standalone.key('team-a/again', 2)).key
    expect(await statusIs(world, fresh, 200)).toBe(true)
    await refused(world, old)
  },

  'KEY-ns-cross': async (world) => {
    const theirs = world.credentials.KEY_OTHER_NS ?? ''
    const crossing = await outcome(world, () => withKey(world, theirs, '/api/workspaces/shop-eu'))
    expect([crossing.status, crossing.seen]).toEqual([403, []])
    const own = await outcome(world, () => withKey(world, theirs, '/api/workspaces/billing-eu'))
    expect([own.status, own.seen.map(({ target }) => target)]).toEqual([200, ['/api/workspaces/billing-eu']])
  },

  'KEY-rate': async (world) => {
    const key = world.credentials.KEY_LOW_RATE ?? ''
    for (let i = 0; i < 5; i++) expect((await withKey(world, key)).status).toBe(200)
    const before = world.upstream.seen.length
    const { responses } = await withKey(world, key)
    const [denied = { status: 0, head: '' }] = responses
    expect([denied.status, world.upstream.seen.length]).toEqual([429, before])
    expect(headerOf(denied, 'retry-after')).toMatch(/^([1-9]|1[0-2])$/)
    expect(headerOf(denied, 'ratelimit-policy')).toBe('"rate";q=5;w=60')
    expect(headerOf(denied, 'ratelimit')).toMatch(/^"rate";r=0;t=\d+$/)
  },

  'KEY-two-crs-same-secret': async (world) => {
    const { key, manifest } = futureKey('first')
    world.standalone.edit('keys-first.yaml', manifest)
    expect(await statusIs(world, key, 200)).toBe(true)
    world.standalone.edit('keys-second.yaml', apiKey('second', importedDelivery(key)))
    await seenAs(world, key, 'team-a/first')
    // a change of the second wakes whoever would let the last writer win
    world.standalone.edit('keys-second.yaml', apiKey('second', 'displayName: Again', importedDelivery(key)))
    await seenAs(world, key, 'team-a/first')
    // nor can the second take away what the first has
    world.standalone.remove('keys-second.yaml')
    await seenAs(world, key, 'team-a/first')
  },

  'SMUG-resp-split-keyname': async (world) => {
    world.standalone.edit('keys-split.yaml', apiKey('split', 'displayName: Fine'))
    const { key, id } = await world.standalone.key('team-a/split')
    world.standalone.edit('keys-split.yaml', apiKey('split', 'displayName: "a\\r\\nX-Keyward-Key-Id: admin"'))
    await until('the manifest is refused', () => /keys-split\.yaml.*spec\.displayName/.test(world.standalone.output()))
    const { status, seen } = await outcome(world, () => withKey(world, key))
    expect([status, seen.flatMap((one) => valuesOf(one, 'x-keyward-key-id'))]).toEqual([200, [id]])
    expect(seen.map(({ head }) => head.includes('admin'))).toEqual([false])
    world.standalone.remove('keys-split.yaml')
  },
}

/** For as long as a change takes to come into force, the key is answered and told to the upstream under one name. */
async function seenAs(world: World, key: string, name: string): Promise<void> {
  const end = performance.now() + 1200
  while (performance.now() < end) {
    const { status, seen } = await outcome(world, () => withKey(world, key))
    expect([status, seen.flatMap((one) => valuesOf(one, 'x-keyward-key-name'))]).toEqual([200, [name]])
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
