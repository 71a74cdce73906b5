import { describe, expect, test } from 'vitest'
import type { Index } from '../../src/core/decide.ts'
import type { LimitFailure } from '../../src/core/limit.ts'
import { buildTree } from '../../src/core/namespace.ts'
import type { CheckRequest } from '../../src/core/request.ts'
import { makeCheck, type Spending } from '../../src/enforce/check.ts'
import { aKey, anApi, anIndex, aRate, aRequest, NOON } from '../support/make.ts'

const request: CheckRequest = {
  method: 'GET',
  target: '/v1',
  hosts: ['api.example.com'],
  headers: [],
  address: undefined,
  requestId: 'r',
  pin: undefined,
  ability: { removal: true, query: true, filter: true },
}

const limiter = { spend: () => ({ ok: true as const, left: [] }) }
const nothing = () => undefined

test('before anything is in force every check is 503, never a yes and never a no', () => {
  const check = makeCheck({ index: () => undefined, limiter, nowUs: () => 0, note: nothing })
  expect(check(request)).toMatchObject({ kind: 'deny', code: 'unavailable' })
})

test('a defect while deciding is 503, is noted, and is no exception for the listener', () => {
  const noted: string[] = []
  const broken: Index = {
    findKey: () => undefined,
    tree: buildTree([]).tree,
    hosts: {
      find: () => {
        throw new TypeError('a defect')
      },
      pinned: () => undefined,
    },
  }
  const note = (_: CheckRequest, verdict: { kind: string }) => {
    noted.push(verdict.kind)
  }
  const check = makeCheck({ index: () => broken, limiter, nowUs: () => 0, note })
  expect(check(request)).toMatchObject({ kind: 'deny', code: 'unavailable' })
  expect(noted).toEqual(['deny'])
})

describe('a limiter that can not be asked', () => {
  const key = aKey({ limits: [aRate()] })
  const index = anIndex({ apis: [anApi({ limitFailure: 'closed' })], keys: [key] })
  const asking = (spend: () => Spending | Promise<Spending>) =>
    makeCheck({ index: () => index, limiter: { spend }, nowUs: () => NOON * 1000, note: nothing })(aRequest({ key }))

  test('is 503, at once and later', async () => {
    expect(asking(() => undefined)).toMatchObject({ kind: 'deny', code: 'unavailable' })
    expect(await asking(async () => undefined)).toMatchObject({ kind: 'deny', code: 'unavailable' })
    expect(await asking(() => Promise.reject(new Error('gone')))).toMatchObject({ kind: 'deny', code: 'unavailable' })
  })

  test("is told what the API's manifest says of that", () => {
    const told: unknown[] = []
    const limiter = {
      spend: (_: string, __: unknown, failure: LimitFailure) => {
        told.push(failure)
        return undefined
      },
    }
    makeCheck({ index: () => index, limiter, nowUs: () => NOON * 1000, note: nothing })(aRequest({ key }))
    expect(told).toEqual(['closed'])
  })
})
