/** A hundred thousand digests that are there before authz is. */
import { expect, test } from 'vitest'
import { measureAuthzScale } from '../support/authz-scale.ts'

const KEYS = 100_000

/** What is asked for. Where two processors are shared with an API server that needs longer for the lists alone, soon after these. */
const READY_S = 10
const AFTER_LISTS = 1.5

test('are all in force within 10 s of a start, or soon after bare lists could be, in 300 MiB', async () => {
  const { readyS, bareS, rssMiB, peakMiB, laterMiB, outcomes, inForce } = await measureAuthzScale(KEYS)
  const memory = [rssMiB, peakMiB, laterMiB].map((mib) => Math.round(mib))
  process.stdout.write(
    `authz, ${KEYS} digests: ready after ${readyS.toFixed(1)} s (the bare lists: ${bareS.toFixed(1)} s), ${memory[0]} MiB then, ${memory[1]} at most, ${memory[2]} later\n`,
  )
  expect(inForce).toBe(KEYS)
  expect(new Set(outcomes)).toEqual(new Set(['200']))
  expect(readyS).toBeLessThanOrEqual(Math.max(READY_S, bareS * AFTER_LISTS))
  expect(Math.max(rssMiB, laterMiB)).toBeLessThanOrEqual(300)
})
