/** No sentence of the seeds is forgotten: it is the name of a test, or said to be not yet true, or asks for nothing. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NO_BEHAVIOUR } from './no-behaviour.ts'
import { NOT_YET } from './not-yet.ts'
import { SEEDS, type Seed, sentencesOf } from './sentences.ts'

/** Names of tests and of groups of tests, as they stand in the files about a seed. */
function testedBy(seed: Seed): ReadonlySet<string> {
  const files = readdirSync(import.meta.dirname).filter((file) => file.startsWith(seed) && file.endsWith('.test.ts'))
  const sources = files.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
  const names = sources.flatMap((source) => [...source.matchAll(/^ *(?:test|describe)\(\s*(['"])(.*?)\1,/gm)])
  return new Set(names.map(([, , name = '']) => name))
}

describe.each(SEEDS)('%s', (seed) => {
  const sentences = sentencesOf(seed)
  const tested = testedBy(seed)
  const notYet = NOT_YET.filter((entry) => entry.seed === seed).map(({ sentence }) => sentence)
  const none = NO_BEHAVIOUR[seed]

  test('every sentence is tested, not yet true, or asks for nothing', () => {
    const accounted = new Set([...tested, ...notYet, ...none])
    expect(sentences.filter((sentence) => !accounted.has(sentence))).toEqual([])
  })

  test('what is listed stands in the text, word for word and once', () => {
    expect([...notYet, ...none].filter((sentence) => !sentences.includes(sentence))).toEqual([])
    expect(new Set(notYet).size).toBe(notYet.length)
  })

  test('nothing that asks for nothing is tested or listed as not yet true', () => {
    expect(none.filter((sentence) => tested.has(sentence) || notYet.includes(sentence))).toEqual([])
  })
})
