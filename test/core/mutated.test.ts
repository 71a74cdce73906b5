/** Damaged requests straight into the decision: it never throws, and what it allows may be read in no forbidden way. */
import { expect, test } from 'vitest'
import { decide } from '../../src/core/decide.ts'
import { asCheckRequest, asSeen, couldArrive, inProcess } from '../corpus/in-process.ts'
import { makeMutator } from '../corpus/mutate.ts'
import { wrongs } from '../corpus/oracle.ts'

const SEED = 20_261_122
const COUNT = 10_000

test('10,000 damaged requests never make the decision throw, and none gets past it', () => {
  const { index, credentials } = inProcess()
  const mutated = makeMutator(credentials)
  const answers = new Map<string, number>()
  const failures: string[] = []
  for (let i = 0; i < COUNT; i++) {
    const bytes = mutated(SEED, i)
    const request = asCheckRequest(bytes)
    try {
      const ruling = decide(request, index, 1_800_000_000_000)
      const answer = ruling.kind === 'deny' ? ruling.code : ruling.kind
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
      const found =
        ruling.kind === 'allow' && couldArrive(request) ? wrongs(asSeen(request, ruling), bytes, credentials) : []
      if (found.length > 0) failures.push(`seed ${SEED}, request ${i}: ${found.join('; ')}\n${JSON.stringify(bytes)}`)
    } catch (error) {
      failures.push(`seed ${SEED}, request ${i}: ${String(error)}\n${JSON.stringify(bytes)}`)
    }
  }
  expect(failures).toEqual([])
  // a generator whose requests all fall at the first hurdle would prove nothing
  expect(answers.get('allow')).toBeGreaterThan(COUNT / 20)
  for (const code of [
    'ambiguous_path',
    'ambiguous_request',
    'ambiguous_credential',
    'missing_permission',
    'no_route',
  ]) {
    expect(answers.get(code), code).toBeGreaterThan(COUNT / 200)
  }
})
