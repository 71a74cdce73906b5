/** Ten minutes of requests at the very moment at which the upstream closes idle connections: none of them is a 502. */
import { expect, test } from 'vitest'
import { race, SOAK, UPSTREAM_IDLE_MS } from '../corpus/keep-alive-race.ts'
import { startWorld } from '../corpus/world.ts'

const MINUTES = 10

test(SOAK, async () => {
  const world = await startWorld(UPSTREAM_IDLE_MS)
  try {
    const statuses = await race({
      port: world.port,
      key: world.credentials.KEY_OK ?? '',
      durationMs: MINUTES * 60_000,
    })
    expect([...statuses.keys()]).toEqual([200])
    expect(statuses.get(200)).toBeGreaterThan(MINUTES * 60 * 100)
  } finally {
    await world.stop()
  }
})
