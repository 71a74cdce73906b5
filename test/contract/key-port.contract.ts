/** What the reconciler relies on, whoever keeps the keys: one meaning, every implementation. */
import { afterEach, describe, expect, test } from 'vitest'
import { composeCredential, type Digest, digestOf, type KeyId, RANDOM_BYTES } from '../../src/core/credential.ts'
import type { KeyRef } from '../../src/core/key-ref.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import { handedOver, minted } from '../../src/operator/change.ts'
import type { Attempt, KeyPort } from '../../src/operator/key-port.ts'
import type { Declared, Recipient, World } from '../../src/operator/world.ts'
import type { ApiKey } from '../../src/resources/api-key.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import { parseReported } from '../../src/resources/key-status.ts'
import { aDigest, aKeyId, anApiKey, aSecret, aVersion, HOUR, IMPORTED, NOON } from '../operator/make.ts'

export type Line = {
  readonly namespace: string
  readonly name: string
  readonly id: string
  readonly secret: string
  readonly key: string
}

type Later<T> = T | Promise<T>

/** Where keys are kept, with what a test may do to it from outside. */
export type Home = {
  /** Of the process that runs now. */
  readonly port: () => KeyPort
  readonly find: (ref: KeyRef) => Later<Declared | undefined>
  readonly secretOf: (uid: string) => Later<KeySecret | undefined>
  /** Declares an ApiKey, or changes it. */
  readonly declare: (apiKey: ApiKey, uid: string) => Later<void>
  /** Deletes an ApiKey. */
  readonly withdraw: (ref: KeyRef) => Later<void>
  /** Whether new versions have somebody to go to. */
  readonly receive: (receives: 'everything' | 'nothing') => Later<void>
  /** Somebody to whom a version of that key can be handed. */
  readonly recipient: (ref: KeyRef) => Later<Recipient>
  /** What is seen of a new key here and not everywhere. */
  readonly shows: Partial<World>
  /** What reached an owner, oldest first. */
  readonly lines: () => Later<readonly Line[]>
  /** Deliveries of a credential whose digest was not stored at that moment: there must be none. */
  readonly premature: () => Later<readonly string[]>
  /** Everything that lies on a disk, as it is; without the Secrets that hold a credential for a workload. */
  readonly bytes: () => Later<Buffer>
  /** The process is killed, and another one starts on what was durable. */
  readonly kill: () => Promise<void>
  readonly close: () => Promise<void>
}

/** One that answers at once. */
export type PromptHome = {
  readonly [Part in keyof Home]: Home[Part] extends (...args: infer Args) => infer Answer
    ? Part extends 'kill' | 'close'
      ? Home[Part]
      : (...args: Args) => Awaited<Answer>
    : Home[Part]
}

const REF = { namespace: 'default', name: 'main' }
const NOBODY = expect.objectContaining({ declared: undefined, held: undefined, orphans: [] })

const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  )

const credentialFor = (keyId: KeyId, byte: number) => composeCredential(keyId, new Uint8Array(RANDOM_BYTES).fill(byte))

export const keyPortContract = (name: string, fresh: () => Promise<Home>) =>
  describe(`key port contract: ${name}`, () => {
    const homes: Home[] = []

    const aHome = async (): Promise<Home> => {
      const home = await fresh()
      homes.push(home)
      await home.declare(anApiKey(), 'uid-1')
      return home
    }

    afterEach(async () => {
      for (const home of homes.splice(0)) await home.close()
    })

    const kept = async (home: Home): Promise<KeySecret | undefined> => {
      const { held } = await home.port().observe(REF)
      return held?.kind === 'read' ? held.secret : undefined
    }

    const open = async (home: Home, over: string | undefined): Promise<Attempt> => {
      const recipient = await home.recipient(REF)
      return await home.port().openAttempt({ ref: REF, uid: 'uid-1', over, recipient, grant: undefined })
    }

    test('a key of which nothing is kept shows nothing', async () => {
      const home = await aHome()
      expect(await home.port().observe(REF)).toEqual({
        declared: { uid: 'uid-1', generation: 1, apiKey: anApiKey() },
        held: undefined,
        orphans: [],
        claims: [],
        automatic: undefined,
        arrival: undefined,
        workloadSecret: undefined,
        granting: undefined,
        freshKeyId: expect.stringMatching(/^kw_prod_[0-9A-Za-z]{12}$/),
        people: { createdBy: 'standalone', cap: undefined, lost: [], unattested: undefined },
        taken: { keyId: undefined, digest: undefined },
        reported: parseReported(undefined),
        ...home.shows,
      })
    })

    test('an ApiKey that is not there shows nothing', async () => {
      const home = await aHome()
      expect(await home.port().observe({ namespace: 'default', name: 'other' })).toEqual(NOBODY)
    })

    test('what was written is there, and is still there after a kill', async () => {
      const home = await aHome()
      const secret = aSecret({
        previous: { version: 0 + 1, digest: aDigest('9'), validUntil: NOON + HOUR },
        current: aVersion(2, '2'),
      })
      await home.port().writeSecret(secret, undefined)
      const before = await kept(home)
      await home.kill()
      expect([before, await kept(home)]).toEqual([secret, secret])
    })

    test('a write over what somebody else wrote since is refused and changes nothing', async () => {
      const home = await aHome()
      const first = await home.port().writeSecret(aSecret(), undefined)
      const second = await home.port().writeSecret(aSecret({ current: aVersion(2, '2') }), first)
      const late = [
        await refusal(home.port().writeSecret(aSecret({ current: aVersion(3, '3') }), first)),
        await refusal(home.port().writeSecret(aSecret({ current: aVersion(3, '3') }), undefined)),
      ]
      expect([late, (await kept(home))?.current?.version]).toEqual([['taken_over', 'taken_over'], 2])
      expect(await refusal(home.port().writeSecret(aSecret({ current: aVersion(4, '4') }), second))).toBe('done')
    })

    test('of two writes at one time one is refused', async () => {
      const home = await aHome()
      const outcomes = await Promise.all([
        refusal(home.port().writeSecret(aSecret({ current: aVersion(1, '1') }), undefined)),
        refusal(home.port().writeSecret(aSecret({ current: aVersion(1, '2') }), undefined)),
      ])
      expect(outcomes.sort()).toEqual(['done', 'taken_over'])
    })

    test('who looked while a write was on its way does not write over it', async () => {
      const home = await aHome()
      const revision = await home.port().writeSecret(aSecret({ current: undefined }), undefined)
      const first = home.port().writeSecret(aSecret({ current: aVersion(1, '1') }), revision)
      const { held } = await home.port().observe(REF)
      await first
      if (held?.kind !== 'read') throw new Error('nothing is kept')
      const late = await refusal(home.port().writeSecret(aSecret({ current: aVersion(1, '2') }), held.revision))
      // who saw what came may write over it, or has to look again where it came before its writer was answered
      const isFine = held.secret.current === undefined ? ['taken_over'] : ['done', 'taken_over']
      expect(isFine).toContain(late)
    })

    test('a hand-over stores, delivers and confirms; each stage outlives a kill', async () => {
      const home = await aHome()
      const registered = aSecret({ current: undefined })
      const attempt = await open(home, await home.port().writeSecret(registered, undefined))
      const credential = credentialFor(registered.keyId, 1)
      const stored = minted(registered, { version: 1, rotations: 0, digest: digestOf(credential), at: NOON })
      await attempt.storeDigest(stored)
      await attempt.deliver(new Plaintext(credential))
      const arrived = handedOver(stored, { by: 'standalone', at: NOON }, anApiKey())
      await attempt.confirm(arrived)
      await home.kill()
      expect(await kept(home)).toEqual(arrived)
      expect(await home.lines()).toEqual([
        {
          ...REF,
          id: 'kw_prod_mmmmmmmmmmmm',
          secret: credential.text.slice('kw_prod_mmmmmmmmmmmm_'.length),
          key: credential.text,
        },
      ])
    })

    test('a digest that was stored and not delivered is there after a kill, as not handed over', async () => {
      const home = await aHome()
      const attempt = await open(home, undefined)
      await attempt.storeDigest(aSecret({ current: aVersion(1, '1', { claimedBy: undefined, claimedAt: undefined }) }))
      await home.kill()
      expect((await kept(home))?.current).toEqual({
        version: 1,
        digest: '1'.repeat(64),
        issuedAt: NOON - HOUR,
        claimedBy: undefined,
        claimedAt: undefined,
      })
    })

    test('an attempt that another one took over stores, delivers and confirms nothing', async () => {
      const home = await aHome()
      const revision = await home.port().writeSecret(aSecret({ current: undefined }), undefined)
      const slow = await open(home, revision)
      expect(await refusal(open(home, revision)), 'the key was not read again').toBe('taken_over')
      const { held } = await home.port().observe(REF)
      const quick = await open(home, held?.kind === 'read' ? held.revision : undefined)
      const mine = aSecret({ current: aVersion(1, '1', { claimedBy: undefined, claimedAt: undefined }) })
      const theirs = aSecret({ current: aVersion(1, '2', { claimedBy: undefined, claimedAt: undefined }) })
      const refused = [await refusal(slow.storeDigest(mine))]
      await quick.storeDigest(theirs)
      refused.push(
        await refusal(slow.storeDigest(mine)),
        await refusal(slow.deliver(new Plaintext(credentialFor(mine.keyId, 1)))),
        await refusal(slow.confirm(mine)),
      )
      expect([refused, (await kept(home))?.current?.digest, await home.lines()]).toEqual([
        ['taken_over', 'taken_over', 'taken_over', 'taken_over'],
        '2'.repeat(64),
        [],
      ])
    })

    test('an attempt on a key of which nothing is kept is taken over by the next one too', async () => {
      const home = await aHome()
      const slow = await open(home, undefined)
      const quick = await open(home, undefined)
      const outcomes = [
        await refusal(slow.storeDigest(aSecret({ keyId: aKeyId('s') }))),
        await refusal(quick.storeDigest(aSecret({ keyId: aKeyId('q') }))),
      ]
      expect([outcomes, (await kept(home))?.keyId]).toEqual([['taken_over', 'done'], 'kw_prod_qqqqqqqqqqqq'])
    })

    test('an attempt that stored its digest delivers nothing once another one has begun', async () => {
      const home = await aHome()
      const slow = await open(home, undefined)
      const credential = credentialFor(aKeyId('m'), 1)
      await slow.storeDigest(aSecret({ current: { ...aVersion(1, '1'), digest: digestOf(credential) } }))
      const { held } = await home.port().observe(REF)
      await open(home, held?.kind === 'read' ? held.revision : undefined)
      expect(await refusal(slow.deliver(new Plaintext(credential)))).toBe('taken_over')
      expect(await home.lines()).toEqual([])
    })

    test('whatever was written in between ends an attempt', async () => {
      const home = await aHome()
      const revision = await home.port().writeSecret(aSecret({ current: undefined }), undefined)
      const attempt = await open(home, revision)
      const { held } = await home.port().observe(REF)
      await home
        .port()
        .writeSecret(aSecret({ current: undefined, rotations: 1 }), held?.kind === 'read' ? held.revision : undefined)
      expect(await refusal(attempt.storeDigest(aSecret()))).toBe('taken_over')
    })

    test('a key ID and a digest belong to one key', async () => {
      const home = await aHome()
      await home.declare(anApiKey({}, 'other'), 'uid-2')
      await home
        .port()
        .writeSecret(aSecret({ keyId: aKeyId('a'), previous: undefined, current: aVersion(2, '2') }), undefined)
      const other = aSecret({ uid: 'uid-2', name: 'default/other', keyId: aKeyId('b') })
      expect([
        await refusal(home.port().writeSecret({ ...other, keyId: aKeyId('a'), current: undefined }, undefined)),
        await refusal(home.port().writeSecret({ ...other, current: aVersion(1, '2') }, undefined)),
        await refusal(home.port().writeSecret({ ...other, current: aVersion(1, '3') }, undefined)),
      ]).toEqual(['key_id_taken', 'digest_taken', 'done'])
    })

    test('of two keys that take one digest at one time one is refused', async () => {
      const home = await aHome()
      await home.declare(anApiKey({}, 'other'), 'uid-2')
      const outcomes = await Promise.all([
        refusal(home.port().writeSecret(aSecret({ keyId: aKeyId('a') }), undefined)),
        refusal(
          home.port().writeSecret(aSecret({ keyId: aKeyId('b'), uid: 'uid-2', name: 'default/other' }), undefined),
        ),
      ])
      expect(outcomes).toEqual(['done', 'digest_taken'])
    })

    test('a digest that was replaced is free again', async () => {
      const home = await aHome()
      await home.declare(anApiKey({}, 'other'), 'uid-2')
      const revision = await home.port().writeSecret(aSecret({ keyId: aKeyId('a') }), undefined)
      await home.port().writeSecret(aSecret({ keyId: aKeyId('a'), current: aVersion(2, '2') }), revision)
      const other = aSecret({ keyId: aKeyId('b'), uid: 'uid-2', name: 'default/other' })
      expect(await refusal(home.port().writeSecret(other, undefined))).toBe('done')
    })

    const importing = async (home: Home): Promise<void> =>
      home.declare(anApiKey({ delivery: IMPORTED }, 'import'), 'uid-3')
    const takenFromImport = async (home: Home) =>
      (await home.port().observe({ namespace: 'default', name: 'import' })).taken

    test('an import sees what another key holds', async () => {
      const home = await aHome()
      await importing(home)
      await home
        .port()
        .writeSecret(
          aSecret({ keyId: IMPORTED.keyId, current: { ...aVersion(1, '1'), digest: IMPORTED.digest as Digest } }),
          undefined,
        )
      await home.kill()
      expect(await takenFromImport(home)).toEqual({ keyId: 'held', digest: 'held' })
    })

    test('an import sees nothing taken from itself', async () => {
      const home = await aHome()
      await importing(home)
      await home.port().writeSecret(
        aSecret({
          uid: 'uid-3',
          name: 'default/import',
          origin: 'imported',
          keyId: IMPORTED.keyId,
          current: aVersion(1, 'a'),
        }),
        undefined,
      )
      expect(await takenFromImport(home)).toEqual({ keyId: undefined, digest: undefined })
    })

    test('a tombstone may be set twice, and outlives a kill', async () => {
      const home = await aHome()
      await importing(home)
      await home.port().tombstone(IMPORTED.keyId, 'uid-9')
      await home.port().tombstone(IMPORTED.keyId, 'uid-9')
      await home.kill()
      expect(await takenFromImport(home)).toEqual({ keyId: 'retired', digest: undefined })
    })

    test('a key knows whether its own key ID has a tombstone', async () => {
      const home = await aHome()
      await home.port().writeSecret(aSecret(), undefined)
      const before = await home.port().observe(REF)
      await home.port().tombstone(aKeyId('m'), 'uid-1')
      const after = await home.port().observe(REF)
      expect([before.held, after.held]).toMatchObject([{ tombstoned: false }, { tombstoned: true }])
    })

    test('what is kept of a deleted key is found, and may be removed twice', async () => {
      const home = await aHome()
      await home.port().writeSecret(aSecret(), undefined)
      await home.withdraw(REF)
      await home.kill()
      const left = await home.port().observe(REF)
      await home.port().remove('uid-1', aKeyId('m'))
      await home.port().remove('uid-1', aKeyId('m'))
      await home.kill()
      expect([left.orphans, (await home.port().observe(REF)).orphans]).toEqual([
        [{ uid: 'uid-1', keyId: 'kw_prod_mmmmmmmmmmmm' }],
        [],
      ])
    })

    test('a key that was deleted and made again does not inherit what was kept', async () => {
      const home = await aHome()
      await home.port().writeSecret(aSecret(), undefined)
      await home.withdraw(REF)
      await home.declare(anApiKey(), 'uid-2')
      const world = await home.port().observe(REF)
      expect([world.held, world.orphans]).toEqual([undefined, [{ uid: 'uid-1', keyId: 'kw_prod_mmmmmmmmmmmm' }]])
    })

    test('a status is read back, each of its own key', async () => {
      const home = await aHome()
      const status = {
        phase: 'Pending',
        keyId: aKeyId('m'),
        createdBy: { username: 'standalone' },
        permissions: ['a:b'],
        permissionsSummary: 'a:b',
        withheld: undefined,
        limitsSummary: undefined,
        credential: undefined,
        observedGeneration: 1,
        conditions: [],
      } as const
      await home.port().report(REF, 'uid-1', { ...status, phase: 'Failed' })
      await home.port().report(REF, 'uid-1', status)
      await home.declare(anApiKey({}, 'other'), 'uid-2')
      await home.kill()
      const mine = await home.port().observe(REF)
      const other = await home.port().observe({ namespace: 'default', name: 'other' })
      expect(mine.reported).toEqual({
        whole: {
          phase: 'Pending',
          keyId: 'kw_prod_mmmmmmmmmmmm',
          createdBy: { username: 'standalone' },
          permissions: ['a:b'],
          permissionsSummary: 'a:b',
          observedGeneration: 1,
          conditions: [],
        },
        keyId: 'kw_prod_mmmmmmmmmmmm',
        withheld: [],
        conditions: [],
      })
      expect(other.reported).toEqual(parseReported(undefined))
    })
  })
