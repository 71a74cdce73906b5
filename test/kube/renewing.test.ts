/** What is compiled as a whole, by a clock that the test turns. */
import { expect, test } from 'vitest'
import { makeRenewing } from '../../src/kube/renewing.ts'
import { until } from '../support/until.ts'

function counted(takesMs: number) {
  let [now, compiled, told] = [0, 0, 0]
  const compile = () => {
    now += takesMs
    return ++compiled
  }
  const renewing = makeRenewing(
    compile,
    () => now,
    () => told++,
  )
  return { renewing, compiled: () => compiled, told: () => told }
}

const aTurn = () => new Promise((resolve) => setImmediate(resolve))

test('nothing is compiled before the first time, whatever changes', async () => {
  const { renewing, compiled } = counted(0)
  renewing.changed()
  await aTurn()
  expect([renewing.current(), compiled()]).toEqual([undefined, 0])
})

test('many changes of one moment are one compilation, and it is told once it is in force', async () => {
  const { renewing, compiled, told } = counted(0)
  renewing.renew()
  expect([renewing.current(), told()]).toEqual([1, 0])
  for (let i = 0; i < 100; i++) renewing.changed()
  expect(renewing.current()).toBe(1)
  await aTurn()
  expect([renewing.current(), compiled(), told()]).toEqual([2, 2, 1])
})

test('what takes long rests nine times as long before it is done again, and is done then', async () => {
  const { renewing, compiled, told } = counted(20)
  renewing.renew()
  const began = performance.now()
  renewing.changed()
  await aTurn()
  expect(compiled()).toBe(1)
  await until('it is compiled again', () => told() === 1)
  expect(performance.now() - began).toBeGreaterThanOrEqual(179)
  expect(compiled()).toBe(2)
})
