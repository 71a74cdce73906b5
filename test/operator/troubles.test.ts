/** How often trouble is told. */
import { expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { makeTroubles } from '../../src/operator/troubles.ts'

test('the first of a kind is a line; what follows within ten seconds is a number in the next', () => {
  const lines: unknown[] = []
  const counted: string[] = []
  let now = 0
  const troubles = makeTroubles({
    log: { warn: (...line: readonly unknown[]) => lines.push(line) } as never,
    count: (code) => counted.push(code),
    steadyMs: () => now,
  })
  const gone = new Trouble('kube_unreachable', 'retry', new Error('no route'))
  troubles.note('a key is not where its manifest wants it', gone, { key: 'default/main' })
  troubles.note('a key is not where its manifest wants it', gone, { key: 'default/other' })
  troubles.note('the Lease can not be had or kept', gone)
  now = 11_000
  troubles.note('a key is not where its manifest wants it', gone, { key: 'default/third' })
  const told = { trouble: 'kube_unreachable', why: 'no route' }
  expect(lines).toEqual([
    [{ key: 'default/main', ...told }, 'a key is not where its manifest wants it'],
    [told, 'the Lease can not be had or kept'],
    [{ key: 'default/third', ...told, alsoSinceLastTold: 1 }, 'a key is not where its manifest wants it'],
  ])
  expect(counted.length).toBe(4)
})
