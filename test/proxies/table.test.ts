/** One table through every proxy: equal status, code, body and headers, except where a difference is stated. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { STARTERS } from './fronts/all.ts'
import { FRONTS, type Front } from './fronts/front.ts'
import { CASES, PEOPLE_CASES } from './table/cases.ts'
import { expectedOf } from './table/differences.ts'
import { judge } from './table/judge.ts'
import { startPeople } from './table/people.ts'
import { sentOf } from './table/send.ts'
import { type Source, startSource } from './table/source.ts'

const ASKED = ['asked-as-envoy', 'asked-as-nginx', 'traefik'] as const

describe.each([
  ['checks by keyward authz', () => startSource('authz'), CASES, FRONTS],
  ['checks by keyward standalone', () => startSource('standalone'), CASES, ASKED],
  ['about the people behind keys', startPeople, PEOPLE_CASES, FRONTS],
] as const)('%s', (_what, startSourceOf, cases, fronts) => {
  let source: Source

  beforeAll(async () => {
    source = await startSourceOf()
  })
  // undefined where it did not start
  afterAll(() => source?.stop())

  describe.each(fronts)('%s', (name) => {
    let front: Front

    beforeAll(async () => {
      front = await STARTERS[name](source.behind)
    })
    afterAll(() => front?.stop())

    test.each(cases.map((one) => [one.name, one] as const))('%s', async (_case, one) => {
      const sent = sentOf(one, name, source.credential)
      for (let i = 0; i < (one.before ?? 0); i++) await front.send(sent)
      const got = await front.send(sent)
      judge({ one, front: name, source, sent, got }, expectedOf(one, name))
    })
  })
})
