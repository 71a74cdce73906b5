import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { ApiError, refusalFrom } from '../../src/kube/api-error.ts'
import type { KubeClient, KubeRequest, WatchRequest } from '../../src/kube/client.ts'
import { API_KEYS, type Resource, SECRETS } from '../../src/kube/objects.ts'
import { reflect } from '../../src/kube/reflector.ts'
import { steadyMs } from '../../src/runtime/system.ts'
import { until } from '../support/until.ts'

const objects = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    metadata: { namespace: 'team', name: `key-${i}`, uid: `u-${i}`, resourceVersion: '1' },
  }))

type Asked = { readonly path: string; readonly limit: number; readonly from: number }
type Fault = (asked: Asked, asks: number) => unknown

/** A fake client over so many objects, that takes a time of its own for each page, fails as told, and notes what it is asked. */
function fakeClient(parts: { readonly count: number; readonly pageMs?: number; readonly fault?: Fault }) {
  const asked: Asked[] = []
  const watches: WatchRequest[] = []
  let { count, fault } = parts
  let clock = 0
  const send = async ({ path, query }: KubeRequest): Promise<unknown> => {
    const [limit, from] = [Number(query?.limit ?? 0), Number(query?.continue ?? 0)]
    asked.push({ path, limit, from })
    const failure = fault?.({ path, limit, from }, asked.length)
    if (failure instanceof Error) throw failure
    if (failure !== undefined) return failure
    clock += parts.pageMs ?? 0
    // a list that is asked for again and again must not keep the test from its end
    await new Promise(setImmediate)
    const end = Math.min(count, from + limit)
    const metadata = { resourceVersion: '10', ...(end < count && { continue: String(end) }) }
    return { items: objects(count).slice(from, end), metadata }
  }
  const watch = (request: WatchRequest): Promise<void> => {
    watches.push(request)
    request.onOpen()
    return new Promise((_resolve, reject) => {
      const onAbort = () => reject(new Trouble('kube_aborted', 'retry'))
      if (request.signal.aborted) onAbort()
      else request.signal.addEventListener('abort', onAbort)
    })
  }
  const client: KubeClient = { send, watch, close: async () => {} }
  return {
    ...{ client, asked, watches },
    nowMs: () => clock,
    failing: (next: Fault | undefined) => {
      fault = next
    },
    holding: (next: number) => {
      count = next
    },
  }
}

function running(fake: ReturnType<typeof fakeClient>, more: { resource?: Resource; pageSize?: number } = {}) {
  const troubles: string[] = []
  const stop = new AbortController()
  const reflector = reflect<string>({
    client: fake.client,
    resource: API_KEYS,
    pageSize: 10,
    ...more,
    read: ({ metadata }) => metadata.name,
    goneWithKind: true,
    onChange: () => {},
    onTrouble: (error) => troubles.push(error instanceof Trouble ? error.code : String(error)),
    steadyMs: fake.nowMs,
    jitter: () => 0,
  })
  const ended = reflector.run(stop.signal)
  return {
    ...{ reflector, troubles },
    end: () => {
      stop.abort()
      return ended
    },
  }
}

const answered = (status: number, body: unknown = undefined, retryAfter?: string) =>
  new ApiError(refusalFrom(status, body, retryAfter))
const trouble = (code: string) => new Trouble(code, 'retry')
const throttledFor = (seconds: number) =>
  new ApiError({ status: 429, reason: '', fields: [], causes: [], retryAfterMs: seconds * 1000 })

describe('a list', () => {
  test('that takes longer than a watch may be silent is watched from then on, and is as old as its beginning', async () => {
    const fake = fakeClient({ count: 250, pageMs: 800 })
    const { reflector, end } = running(fake)
    await reflector.whenSynced()
    await until('it is watched', () => fake.watches.length === 1)
    expect([fake.asked.length, reflector.size(), reflector.staleMs()]).toEqual([25, 250, 20_000])
    await end()
  })

  test.each([
    ['a 500', answered(500), 'kube_unavailable'],
    ['a cut', trouble('kube_unreachable'), 'kube_unreachable'],
    ['a throttle', answered(429), 'kube_throttled'],
  ])('goes on at the page that failed by %s, which is told of once', async (_what, error, code) => {
    const fake = fakeClient({ count: 40, fault: ({ from }, asks) => (from === 20 && asks < 5 ? error : undefined) })
    const { reflector, troubles, end } = running(fake)
    await reflector.whenSynced()
    expect(fake.asked.map(({ from }) => from)).toEqual([0, 10, 20, 20, 20, 30])
    expect([reflector.size(), troubles]).toEqual([40, [code]])
    await end()
  })

  test('asks for smaller pages where one takes too long', async () => {
    const fake = fakeClient({ count: 40, fault: ({ limit }) => (limit > 8 ? trouble('kube_timeout') : undefined) })
    const { reflector, end } = running(fake, { pageSize: 32 })
    await reflector.whenSynced()
    expect(fake.asked.map(({ limit }) => limit)).toEqual([32, 8, 8, 8, 8, 8])
    await end()
  })

  test('does not come again sooner than the server asked for, at its first page and at a later one', async () => {
    const fake = fakeClient({
      count: 20,
      fault: (_asked, asks) => (asks === 1 || asks === 3 ? throttledFor(0.3) : undefined),
    })
    const began = steadyMs()
    const { reflector, end } = running(fake)
    await reflector.whenSynced()
    expect(fake.asked.map(({ from }) => from)).toEqual([0, 0, 10, 10])
    expect(steadyMs() - began).toBeGreaterThanOrEqual(590)
    await end()
  })

  test('begins anew where a page fails again and again: who was away for long may have another past', async () => {
    let broken = true
    const fake = fakeClient({
      count: 20,
      fault: ({ from }) => (from === 10 && broken ? trouble('kube_unreachable') : undefined),
    })
    const { reflector, end } = running(fake)
    await until('it began anew', () => fake.asked.filter(({ from }) => from === 0).length >= 2)
    expect(fake.asked.filter(({ from }) => from === 10).length).toBeLessThan(8)
    broken = false
    await reflector.whenSynced()
    expect(reflector.size()).toBe(20)
    await end()
  })

  test('is given up at once when it is stopped between two tries', async () => {
    const fake = fakeClient({ count: 20, fault: ({ from }) => (from === 10 ? throttledFor(60) : undefined) })
    const { end } = running(fake)
    await until('a page failed', () => fake.asked.length === 2)
    await end()
    expect(fake.asked.length).toBeLessThanOrEqual(3)
  })
})

describe('a 404', () => {
  const GROUP = '/apis/keyward.dev/v1alpha1'
  const bare = answered(404)
  const kinds = (...names: string[]) => ({
    kind: 'APIResourceList',
    groupVersion: 'keyward.dev/v1alpha1',
    resources: names.map((name) => ({ name })),
  })
  const groups = (...names: string[]) => ({
    kind: 'APIGroupList',
    groups: names.map((name) => ({ name, versions: [] })),
  })

  /** What is left after a list that is answered 404, while discovery says this. */
  async function leftAfter(says: Readonly<Record<string, unknown>>, resource = API_KEYS) {
    const fake = fakeClient({ count: 3 })
    const { reflector, troubles, end } = running(fake, { resource })
    await until('it is watched', () => fake.watches.length === 1)
    fake.failing(({ path }) => says[path] ?? bare)
    reflector.relist().catch(() => {})
    const told = () => troubles.includes('kube_no_such_kind') || troubles.includes('kube_not_found')
    await until('it was told', told)
    const left = reflector.size()
    fake.failing(undefined)
    await until('it is read again', () => reflector.size() === 3 && fake.watches.length > 1)
    await end()
    return [left, troubles]
  }

  test('empties nothing while the server does not say itself that it knows no such kind', async () => {
    const kept = [3, ['kube_not_found']]
    expect(await leftAfter({})).toEqual(kept)
    expect(await leftAfter({ [GROUP]: kinds('apikeys', 'apikeyclaims') })).toEqual(kept)
    expect(await leftAfter({ [GROUP]: { kind: 'Something' } })).toEqual(kept)
    expect(await leftAfter({ [GROUP]: answered(503), '/apis': groups() })).toEqual(kept)
    expect(await leftAfter({ '/apis': { hello: 'from a proxy' } })).toEqual(kept)
  })

  test('empties it where the server knows no such kind, or nothing of its group', async () => {
    const dropped = [0, ['kube_no_such_kind']]
    expect(await leftAfter({ [GROUP]: kinds('protectedapis') })).toEqual(dropped)
    expect(await leftAfter({ '/apis': groups('apps') })).toEqual(dropped)
    expect(await leftAfter({ '/apis': groups('keyward.dev') })).toEqual(dropped)
  })

  test('never empties the Secrets, whatever is said', async () => {
    const says = { '/api/v1': { ...kinds(), groupVersion: 'v1' }, '/apis': groups() }
    expect(await leftAfter(says, SECRETS)).toEqual([3, ['kube_not_found']])
  })
})
