/** Two processes that both think they lead: one stands still before one of its writes, the other brings the key to its end meanwhile. */
import { expect } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import type { KeyPort } from '../../src/operator/key-port.ts'
import { once, REF, type Run } from '../operator/crash-scenarios.ts'
import { type ClusterHome, digestOfLine } from './cluster-home.ts'
import { type Paused, pausedBefore } from './stopped-client.ts'

export type Contest = {
  readonly run: Run<ClusterHome>
  /** Which write the first one stands still before. */
  readonly write: number
  /** Which write the other one stands still before, until the first has come to its end; undefined: it goes through. */
  readonly secondWrite?: number
  /** Done by somebody else while the first stands still. */
  readonly meanwhile?: () => Promise<void>
  /** How the other one begins: with what it knew before, or with all that is there. */
  readonly other: 'knew it before' | 'comes new'
}

/** Tries again after having lost, as the queue does. */
async function persist(run: Run, port: KeyPort): Promise<void> {
  for (let i = 0; i < 8; i++) {
    try {
      await once(run, port)
      return
    } catch (error) {
      if (!(error instanceof Trouble) || error.fate !== 'retry') throw error
    }
  }
  throw new Error('it never settled')
}

/** It may lose, to whatever it loses. */
const orLose = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => (error instanceof Trouble ? undefined : Promise.reject(error)))

/** A leader that stands still before one of its writes. */
async function slowLeader(home: ClusterHome, write: number) {
  const made: Paused[] = []
  const leader = await home.leader((client) => {
    const paused = pausedBefore(client, write)
    made.push(paused)
    return paused.client
  })
  const [paused] = made
  if (paused === undefined) throw new Error('a leader without a client')
  return { ...leader, paused }
}

/** Until it stands still, or has come to its end: then false. */
const stands = (paused: Paused, work: Promise<unknown>): Promise<boolean> =>
  Promise.race([paused.reached.then(() => true), work.then(() => false)])

/** @returns whether the first one had such a write */
export async function contest({ run, write, secondWrite, meanwhile, other }: Contest): Promise<boolean> {
  const { home } = run
  const secondOne = () => slowLeader(home, secondWrite ?? Number.POSITIVE_INFINITY)
  const first = await slowLeader(home, write)
  const knowing = other === 'knew it before' ? await secondOne() : undefined
  const firstWork = orLose(once(run, first.port))
  const stood = await stands(first.paused, firstWork)
  if (stood) await meanwhile?.()
  const second = knowing ?? (await secondOne())
  const secondWork = secondWrite === undefined ? persist(run, second.port) : orLose(once(run, second.port))
  await stands(second.paused, secondWork)
  first.paused.goOn()
  await firstWork
  second.paused.goOn()
  await secondWork
  const third = await home.leader()
  await persist(run, third.port)
  for (const { stop } of [first, second, third]) await stop()
  return stood
}

/** One key, one record of it, and what was handed out is what is stored. */
export async function onlyTheStoredOneWasDelivered(home: ClusterHome, most = 1): Promise<void> {
  const secrets = await home.digestSecrets()
  expect(secrets.length, 'one digest Secret').toBe(1)
  const { uid = '' } = (await home.find(REF)) ?? {}
  const stored = (await home.secretOf(uid))?.current
  expect(stored?.claimedAt, 'it is confirmed').toBeDefined()
  const delivered = (await home.lines()).map(digestOfLine)
  expect(delivered, 'nothing is delivered that is not stored').toEqual(delivered.map(() => stored?.digest))
  expect(delivered.length).toBeLessThanOrEqual(most)
}
