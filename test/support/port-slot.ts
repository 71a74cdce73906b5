/** A port offset that is free now and that no other test takes meanwhile. */
import { createServer, type Server } from 'node:net'

export type PortSlot = { readonly offset: number; readonly free: () => Promise<void> }

/** Ports of standalone, authz and operator at offset 0. */
const PORTS = [8080, 8088, 9000, 9001, 9090, 9443]
/** Nobody's port: who listens on it, at an offset, has that offset. */
const CLAIM = 8079
/** The distance of two of the ports above is never a multiple of this, so that two slots never meet. */
const STEP = 100
const FIRST = 2000
const SLOTS = 200

export async function takeSlot(): Promise<PortSlot> {
  const start = Math.floor(Math.random() * SLOTS)
  for (let i = 0; i < SLOTS; i++) {
    const offset = FIRST + ((start + i) % SLOTS) * STEP
    const claim = await listening(CLAIM + offset)
    if (claim === undefined) continue
    if (await allFree(offset)) return { offset, free: () => closed(claim) }
    await closed(claim)
  }
  throw new Error('no free port offset between 2000 and 21900')
}

/** Where somebody, by chance, took a port between the look and the start: another slot. */
export async function unlessPortsAreTaken<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start()
    } catch (error) {
      if (tries === 3 || !(error instanceof Error && error.message.includes('port taken'))) throw error
    }
  }
}

async function allFree(offset: number): Promise<boolean> {
  for (const port of PORTS) {
    const probe = await listening(port + offset)
    if (probe === undefined) return false
    await closed(probe)
  }
  return true
}

function listening(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1' }, () => resolve(server))
  })
}

const closed = (server: Server): Promise<void> => new Promise((resolve) => void server.close(() => resolve()))
