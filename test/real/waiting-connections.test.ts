/** A listener that closes takes those with it who are connected and were not taken yet: they have to be taken before. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { takeWaiting } from '../../src/runtime/waiting-connections.ts'
import { THREE_TRIALS } from '../support/trials.ts'

test('whoever is connected when a server stops is taken before it closes', THREE_TRIALS, async () => {
  const taken: Socket[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    taken.push(socket)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const callers = Array.from({ length: 50 }, () => connect(port, '127.0.0.1'))
  await Promise.all(callers.map((caller) => once(caller, 'connect')))
  // node takes one in each turn of its loop, and connecting many takes one turn
  expect(taken.length).toBeLessThan(callers.length)
  await takeWaiting(server)
  expect(taken.length).toBe(callers.length)
  for (const socket of [...callers, ...taken]) socket.destroy()
  server.close()
})
