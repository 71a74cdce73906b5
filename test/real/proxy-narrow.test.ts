/** List routes through the proxy: the query that is put in, and the response that is cut. */
import { afterEach, describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, HELD_BYTES } from '../../src/sidecar/limits.ts'
import type { EchoParts } from '../support/echo-upstream.ts'
import { requestBytes } from '../support/proxied.ts'
import { proxyBench } from '../support/proxy-bench.ts'
import { openRaw, sendRaw } from '../support/raw-client.ts'

const { echoing, clear } = proxyBench()
afterEach(clear)

const LIST = '{"total":3,"items":[{"id":"eu","size":1.0e2},{"id":"asia"},{"id":"us"}]}'
const CUT = '{"total":3,"items":[{"id":"eu","size":1.0e2},{"id":"us"}]}'

type Head = Readonly<Record<string, string>>

const listing =
  (body: string | Buffer = LIST, head: Head = {}, status = 200): EchoParts['answer'] =>
  (_arrived, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...head })
    response.end(body)
  }

async function list(answer: EchoParts['answer'], headers: readonly string[] = [], line = 'GET /workspaces') {
  const { proxied, upstream } = await echoing({ answer }, { limits: { filterBytes: 100_000 } })
  const bytes = requestBytes(line, [`X-API-Key: ${proxied.key}`, ...headers])
  const response = await sendRaw(proxied.port, bytes, { toHead: line.startsWith('HEAD') })
  if (response === undefined) throw new Error('no answer')
  return { response, upstream, proxied }
}

describe('a filtered list', () => {
  test('holds what the key may see, byte for byte', async () => {
    const { response } = await list(listing())
    expect([response.status, response.text]).toEqual([200, CUT])
    expect(response.header('content-length')).toBe(String(CUT.length))
    expect(response.header('content-type')).toBe('application/json')
    expect(response.header('cache-control')).toBe('private')
  })

  test('is asked for whole, in its plain form', async () => {
    const asked = [
      'Accept-Encoding: gzip',
      'Range: bytes=0-10',
      'If-None-Match: "x"',
      'If-Range: "x"',
      'If-Modified-Since: x',
    ]
    const { upstream } = await list(listing(), [
      ...asked,
      'If-Match: "x"',
      'If-Unmodified-Since: x',
      'Accept: application/json',
    ])
    const [arrived] = upstream.log
    const names = arrived?.headers.filter((_text, i) => i % 2 === 0).map((name) => name.toLowerCase()) ?? []
    expect(names.filter((name) => name.startsWith('if-') || name === 'range')).toEqual([])
    expect(arrived?.header('accept-encoding')).toBe('identity')
    expect(arrived?.header('accept')).toBe('application/json')
    expect(arrived?.header('x-keyward-visible')).toBe('eu,us')
  })

  test('says nothing of the bytes that were', async () => {
    const { response } = await list(
      listing(LIST, {
        ...{
          etag: '"x"',
          'last-modified': 'x',
          digest: 'x',
          'content-digest': 'x',
          'repr-digest': 'x',
          'content-md5': 'x',
        },
        ...{
          'accept-ranges': 'bytes',
          'cache-control': 'public, max-age=60, No-Store',
          'surrogate-control': 'max-age=60',
        },
        ...{ vary: 'accept', link: '</next>; rel=next' },
      }),
    )
    const names = response.headers.filter((_text, i) => i % 2 === 0).map((name) => name.toLowerCase())
    expect(names.toSorted()).toEqual([
      'cache-control',
      'connection',
      'content-length',
      'content-type',
      'date',
      'keep-alive',
      'link',
      'vary',
      'x-request-id',
    ])
    expect(response.header('cache-control')).toBe('private, no-store')
  })

  test.each([
    ['an error', listing('{}', {}, 500), 'the upstream answered 500 instead of 200'],
    ['a redirection', listing('', { location: '/x' }, 302), 'the upstream answered 302 instead of 200'],
    ['nothing', listing('', {}, 204), 'the upstream answered 204 instead of 200'],
    ['a part', listing(LIST, {}, 206), 'the upstream answered 206 instead of 200'],
    [
      'a packed list',
      listing(LIST, { 'content-encoding': 'gzip' }),
      'the upstream answered with Content-Encoding gzip',
    ],
    ['a page', listing('<html>'), 'the body is not JSON'],
    ['a list elsewhere', listing('{"data":[]}'), 'there is nothing at /items'],
    ['an item without an id', listing('{"items":[{}]}'), 'an item has no id'],
    ['bytes that are no UTF-8', listing(Buffer.from('{"items":[],"x":"\xff"}', 'latin1')), 'the body is not UTF-8'],
    [
      'more than is held',
      listing(`{"items":[]}${' '.repeat(100_000)}`),
      'the upstream answered with more than 100000 bytes',
    ],
  ])('is 502 filter_failed where the upstream answers with %s', async (_what, answer, why) => {
    const { response, proxied } = await list(answer)
    expect(response.status).toBe(502)
    expect(JSON.parse(response.text)).toEqual({
      type: 'about:blank',
      title: 'List could not be narrowed',
      status: 502,
      detail: `The list can not be cut down to what this key may see: ${why}.`,
      code: 'filter_failed',
      requestId: response.header('x-request-id'),
    })
    expect(proxied.noted).toEqual([{ kind: 'filter_failed', requestId: response.header('x-request-id'), why }])
  })

  test('is no list at all where the upstream breaks off', async () => {
    const { response } = await list((_arrived, answer) => {
      answer.writeHead(200, { 'content-length': '100' })
      answer.write('{"items":[')
      setTimeout(() => answer.destroy(), 20)
    })
    expect(response.status).toBe(502)
    expect(JSON.parse(response.text)).toMatchObject({ code: 'upstream_unavailable' })
  })

  test.each([200, 404])('behind HEAD has the upstream’s status %d and no length', async (status) => {
    const { response } = await list(
      listing('', { 'content-length': '5000', etag: '"x"' }, status),
      [],
      'HEAD /workspaces',
    )
    expect(response.status).toBe(status)
    expect(response.header('content-length')).toBeUndefined()
    expect(response.header('etag')).toBeUndefined()
    expect(response.header('cache-control')).toBe('private')
  })

  test('shows a key of one workspace that workspace', async () => {
    const { proxied } = await echoing({ answer: listing() })
    const key = proxied.put('eu-only', { accessNamespace: 'eu' })
    const response = await sendRaw(proxied.port, requestBytes('GET /workspaces', [`X-API-Key: ${key}`]))
    expect(response?.text).toBe('{"total":3,"items":[{"id":"eu","size":1.0e2}]}')
  })
})

const TOO_MANY = 'filter_failed: too many long lists are being answered at once'

describe('lists that are held', () => {
  test('give their room back, answered or given up: more of them than fit at once, one after the other', async () => {
    const long = `{"items":[{"id":"${'x'.repeat(DEFAULT_LIMITS.filterBytes - 100)}"}]}`
    let broken = false
    const { proxied } = await echoing({
      answer: (_arrived, answer) => {
        answer.writeHead(200, { 'content-type': 'application/json', 'content-length': String(long.length) })
        if (broken) answer.write(long.slice(0, -1), () => answer.destroy())
        else answer.end(long)
      },
    })
    const ask = async () => {
      const response = await sendRaw(proxied.port, requestBytes('GET /workspaces', [`X-API-Key: ${proxied.key}`]))
      return response?.status
    }
    const rounds = Math.ceil(HELD_BYTES / DEFAULT_LIMITS.filterBytes) + 2
    const statuses = new Set<number | undefined>()
    for (let i = 0; i < rounds; i++) statuses.add(await ask())
    broken = true
    for (let i = 0; i < rounds; i++) statuses.add(await ask())
    broken = false
    expect([...statuses]).toEqual([200, 502])
    expect(await ask()).toBe(200)
    expect(proxied.noted.filter(({ kind }) => kind === 'filter_failed')).toEqual([])
  })

  test('above 64 MiB together are refused, and fit again once their callers have gone', async () => {
    let stalls = true
    const { proxied } = await echoing({
      answer: (_arrived, answer) => {
        answer.writeHead(200, { 'content-type': 'application/json' })
        answer.write(' '.repeat(DEFAULT_LIMITS.filterBytes - 100))
        if (!stalls) answer.end('{"items":[{"id":"eu"}]}')
      },
    })
    const bytes = requestBytes('GET /workspaces', [`X-API-Key: ${proxied.key}`])
    const most = HELD_BYTES / DEFAULT_LIMITS.filterBytes
    const callers = await Promise.all(Array.from({ length: most + 2 }, () => openRaw(proxied.port)))
    for (const caller of callers) caller.send(bytes)
    const whys = () => proxied.noted.map(({ kind, why }) => `${kind}: ${why}`)
    await expect.poll(whys, { timeout: 10_000 }).toEqual([TOO_MANY, TOO_MANY])
    for (const caller of callers) caller.destroy()
    stalls = false
    await expect.poll(async () => (await sendRaw(proxied.port, bytes))?.status, { timeout: 10_000 }).toBe(200)
  })
})

describe('a list narrowed by its query', () => {
  test.each([
    ['no query', '/queried', '/queried?id=eu,us'],
    ['other parameters', '/queried?a=1&b=%2F', '/queried?a=1&b=%2F&id=eu,us'],
    ['less than it may', '/queried?id=us', '/queried?id=us'],
  ])('%s', async (_what, target, onward) => {
    const { upstream, response } = await list(undefined, [], `GET ${target}`)
    expect(response.status).toBe(200)
    expect(upstream.log[0]?.target).toBe(onward)
  })

  test('more than it may is refused', async () => {
    const { upstream, response } = await list(undefined, [], 'GET /queried?id=asia')
    expect(response.status).toBe(400)
    expect(upstream.log).toEqual([])
  })
})
