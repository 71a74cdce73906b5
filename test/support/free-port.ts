/** Ports of 127.0.0.1 that nobody uses and that no other test is given meanwhile. */
import { createServer, type Server } from 'node:net'
import { afterAll } from 'vitest'

/**
 * Ports are given out of hundreds. Who listens on the port CLAIM of a hundred has those from FIRST to LAST of it, which
 * are none of port-slot.ts (0, 1, 43, 48, 79, 80, 88, 90). All of them are below the range from which the system picks ports.
 */
const FIRST = 10
const LAST = 69
const CLAIM = 70
/** The webhooks of an operator, 9443 and some hundreds; that of `make cluster` is five above. */
const NOT_OURS = [43, 48]
const HUNDREDS = { from: 110, count: 190 }

let hundred: number | undefined
let next = FIRST
const claims: Server[] = []
afterAll(async () => {
  await Promise.all(claims.splice(0).map(closed))
  hundred = undefined
})

let last: Promise<unknown> = Promise.resolve()

/** Not given twice, not to other processes either, until the test file ends. */
export function freePort(): Promise<number> {
  // one after the other: who asks for many at once would claim a hundred for each
  const port = last.then(nextFree)
  last = port.catch(() => {})
  return port
}

async function nextFree(): Promise<number> {
  for (;;) {
    if (hundred === undefined || next > LAST) {
      hundred = await claimedHundred()
      next = FIRST
    }
    const port = hundred * 100 + next++
    if (NOT_OURS.includes(port % 100)) continue
    const probe = await listening(port)
    if (probe === undefined) continue
    await closed(probe)
    return port
  }
}

async function claimedHundred(): Promise<number> {
  const start = Math.floor(Math.random() * HUNDREDS.count)
  for (let i = 0; i < HUNDREDS.count; i++) {
    const candidate = HUNDREDS.from + ((start + i) % HUNDREDS.count)
    const claim = await listening(candidate * 100 + CLAIM)
    if (claim === undefined) continue
    claim.unref()
    claims.push(claim)
    return candidate
  }
  throw new Error('no free ports between 11000 and 29999')
}

function listening(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1' }, () => resolve(server))
  })
}

const closed = (server: Server): Promise<void> => new Promise((resolve) => void server.close(() => resolve()))
