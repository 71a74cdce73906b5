/** An operator that is killed at any moment leaves nothing that is wrong, and the next one makes it good. */
import { expect, test } from 'vitest'
import { parseCredential } from '../../src/core/credential.ts'
import { startCluster } from '../support/cluster.ts'
import type { Phase } from '../support/kill-proxy.ts'
import { leaksOf } from '../support/leaks.ts'
import { type Killed, killedOnce, type Life, SCENARIOS, startSuccession } from '../support/operator-crash.ts'
import { killRounds } from '../support/operator-kills.ts'

const PHASES: readonly Phase[] = ['before', 'during', 'after']
const MOST_WRITES = 12
const RANDOM_KILLS = 20
const CONVERGED_WITHIN_MS = 5000

const cluster = await startCluster()
const succession = await startSuccession(cluster)
const lives: Life[] = []

async function killedEverywhere(scenario: (typeof SCENARIOS)[number], phase: Phase): Promise<readonly Killed[]> {
  const kills: Killed[] = []
  for (let n = 0; n < MOST_WRITES; n++) {
    const life: Life = { name: `life-${lives.length}`, claims: [] }
    lives.push(life)
    const killed = await killedOnce({ cluster, succession, scenario }, life, { n, phase })
    if (killed === undefined) return kills
    kills.push(killed)
  }
  throw new Error('more writes than any plan has')
}

test.each(SCENARIOS)('killed once at every write of $name', { timeout: 300_000 }, async (scenario) => {
  const kills: Killed[] = []
  for (const phase of PHASES) kills.push(...(await killedEverywhere(scenario, phase)))
  expect(kills.length).toBeGreaterThanOrEqual(PHASES.length)
  expect(Math.max(...kills.map(({ convergedMs }) => convergedMs))).toBeLessThan(CONVERGED_WITHIN_MS)
})

test('killed at twenty random moments while much is under way', { timeout: 300_000 }, async () => {
  const { convergedMs, delivered, atWrites } = await killRounds({ cluster, succession, lives }, RANDOM_KILLS)
  process.stdout.write(`operator killed ${RANDOM_KILLS} times: converged within ${Math.round(convergedMs)} ms\n`)
  expect(convergedMs).toBeLessThan(CONVERGED_WITHIN_MS)
  expect([delivered > 20, atWrites > 5]).toEqual([true, true])
})

test('no plaintext is left behind but where its workload reads it', async () => {
  const dump = await cluster.etcdDump()
  const logs = Buffer.from(succession.output())
  let count = 0
  for (const { claims } of lives) {
    for (const one of claims) {
      const sealed = await one.peek()
      if (sealed === undefined) continue
      count += 1
      const credential = parseCredential(sealed.key)
      if (!credential.ok) throw new Error(credential.problem)
      expect([...leaksOf(credential.value, dump), ...leaksOf(credential.value, logs)]).toEqual([])
    }
  }
  expect(count).toBeGreaterThan(20)
})
