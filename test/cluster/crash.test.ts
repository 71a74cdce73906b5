/** An operator that is killed at any moment leaves nothing that is wrong, and the next one makes it good. */
import { expect, test } from 'vitest'
import { parseCredential } from '../../src/core/credential.ts'
import { startCluster } from '../support/cluster.ts'
import type { Phase } from '../support/kill-proxy.ts'
import { type Killed, killedTogether } from '../support/killed-together.ts'
import { leaksOf } from '../support/leaks.ts'
import { type Life, SCENARIOS, startSuccession } from '../support/operator-crash.ts'
import { killRounds } from '../support/operator-kills.ts'

const PHASES: readonly Phase[] = ['before', 'during', 'after']
const MOST_WRITES = 12
const RANDOM_KILLS = 20
const CONVERGED_WITHIN_MS = 5000

const cluster = await startCluster()
const succession = await startSuccession(cluster)
const lives: Life[] = []

/** How many each plan has; more where a ConfigMap for tombstones is new, or the Secret of a workload is looked at once more. */
const WRITES: Readonly<Record<string, number>> = {
  'a key that is declared': 2,
  'a claim': 5,
  'a claim that comes too late': 1,
  'a Secret for a workload': 7,
  'another version in the Secret of a workload': 8,
  'a regeneration without overlap': 3,
  'an overlap that is cut short': 3,
  'an import': 2,
  'another digest that is imported': 3,
  'a revocation': 3,
  'a deletion': 3,
}

test.each(PHASES)('killed %s each write of each plan', { timeout: 300_000 }, async (phase) => {
  const kills: Killed[] = []
  for (let n = 0; n < MOST_WRITES; n++) {
    const killed = await killedTogether({ cluster, succession, lives }, { n, phase })
    if (killed.length === 0) break
    kills.push(...killed)
  }
  const writes = Map.groupBy(kills, ({ scenario }) => scenario)
  const counts = SCENARIOS.map(({ name }) => [name, writes.get(name)?.length ?? 0] as const)
  const slowest = Math.round(Math.max(...kills.map(({ convergedMs }) => convergedMs)))
  process.stdout.write(`operator killed ${phase} ${kills.length} writes: converged within ${slowest} ms\n`)
  expect(counts.filter(([name, count]) => count < (WRITES[name] ?? MOST_WRITES) || count >= MOST_WRITES)).toEqual([])
  expect(slowest).toBeLessThan(CONVERGED_WITHIN_MS)
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
