/** The table is complete, and every difference that it states is one that there is, and stands in the pages for users. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DENIALS } from '../../src/core/denial.ts'
import { FRONTS, type FrontName } from './fronts/front.ts'
import { CASES, PEOPLE_CASES } from './table/cases.ts'
import { DIFFERENCES } from './table/differences.ts'
import { PROBLEMS } from './table/problems.ts'

const ALL = [...CASES, ...PEOPLE_CASES]
const namesOf = ALL.map(({ name }) => name)

/** Where users read of a front; those that are asked directly are emulations of what has a page. */
const PAGES: Readonly<Partial<Record<FrontName, string>>> = {
  keyward: 'index.md',
  'envoy-grpc': 'envoy.md',
  'envoy-http': 'envoy.md',
  nginx: 'nginx.md',
  caddy: 'caddy.md',
  haproxy: 'haproxy.md',
  traefik: 'traefik.md',
}

describe('the table', () => {
  test('has at least 120 cases, each under a name of its own', () => {
    expect(ALL.length).toBeGreaterThanOrEqual(120)
    expect(new Set(namesOf).size).toBe(ALL.length)
  })

  test('has every code of the decision table', () => {
    const codes = new Set(ALL.flatMap(({ expected }) => (expected.kind === 'denied' ? [expected.code] : [])))
    expect([...codes].sort()).toEqual(Object.keys(PROBLEMS).sort())
    // one is about the upstream's answer, the other about access tokens, which are not verified yet
    expect([...codes, 'filter_failed', 'token_expired'].sort()).toEqual(Object.keys(DENIALS).sort())
  })

  test.each([
    ['Bearer', (headers: string) => /^Authorization Bearer /i.test(headers)],
    ['X-API-Key', (headers: string) => /^X-API-Key /i.test(headers)],
    ['Basic', (headers: string) => /^Authorization Basic /i.test(headers)],
  ])('has %s among what is let in and among what is refused', (_carrier, carries) => {
    const own = ALL.filter(({ key, headers = [] }) =>
      carries([...(key === undefined ? [] : ['Authorization Bearer']), ...headers].join(' ').concat(' ')),
    )
    expect(new Set(own.map(({ expected }) => expected.kind))).toEqual(new Set(['allowed', 'denied']))
  })
})

describe('differences', () => {
  test('are of cases that there are', () => {
    const named = DIFFERENCES.flatMap((one) => ('cases' in one ? one.cases : []))
    expect(named.filter((name) => !namesOf.includes(name))).toEqual([])
  })

  test('give something else than the table, once for a case and a front', () => {
    const stated = DIFFERENCES.flatMap((one) =>
      'cases' in one ? one.fronts.flatMap((front) => one.cases.map((name) => `${front}: ${name}`)) : [],
    )
    expect(stated.filter((one, i) => stated.indexOf(one) !== i)).toEqual([])
    for (const one of DIFFERENCES) {
      if (!('cases' in one)) continue
      for (const { expected } of ALL.filter(({ name }) => one.cases.includes(name)))
        expect(expected).not.toEqual(one.gives)
    }
  })

  test('are few: nine of ten answers are the same everywhere', () => {
    const stated = DIFFERENCES.flatMap((one) => ('cases' in one ? one.fronts.flatMap(() => one.cases) : []))
    expect(stated.length).toBeLessThan((ALL.length * FRONTS.length) / 10)
  })

  test.each(Object.entries(PAGES).map(([front, page]) => [front, page] as const))(
    'of %s stand in docs/integrations/%s',
    (front, page) => {
      const path = join(import.meta.dirname, '../../docs/integrations', page)
      const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
      const keys = DIFFERENCES.filter(({ fronts }) => fronts.some((name) => name === front)).map(({ key }) => key)
      expect([...new Set(keys)].filter((key) => !text.includes(`\`${key}\``))).toEqual([])
    },
  )
})
