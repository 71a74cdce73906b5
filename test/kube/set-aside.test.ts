/** What is said of objects that are set aside: each by its name, as long as that helps anybody. */
import { expect, test } from 'vitest'
import { makeSetAside } from '../../src/kube/set-aside.ts'

function noted() {
  const lines: string[] = []
  const say = ({ name = '' }: { name?: string }, message: string) => void lines.push(`${name} ${message}`.trim())
  const setAside = makeSetAside({ warn: say as never, info: say as never })
  return { lines, setAside }
}

test('an object is told of when it is set aside, when it is so for another reason, and when it is not any more', () => {
  const { lines, setAside } = noted()
  for (const problem of ['one', 'one', 'another', undefined, undefined]) setAside.note('ApiKey', 'a/b', problem)
  expect(lines).toEqual(['a/b set aside', 'a/b set aside', 'a/b not set aside any more'])
  expect([...setAside.byKind()]).toEqual([['ApiKey', 0]])
})

test('a thousand at once are twenty names and a count, when they come and when they go', () => {
  const { lines, setAside } = noted()
  const names = Array.from({ length: 1000 }, (_, i) => `team/key-${i}`)
  setAside.noteAll('ApiKey', new Map(names.map((name) => [name, 'broken'])))
  expect(setAside.size()).toBe(1000)
  expect(lines).toHaveLength(21)
  expect(lines.at(-1)).toBe('more are set aside; they are only counted')
  setAside.noteAll('ApiKey', new Map())
  expect(setAside.size()).toBe(0)
  expect(lines.slice(21)).toEqual(names.slice(0, 20).map((name) => `${name} not set aside any more`))
})
