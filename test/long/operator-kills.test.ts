/** Three hundred kills of operators at random moments while much is under way. */
import { expect, test } from 'vitest'
import { startCluster } from '../support/cluster.ts'
import { type Life, startSuccession } from '../support/operator-crash.ts'
import { killRounds } from '../support/operator-kills.ts'

const KILLS = 300

test('leave nothing that is wrong', async () => {
  const cluster = await startCluster()
  const succession = await startSuccession(cluster)
  const lives: Life[] = []
  const { convergedMs, delivered, atWrites } = await killRounds({ cluster, succession, lives }, KILLS)
  process.stdout.write(
    `operator killed ${KILLS} times, ${atWrites} of them at a write: ${delivered} versions, converged within ${Math.round(convergedMs)} ms\n`,
  )
  expect(convergedMs).toBeLessThan(5000)
})
