/** A set for members that come and go with every request. */
import { expect, test } from 'vitest'
import { type Placed, Places } from '../../src/runtime/places.ts'

const aMember = (): Placed => ({ place: -1 })

test('what was taken out is not there any more, and its place is the next one’s', () => {
  const places = new Places<Placed>()
  const [one, two, three] = [aMember(), aMember(), aMember()]
  places.add(one)
  places.add(two)
  places.remove(one)
  places.add(three)
  expect(places.all()).toEqual([three, two])
  expect([places.has(one), places.has(two), places.has(three)]).toEqual([false, true, true])
  expect(three.place).toBe(0)
})

test('what is taken out twice, or was never in, takes out nobody else', () => {
  const places = new Places<Placed>()
  const [one, another] = [aMember(), aMember()]
  places.add(one)
  places.remove(one)
  places.add(another)
  places.remove(one)
  places.remove(aMember())
  expect(places.all()).toEqual([another])
})
