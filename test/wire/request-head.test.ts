import { expect, test } from 'vitest'
import { readRequestHead } from '../../src/sidecar/request-head.ts'
import { leastCpuMs } from '../support/cpu-time.ts'

const names = (line: number): string => Array.from({ length: 40 }, (_, i) => `${i}${line}`).join(',')

test('a head full of Connection headers is read in the time of its length', () => {
  const raw = Array.from({ length: 96 }, (_, line) => ['Connection', names(line)]).flat()
  const [head] = [readRequestHead(['Host', 'a.test', ...raw, '395', 'x', 'kept', 'y'])]
  expect('bad' in head ? head.bad : head.seen).toEqual(expect.arrayContaining(['kept']))
  expect('bad' in head ? head.bad : head.seen).not.toContain('395')
  expect(leastCpuMs(() => readRequestHead(raw))).toBeLessThan(4)
})
