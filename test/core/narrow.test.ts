import { describe, expect, test } from 'vitest'
import { MAX_QUERY_LENGTH, MAX_VISIBLE_LENGTH, type Narrowing, narrow, type Unnarrowed } from '../../src/core/narrow.ts'
import { parseTarget } from '../../src/core/path.ts'
import type { Narrow } from '../../src/core/route.ts'
import { visibleOf } from '../../src/core/visible.ts'
import { leastCpuMs } from '../support/cpu-time.ts'
import { anAccessNamespace } from '../support/make.ts'

const EVERYTHING = { removal: true, query: true, filter: true }
const FILTER = { items: '/items', id: '/id' }
const NAME = '@within/application/acme-web'

type Case = {
  readonly ids?: readonly string[]
  readonly name?: string
  readonly ability?: Partial<typeof EVERYTHING>
}

function narrowed(
  how: Narrow,
  query: string,
  { ids = ['eu-1', 'us-1'], name, ability }: Case = {},
): Narrowing | Unnarrowed {
  const target = parseTarget(`/v1/workspaces${query === '' ? '' : `?${query}`}`)
  if ('refused' in target) throw new Error(target.refused)
  const visible = visibleOf(ids.map((id) => anAccessNamespace({ name: id, type: 'workspace' })))
  return narrow(how, { visible, name }, { target, ability: { ...EVERYTHING, ...ability } })
}

const codeOf = (found: Narrowing | Unnarrowed): string => ('code' in found ? found.code : 'narrowed')

describe('by the query', () => {
  test.each([
    ['no query', '', '/v1/workspaces?id=eu-1,us-1'],
    ['an empty query', '&', '/v1/workspaces?id=eu-1,us-1'],
    ['another parameter', 'limit=10', '/v1/workspaces?limit=10&id=eu-1,us-1'],
    ['parameters of similar names', 'ids=x&uid=y&id2=z&i=w', '/v1/workspaces?ids=x&uid=y&id2=z&i=w&id=eu-1,us-1'],
    ['its own value inside the set', 'id=us-1', '/v1/workspaces?id=us-1'],
    ['its own values inside the set', 'id=us-1,eu-1', '/v1/workspaces?id=us-1,eu-1'],
    ['its own value before others', 'id=us-1&limit=10', '/v1/workspaces?limit=10&id=us-1'],
    ['its own value, encoded', 'id=us%2D1', '/v1/workspaces?id=us-1'],
    ['its own values, the comma encoded', 'id=us-1%2Ceu-1', '/v1/workspaces?id=us-1,eu-1'],
    ['its own value under an encoded name', '%69d=us-1', '/v1/workspaces?id=us-1'],
    ['its own value under an upper-case name', 'ID=us-1', '/v1/workspaces?id=us-1'],
    ['its own value as a list', 'id[]=us-1', '/v1/workspaces?id=us-1'],
    ['its own value as the first of a list', 'id[0]=us-1', '/v1/workspaces?id=us-1'],
    ['its own value as a list, encoded', 'id%5B%5D=us-1', '/v1/workspaces?id=us-1'],
    ['its own value under an operator', 'id.eq=us-1', '/v1/workspaces?id=us-1'],
    ['others with a semicolon', 'a=1;b=2', '/v1/workspaces?a=1;b=2&id=eu-1,us-1'],
  ])('a caller with %s', (_what, query, target) => {
    expect(narrowed({ query: 'id' }, query)).toEqual({ header: 'eu-1,us-1', target, filter: undefined })
  })

  test.each([
    ['a value outside the set', 'id=shop-1'],
    ['one value inside and one outside', 'id=eu-1,shop-1'],
    ['an empty value', 'id='],
    ['no value', 'id'],
    ['a comma too many', 'id=eu-1,'],
    ['a space in front of a value', 'id=%20eu-1'],
    ['a value in other letter case', 'id=EU-1'],
    ['a wildcard', 'id=*'],
    ['a value with a NUL behind it', 'id=eu-1%00shop-1'],
    ['a value encoded twice', 'id=eu%252D1'],
    ['a value that is not UTF-8', 'id=eu-1%ff'],
    ['a value outside, under an encoded name', '%69%64=shop-1'],
    ['a value outside, under an upper-case name', 'Id=shop-1'],
    ['a value outside, as a list', 'id[]=shop-1'],
    ['a value outside, as a list, encoded', 'id%5b%5d=shop-1'],
    ['a value outside, under an operator', 'id[in]=shop-1'],
    ['a value outside, under a member', 'id.in=shop-1'],
    ['a value outside, under a name with a space in front', '%20id=shop-1'],
    ['a value outside, under a name with a plus in front', '+id=shop-1'],
    ['a value outside, under a name with a space behind', 'id%20=shop-1'],
    ['a value outside, under a name with a NUL behind', 'id%00=shop-1'],
    ['a value outside, under a name with a NUL and more behind', 'id%00x=shop-1'],
    ['a value outside, under a fullwidth name', '%EF%BD%89%EF%BD%84=shop-1'],
    ['two values', 'id=eu-1&id=us-1'],
    ['the same value twice', 'id=eu-1&id=eu-1'],
    ['two spellings', 'id=eu-1&ID=eu-1'],
    ['a value and a list', 'id=eu-1&id[]=eu-1'],
    ['a value and an encoded name', 'id=eu-1&i%64=eu-1'],
    ['a second value behind a semicolon', 'id=eu-1;id=us-1'],
    ['a value behind a semicolon', 'a=1;id=eu-1'],
    ['a value before a semicolon', 'id=eu-1;a=1'],
    ['a value outside behind a semicolon', 'a=1;id=shop-1'],
    ['a second question mark in front of a value', '?id=eu-1'],
    ['a question mark in another value', 'a=/b?id=shop-1'],
    ['a question mark at the end', 'a?'],
    ['more parameters than servers read', 'a&'.repeat(256)],
    ['more parameters behind its own than servers read', `id=eu-1${'&a'.repeat(256)}`],
    ['more parameters than servers read, behind semicolons', 'a;'.repeat(256)],
  ])('a caller with %s is ambiguous', (_what, query) => {
    expect(codeOf(narrowed({ query: 'id' }, query))).toBe('ambiguous_request')
  })

  test.each([
    ['filter[id]', 'filter[id]=shop-1'],
    ['filter[id]', 'filter%5Bid%5D=shop-1'],
    ['filter[id]', 'filter.id=shop-1'],
    ['filter[id]', 'filter_id=shop-1'],
    ['filter[id]', 'filter[id][]=shop-1'],
    ['filter.id', 'filter[id]=shop-1'],
    ['workspace_id', 'workspace-id=shop-1'],
    ['workspace-id', 'workspace_id=shop-1'],
    ['workspaceId', 'workspaceid=shop-1'],
  ])('of a parameter %s the spelling %s is known', (name, query) => {
    expect(codeOf(narrowed({ query: name }, query))).toBe('ambiguous_request')
  })

  test.each([
    ['filter[id]', 'filter[name]=x', '/v1/workspaces?filter[name]=x&filter%5Bid%5D=eu-1,us-1'],
    ['filter[id]', 'filter=x', '/v1/workspaces?filter=x&filter%5Bid%5D=eu-1,us-1'],
    ['id', '_id=x', '/v1/workspaces?_id=x&id=eu-1,us-1'],
    ['id', 'id_type=x', '/v1/workspaces?id_type=x&id=eu-1,us-1'],
    ['id', 'filter[id]=x', '/v1/workspaces?filter[id]=x&id=eu-1,us-1'],
  ])('beside a parameter %s the other parameter %s is let through', (name, query, target) => {
    expect(narrowed({ query: name }, query)).toMatchObject({ target })
  })

  test('what goes upstream holds the parameter once, and nothing outside the set', () => {
    for (const query of ['', 'id=eu-1', 'ID=eu-1&x=1', 'x=id', 'id[]=us-1&y']) {
      const found = narrowed({ query: 'id' }, query)
      const asked = new URL('target' in found ? (found.target ?? '') : '', 'http://upstream').searchParams
      const values = [...asked].filter(([name]) => name.toLowerCase().startsWith('id')).map(([, value]) => value)
      expect(values).toHaveLength(1)
      expect(['eu-1', 'us-1', 'eu-1,us-1']).toContain(values[0])
    }
  })

  test('a listener that can not change the query refuses', () => {
    expect(codeOf(narrowed({ query: 'id' }, '', { ability: { query: false } }))).toBe('narrowing_unavailable')
    expect(codeOf(narrowed({ query: 'id' }, 'id=eu-1', { ability: { query: false } }))).toBe('narrowing_unavailable')
  })
})

describe('by a filter', () => {
  test('the response is cut down and the query is left alone', () => {
    expect(narrowed({ filter: FILTER }, 'id=shop-1&limit=10')).toEqual({
      header: 'eu-1,us-1',
      target: undefined,
      filter: { ...FILTER, visible: new Set(['eu-1', 'us-1']) },
    })
  })

  test('an empty set cuts everything, and the header says nothing', () => {
    expect(narrowed({ filter: FILTER }, '', { ids: [] })).toEqual({
      header: '',
      target: undefined,
      filter: { ...FILTER, visible: new Set() },
    })
  })

  test('a listener that can not filter refuses', () => {
    expect(codeOf(narrowed({ filter: FILTER }, '', { ability: { filter: false } }))).toBe('narrowing_unavailable')
  })
})

describe('by the upstream itself', () => {
  test('nothing is changed but the header, whatever the listener can do', () => {
    const unable = { query: false, filter: false }
    expect(narrowed({ upstream: true }, 'id=shop-1', { ability: unable })).toEqual({
      header: 'eu-1,us-1',
      target: undefined,
      filter: undefined,
    })
  })
})

describe('by more than one way', () => {
  test('query and filter both hold', () => {
    expect(narrowed({ query: 'id', filter: FILTER }, 'id=eu-1')).toEqual({
      header: 'eu-1,us-1',
      target: '/v1/workspaces?id=eu-1',
      filter: { ...FILTER, visible: new Set(['eu-1', 'us-1']) },
    })
    expect(codeOf(narrowed({ query: 'id', filter: FILTER }, 'id=shop-1'))).toBe('ambiguous_request')
  })

  test.each<[string, Narrow, Partial<typeof EVERYTHING>]>([
    ['no filter beside a query', { query: 'id', filter: FILTER }, { filter: false }],
    ['no query beside a filter', { query: 'id', filter: FILTER }, { query: false }],
    ['no filter beside the upstream', { filter: FILTER, upstream: true }, { filter: false }],
    ['no query beside the upstream', { query: 'id', upstream: true }, { query: false }],
  ])('a listener that can do only one of them refuses: %s', (_what, how, ability) => {
    expect(codeOf(narrowed(how, '', { ability }))).toBe('narrowing_unavailable')
  })

  test('a route that names no way at all shows nothing', () => {
    expect(codeOf(narrowed({}, ''))).toBe('narrowing_unavailable')
  })
})

describe('a set too long to be listed', () => {
  const ids = Array.from({ length: 1000 }, (_, i) => `workspace-${i}`)

  test.each<[string, Narrow, string]>([
    ['by the query alone, there is no way', { query: 'id' }, 'narrowing_unavailable'],
    ['by a filter, its name stands in the header', { filter: FILTER }, NAME],
    ['by the upstream, its name stands in the header', { upstream: true }, NAME],
    ['by query and filter, the filter cuts', { query: 'id', filter: FILTER }, NAME],
    ['by query and upstream, the upstream cuts', { query: 'id', upstream: true }, NAME],
  ])('%s', (_what, how, answer) => {
    const found = narrowed(how, 'limit=10', { ids, name: NAME })
    expect('code' in found ? found.code : found.header).toBe(answer)
    if (!('code' in found)) {
      expect(found.target).toBeUndefined()
      expect(found.filter?.visible.size).toBe(how.filter === undefined ? undefined : 1000)
    }
  })

  test("a caller's own choice from it still fits a query", () => {
    expect(narrowed({ query: 'id' }, 'id=workspace-999', { ids, name: NAME })).toEqual({
      header: NAME,
      target: '/v1/workspaces?id=workspace-999',
      filter: undefined,
    })
  })

  test.each<[string, Narrow]>([
    ['the query', { query: 'id' }],
    ['a filter', { filter: FILTER }],
    ['the upstream', { upstream: true }],
  ])('that is not all there is inside has no name, and %s does not help', (_what, how) => {
    expect(codeOf(narrowed(how, '', { ids }))).toBe('narrowing_unavailable')
  })

  test('a query holds 6 KiB, and one character more is refused, or left to what cuts beside it', () => {
    expect(MAX_QUERY_LENGTH).toBe(6144)
    const [fits, over] = [
      ['x'.repeat(3000), 'y'.repeat(3143)],
      ['x'.repeat(3000), 'y'.repeat(3144)],
    ]
    expect(narrowed({ query: 'id' }, '', { ids: fits, name: NAME })).toEqual({
      header: NAME,
      target: `/v1/workspaces?id=${fits.join(',')}`,
      filter: undefined,
    })
    expect(narrowed({ query: 'id' }, '', { ids: over, name: NAME })).toEqual({
      code: 'narrowing_unavailable',
      why: 'more ids than a query holds',
    })
    expect(narrowed({ query: 'id', filter: FILTER }, 'a=1', { ids: over, name: NAME })).toEqual({
      header: NAME,
      target: undefined,
      filter: { ...FILTER, visible: new Set(over) },
    })
  })

  test('a query is measured as it is sent: percent-encoded', () => {
    const ids = Array.from({ length: 200 }, (_, i) => `é${i}`)
    // two bytes of three characters each for the letter
    const long = [...ids, ...Array.from({ length: 500 }, (_, i) => `é${i + 200}`)]
    expect(codeOf(narrowed({ query: 'id' }, '', { ids, name: NAME }))).toBe('narrowed')
    expect(long.join(',').length).toBeLessThan(MAX_QUERY_LENGTH)
    expect(codeOf(narrowed({ query: 'id' }, '', { ids: long, name: NAME }))).toBe('narrowing_unavailable')
    expect(
      codeOf(narrowed({ query: 'id' }, `id=${long.map(encodeURIComponent).join(',')}`, { ids: long, name: NAME })),
    ).toBe('narrowing_unavailable')
  })

  test('150 UUIDs fit a query', () => {
    const uuids = Array.from({ length: 150 }, (_, i) => `0b6c4d2e-7f31-4a6b-9d8e-${String(i).padStart(12, '0')}`)
    expect(narrowed({ query: 'id' }, '', { ids: uuids, name: NAME })).toMatchObject({
      target: `/v1/workspaces?id=${uuids.join(',')}`,
    })
  })

  test('4 KiB is listed, one byte more is named', () => {
    expect(MAX_VISIBLE_LENGTH).toBe(4096)
    const [fits, over] = [
      ['x'.repeat(2000), 'y'.repeat(2095)],
      ['x'.repeat(2000), 'y'.repeat(2096)],
    ]
    expect(narrowed({ upstream: true }, '', { ids: fits, name: NAME })).toMatchObject({ header: fits.join(',') })
    expect(narrowed({ upstream: true }, '', { ids: over, name: NAME })).toMatchObject({ header: NAME })
  })
})

test.each([
  ['short parameters', 'a&'.repeat(7_500)],
  ['encoded parameters', '%61&'.repeat(3_750)],
  ['parameters that are not UTF-8', '%ff&'.repeat(3_750)],
  ['parameters to fold', '%EF%AC%81&'.repeat(1_500)],
  ['brackets', `id${'['.repeat(14_000)}=x`],
  ['values inside a large set', `id=${'w-9999,'.repeat(2_000)}w-9999`],
])('15,000 characters of %s do not hold up the process', (_what, query) => {
  const ids = Array.from({ length: 10_000 }, (_, i) => `w-${i}`)
  const work = () => narrowed({ query: 'id', upstream: true }, query, { ids, name: NAME })
  expect(leastCpuMs(work)).toBeLessThan(50)
})
