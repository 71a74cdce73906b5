/** Lives of a key, each with one change in it; a crash may come between any two calls of the port while it is carried out. */
import { expect } from 'vitest'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import type { KeyPort } from '../../src/operator/key-port.ts'
import { inForceAt } from '../../src/operator/plan.ts'
import { reconcile } from '../../src/operator/reconcile.ts'
import type { ApiKeySpec } from '../../src/resources/api-key.ts'
import type { Home } from '../contract/key-port.contract.ts'
import { aDigest, aKeyId, anApiKey, DAY, HOUR, IMPORTED, NOON, WORKLOAD } from './make.ts'

export const REF = { namespace: 'default', name: 'main' }

/** Everything of one run that is not the home. */
export type Run<H extends Home = Home> = {
  readonly home: H
  now: number
  drawn: number
}

export type Scenario = {
  readonly name: string
  /** What is there before, settled. */
  readonly before: (run: Run) => Promise<void>
  /** What happens then. */
  readonly change: (run: Run) => void | Promise<void>
  /** What must be so in the end, besides the promises. */
  readonly after: (run: Run) => void | Promise<void>
}

const declare = async ({ home }: Run, spec: Partial<ApiKeySpec>, uid = 'uid-1'): Promise<void> =>
  home.declare(anApiKey(spec), uid)

const versions = async ({ home }: Run): Promise<readonly (number | undefined)[]> => {
  const secret = await home.secretOf('uid-1')
  return [secret?.current?.version, secret?.previous?.version]
}

const settledWith =
  (spec: Partial<ApiKeySpec>) =>
  async (run: Run): Promise<void> => {
    await declare(run, spec)
    await settle(run)
  }

const regenerated =
  (regenerate: number, overlapMs: number) =>
  async (run: Run): Promise<void> => {
    run.now += HOUR
    await declare(run, { regenerate, overlapMs })
  }

const every = { delivery: WORKLOAD, rotation: { everyMs: DAY } }

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a first hand-over',
    before: async () => {},
    change: (run) => declare(run, {}),
    after: async (run) => expect(await versions(run)).toEqual([1, undefined]),
  },
  {
    name: 'a key without a recipient',
    before: async ({ home }) => home.receive('nothing'),
    change: (run) => declare(run, {}),
    after: async (run) => expect(await versions(run)).toEqual([undefined, undefined]),
  },
  {
    name: 'a recipient for a key that waits',
    before: async (run) => {
      await run.home.receive('nothing')
      await settledWith({})(run)
    },
    change: ({ home }) => home.receive('everything'),
    after: async (run) => expect(await versions(run)).toEqual([1, undefined]),
  },
  {
    name: 'a regeneration without overlap',
    before: settledWith({}),
    change: regenerated(1, 0),
    after: async (run) => expect(await versions(run)).toEqual([2, undefined]),
  },
  {
    name: 'a regeneration with overlap',
    before: settledWith({}),
    change: regenerated(1, 2 * HOUR),
    after: async (run) => expect(await versions(run)).toEqual([2, 1]),
  },
  {
    name: 'a regeneration within an overlap',
    before: async (run) => {
      await settledWith({})(run)
      await regenerated(1, 9 * HOUR)(run)
      await settle(run)
    },
    change: regenerated(2, 9 * HOUR),
    after: async (run) => expect(await versions(run)).toEqual([3, 2]),
  },
  {
    name: 'a regeneration without overlap within an overlap',
    before: async (run) => {
      await settledWith({})(run)
      await regenerated(1, 9 * HOUR)(run)
      await settle(run)
    },
    change: regenerated(2, 0),
    after: async (run) => expect(await versions(run)).toEqual([3, undefined]),
  },
  {
    name: 'the end of an overlap',
    before: async (run) => {
      await settledWith({})(run)
      await regenerated(1, HOUR)(run)
      await settle(run)
    },
    change: (run) => {
      run.now += 2 * HOUR
    },
    after: async (run) => expect(await versions(run)).toEqual([2, undefined]),
  },
  {
    name: 'a rotation with overlap',
    before: settledWith({ ...every, overlapMs: HOUR }),
    change: (run) => {
      run.now += DAY
    },
    after: async (run) => expect(await versions(run)).toEqual([2, 1]),
  },
  {
    name: 'a rotation without overlap',
    before: settledWith(every),
    change: (run) => {
      run.now += DAY
    },
    after: async (run) => expect(await versions(run)).toEqual([2, undefined]),
  },
  {
    name: 'a regeneration while the key is suspended, and its end',
    before: async (run) => {
      await settledWith({})(run)
      await declare(run, { regenerate: 1, state: 'Suspended' })
      await settle(run)
      expect(await versions(run)).toEqual([undefined, undefined])
    },
    change: (run) => declare(run, { regenerate: 1 }),
    after: async (run) => expect(await versions(run)).toEqual([2, undefined]),
  },
  {
    name: 'an import',
    before: async () => {},
    change: (run) => declare(run, { delivery: IMPORTED }),
    after: async (run) => expect(await versions(run)).toEqual([1, undefined]),
  },
  {
    name: 'an import whose digest is replaced',
    before: settledWith({ delivery: IMPORTED }),
    change: (run) => declare(run, { delivery: { ...IMPORTED, digest: aDigest('b') } }),
    after: async (run) => {
      expect(await versions(run)).toEqual([2, undefined])
      expect((await run.home.secretOf('uid-1'))?.current?.digest).toBe('b'.repeat(64))
    },
  },
  {
    name: 'an import whose digest is replaced with overlap, and again',
    before: async (run) => {
      await settledWith({ delivery: IMPORTED, overlapMs: HOUR })(run)
      await declare(run, { delivery: { ...IMPORTED, digest: aDigest('b') }, overlapMs: HOUR })
      await settle(run)
    },
    change: (run) => declare(run, { delivery: IMPORTED, overlapMs: HOUR }),
    after: async (run) => {
      expect(await versions(run)).toEqual([3, 2])
      expect((await run.home.secretOf('uid-1'))?.current?.digest).toBe('a'.repeat(64))
    },
  },
  {
    name: 'a revocation',
    before: settledWith({ delivery: IMPORTED }),
    change: (run) => declare(run, { delivery: IMPORTED, state: 'Revoked' }),
    after: async (run) => expect(await versions(run)).toEqual([1, undefined]),
  },
  {
    name: 'a deletion',
    before: settledWith({}),
    change: ({ home }) => home.withdraw(REF),
    after: async ({ home }) => expect(await home.secretOf('uid-1')).toBeUndefined(),
  },
  {
    name: 'an import that was deleted and is tried again',
    before: settledWith({ delivery: IMPORTED }),
    change: async (run) => {
      await run.home.withdraw(REF)
      await declare(run, { delivery: IMPORTED }, 'uid-2')
    },
    after: async ({ home }) =>
      expect([await home.secretOf('uid-1'), await home.secretOf('uid-2')]).toEqual([undefined, undefined]),
  },
  {
    name: 'a key that was deleted and made again',
    before: settledWith({}),
    change: async (run) => {
      await run.home.withdraw(REF)
      await declare(run, {}, 'uid-2')
    },
    after: async ({ home }) =>
      expect([await home.secretOf('uid-1'), (await home.secretOf('uid-2'))?.current?.version]).toEqual([undefined, 1]),
  },
]

export const aRun = <H extends Home>(home: H): Run<H> => ({ home, now: NOON, drawn: 0 })

/** One reconcile, with time that goes on and bytes that never repeat. */
export function once(
  run: Run,
  port: KeyPort = run.home.port(),
  othersWait: () => boolean = () => false,
): Promise<number | undefined> {
  const nowMs = () => {
    run.now += 1
    return run.now
  }
  const random = (count: number) => {
    run.drawn += 1
    return new Uint8Array(count).map((_, i) => (run.drawn * 31 + i * 7 + (i % 3) * run.drawn) % 248)
  }
  return reconcile({ port, nowMs, random, othersWait }, REF)
}

export async function settle(run: Run): Promise<void> {
  await once(run)
}

/** What holds at every moment, crash or not: asked of what is kept, what is in force, and what was handed out. */
export async function promises(run: Run): Promise<void> {
  const { home, now } = run
  expect(await home.premature(), 'nothing is delivered that is not stored').toEqual([])
  const declared = await home.find(REF)
  const secret = declared && (await home.secretOf(declared.uid))
  if (declared === undefined || secret === undefined) return
  const lines = await home.lines()
  const handedOut = lines
    .filter(({ id }) => id === secret.keyId)
    .map(({ key }) => key)
    .map(digestOfText)
  const { current, previous } = inForceAt(declared, secret, now) ?? {}
  if (current?.claimedAt !== undefined && secret.origin === 'minted') {
    expect(handedOut.at(-1), 'the last that was handed out is the one that counts').toBe(current.digest)
  }
  if (previous !== undefined && secret.origin === 'minted') {
    expect(handedOut, 'a replaced secret that works is one that somebody has').toContain(previous.digest)
  }
  if (previous !== undefined) expect(previous.version, 'one secret per version').toBeLessThan(current?.version ?? 0)
  const { regenerate, overlapMs, delivery } = declared.apiKey.spec
  if (overlapMs === 0 && delivery.kind === 'claim' && current !== undefined) {
    expect(current.version, 'the old secret is dead as soon as the regeneration is seen').toBe(1 + regenerate)
  }
}

/** What holds once there is nothing left to do. */
export async function conclusions(run: Run): Promise<void> {
  const { home } = run
  await promises(run)
  const declared = await home.find(REF)
  const world = await home.port().observe(REF)
  expect(world.orphans, 'nothing is left of what is gone').toEqual([])
  expect(world.reported.whole === undefined, 'what is there has a status').toBe(declared === undefined)
  const bytes = (await home.bytes()).toString('latin1')
  const lines = await home.lines()
  for (const { secret, key } of lines) {
    expect(bytes.includes(secret) || bytes.includes(key), 'no plaintext lies anywhere').toBe(false)
  }
  const ids = new Set(lines.map(({ id }) => id))
  expect(ids.size, 'one key ID for one ApiKey').toBeLessThanOrEqual(new Set(['uid-1', declared?.uid]).size)
  for (const id of ids) expect(id).not.toBe(aKeyId('i'))
}

function digestOfText(text: string): string {
  const parsed = parseCredential(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}
