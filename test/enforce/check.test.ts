import { expect, test } from 'vitest'
import type { Index } from '../../src/core/decide.ts'
import { buildTree } from '../../src/core/namespace.ts'
import type { CheckRequest } from '../../src/core/request.ts'
import { makeCheck } from '../../src/enforce/check.ts'

const request: CheckRequest = {
  method: 'GET',
  target: '/v1',
  hosts: ['api.example.com'],
  headers: [],
  address: undefined,
  requestId: 'r',
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
    },
  }
  const note = (_: CheckRequest, verdict: { kind: string }) => {
    noted.push(verdict.kind)
  }
  const check = makeCheck({ index: () => broken, limiter, nowUs: () => 0, note })
  expect(check(request)).toMatchObject({ kind: 'deny', code: 'unavailable' })
  expect(noted).toEqual(['deny'])
})
