/** Observe, plan, carry out: what is written, in which order, and what trouble leaves behind. */
import { describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import type { KeyPort } from '../../src/operator/key-port.ts'
import type { ApiKeyStatus } from '../../src/resources/key-status.ts'
import { fakeHome } from '../support/fake-key-port.ts'
import { aRun, once, REF } from './crash-scenarios.ts'
import { aClaim, anApiKey, DAY, HOUR, NOON, somePeople } from './make.ts'

const troubleOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof Trouble ? [error.code, error.fate] : error),
  )

/** The port, with the names of what is called. */
function listened(port: KeyPort): { readonly port: KeyPort; readonly calls: string[] } {
  const calls: string[] = []
  const heard =
    <A extends readonly unknown[], R>(name: string, act: (...args: A) => R) =>
    (...args: A): R => {
      calls.push(name)
      return act(...args)
    }
  const listening: KeyPort = {
    observe: port.observe,
    writeSecret: heard('writeSecret', port.writeSecret),
    openAttempt: async (opening) => {
      calls.push('openAttempt')
      const attempt = await port.openAttempt(opening)
      return {
        storeDigest: heard('storeDigest', attempt.storeDigest),
        deliver: heard('deliver', attempt.deliver),
        confirm: heard('confirm', attempt.confirm),
      }
    },
    tombstone: heard('tombstone', port.tombstone),
    remove: heard('remove', port.remove),
    denyClaim: heard('denyClaim', port.denyClaim),
    report: heard('report', port.report),
  }
  return { port: listening, calls }
}

const reported = async (port: KeyPort): Promise<ApiKeyStatus> =>
  (await port.observe(REF)).reported.whole as ApiKeyStatus

describe('reconcile', () => {
  test('a first hand-over stores before it delivers, delivers before it confirms, and reports last', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey(), 'uid-1')
    const { port, calls } = listened(run.home.port())
    await once(run, port)
    expect(calls).toEqual(['openAttempt', 'storeDigest', 'deliver', 'confirm', 'report'])
  })

  test('what is settled is only looked at', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey(), 'uid-1')
    await once(run)
    const { port, calls } = listened(run.home.port())
    await once(run, port)
    expect(calls).toEqual([])
  })

  test('a regeneration kills the old secret before anything else', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey(), 'uid-1')
    await once(run)
    run.home.declare(anApiKey({ regenerate: 1 }), 'uid-1')
    const { port, calls } = listened(run.home.port())
    await once(run, port)
    expect(calls).toEqual(['writeSecret', 'openAttempt', 'storeDigest', 'deliver', 'confirm', 'report'])
  })

  test('the winner is served before the others are denied', async () => {
    const home = fakeHome()
    const run = aRun(home)
    home.receive('nothing')
    home.declare(anApiKey(), 'uid-1')
    for (const name of ['first', 'second']) home.claim(aClaim(name))
    const { port, calls } = listened(home.port())
    await once(run, port)
    expect(calls).toEqual(['openAttempt', 'storeDigest', 'deliver', 'confirm', 'denyClaim', 'report'])
  })

  test('the writing that stores a version for a claim says how far its claimant goes', async () => {
    const home = fakeHome()
    const run = aRun(home)
    const asked = { generation: 1, spec: { permissions: ['a:b'] } }
    const capOf = (...places: readonly string[]) => ({ held: ['a:b'], within: { 'a:b': places } })
    const openings: unknown[] = []
    const port: KeyPort = {
      ...home.port(),
      observe: async (ref) => ({
        ...(await home.port().observe(ref)),
        people: somePeople({ cap: capOf('eu', 'us') }),
        granting: { asked, last: { ...asked, cap: capOf('eu', 'us') } },
      }),
      openAttempt: (opening) => {
        openings.push(opening.grant)
        return home.port().openAttempt(opening)
      },
    }
    home.receive('nothing')
    home.declare(anApiKey(), 'uid-1')
    await once(run, port)
    home.claim(aClaim('first', { cap: capOf('us') }))
    await once(run, port)
    expect(openings).toEqual([{ ...asked, cap: capOf('us') }])
  })

  test('it says when to look again', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey({ expiresAt: NOON + 30 * DAY }), 'uid-1')
    expect(await once(run)).toBe(NOON + 23 * DAY)
  })

  test('an ApiKey that is not there needs nothing', async () => {
    const run = aRun(fakeHome())
    expect(await once(run)).toBeUndefined()
  })
})

describe('a key of the same name that is gone', () => {
  const full = new Trouble('kube_too_large', 'wait')

  test('keeps its digests where its key ID can not be written down, and the new one is registered, handed over and told all the same', async () => {
    const home = fakeHome()
    const run = aRun(home)
    home.declare(anApiKey(), 'uid-1')
    await once(run)
    home.declare(anApiKey(), 'uid-2')
    const port: KeyPort = { ...home.port(), tombstone: () => Promise.reject(full) }
    expect(await troubleOf(once(run, port))).toEqual(['kube_too_large', 'wait'])
    expect(home.secretOf('uid-1')?.current?.version, 'or its key ID could be imported').toBe(1)
    expect(home.secretOf('uid-2')?.current?.claimedBy).toBe('standalone')
    expect((await reported(port)).phase).toBe('Active')
    await once(run)
    expect([home.secretOf('uid-1'), home.secretOf('uid-2')?.current?.version]).toEqual([undefined, 1])
  })

  test('is left behind where that fails, and the others of the name are cleared away', async () => {
    const home = fakeHome()
    const run = aRun(home)
    for (const uid of ['uid-1', 'uid-2']) {
      home.declare(anApiKey(), uid)
      await once(run, { ...home.port(), tombstone: () => Promise.reject(full) }).catch(() => {})
    }
    const spoilt = home.secretOf('uid-1')?.keyId
    home.withdraw(REF)
    const port: KeyPort = {
      ...home.port(),
      tombstone: (keyId, uid) => (keyId === spoilt ? Promise.reject(full) : home.port().tombstone(keyId, uid)),
    }
    expect(await troubleOf(once(run, port))).toEqual(['kube_too_large', 'wait'])
    expect([home.secretOf('uid-1')?.keyId, home.secretOf('uid-2')]).toEqual([spoilt, undefined])
  })
})

describe('trouble', () => {
  const failing = (port: KeyPort, code: string): KeyPort => ({
    ...port,
    openAttempt: async (opening) => ({
      ...(await port.openAttempt(opening)),
      deliver: async () => {
        throw new Trouble(code, 'retry')
      },
    }),
  })

  test('a hand-over that fails leaves the old secret in force, says so, and goes on to be tried', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey({ overlapMs: HOUR }), 'uid-1')
    await once(run)
    const before = run.home.secretOf('uid-1')?.current?.digest
    run.home.declare(anApiKey({ overlapMs: HOUR, regenerate: 1 }), 'uid-1')
    const trouble = await troubleOf(once(run, failing(run.home.port(), 'new_keys_unwritable')))
    expect(trouble).toEqual(['new_keys_unwritable', 'retry'])
    expect(run.home.secretOf('uid-1')?.previous).toEqual({ version: 1, digest: before, validUntil: undefined })
    const { phase, conditions } = await reported(run.home.port())
    expect([phase, conditions.find(({ type }) => type === 'Claimed')?.reason]).toEqual(['Active', 'HandOverFailed'])
    await once(run)
    expect((await reported(run.home.port())).conditions.map(({ reason }) => reason)).not.toContain('HandOverFailed')
    expect(run.home.lines()).toHaveLength(2)
  })

  test('who lost to another attempt says nothing about the key', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey(), 'uid-1')
    await troubleOf(once(run, failing(run.home.port(), 'taken_over')))
    expect(await reported(run.home.port())).toBeUndefined()
  })

  test('trouble that can not even be reported is still the trouble that is told', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey(), 'uid-1')
    const port = {
      ...failing(run.home.port(), 'disk_full'),
      report: () => Promise.reject(new Trouble('also', 'retry')),
    }
    expect(await troubleOf(once(run, port))).toEqual(['disk_full', 'retry'])
  })

  test('a port that never settles is given up for now', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey(), 'uid-1')
    const { port, calls } = listened(run.home.port())
    const forgetful = { ...port, writeSecret: async () => '1' }
    run.home.receive('nothing')
    expect(await troubleOf(once(run, forgetful))).toEqual(['unsettled', 'retry'])
    expect(calls).toEqual([])
  })

  test('two reconciles of one key at a time hand it over once each at most, and end with one secret that works', async () => {
    const run = aRun(fakeHome())
    run.home.declare(anApiKey(), 'uid-1')
    const outcomes = await Promise.all([troubleOf(once(run)), troubleOf(once(run))])
    await once(run)
    expect(outcomes).toContain('none')
    expect(run.home.premature()).toEqual([])
    expect(run.home.secretOf('uid-1')?.current?.version).toBe(1)
  })
})
