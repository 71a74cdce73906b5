/** The webhooks' certificates: renewed in time, announced before they sign, and one for all replicas. */
import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bundleOf, certificateStep, type Material } from '../../src/webhook/certificate-plan.ts'
import {
  certificateStore,
  decodeMaterial,
  encodeMaterial,
  type SecretPort,
  sharedStampKeys,
  stampKeysAfter,
} from '../../src/webhook/certificate-secret.ts'
import { currentCertificates, keepAnnounced } from '../../src/webhook/certificates.ts'
import { makeServing } from '../../src/webhook/serving.ts'
import { DAY, HOUR, NOON } from './make.ts'

const NAMES = ['keyward-webhooks.keyward-system.svc', '127.0.0.1']

/** A Secret that replicas share; whoever writes over an older one is refused. */
function fakeSecret() {
  const state: { data: unknown; revision: number } = { data: undefined, revision: 0 }
  const port: SecretPort = {
    read: async () => (state.revision === 0 ? undefined : { data: state.data, revision: String(state.revision) }),
    write: async (data, over) => {
      if ((over ?? '0') !== String(state.revision)) return false
      state.data = data
      state.revision++
      return true
    },
  }
  return { port, state }
}

const drawing = (byte: number, keepsKeys = false) => ({
  random: (count: number) => new Uint8Array(count).fill(byte),
  keepsKeys: async () => keepsKeys,
})

function aReplica(secret = fakeSecret(), mayRenew = true) {
  const clock = { now: NOON }
  const store = certificateStore(secret.port)
  const parts = { store, names: NAMES, now: () => clock.now, mayRenew: () => mayRenew }
  const current = () => currentCertificates(parts)
  /** As once callers were told of all that is there. */
  const told = async () => keepAnnounced(parts, await current())
  return { clock, current, told, secret, store }
}

const signer = ({ serving, authority }: Material) =>
  new X509Certificate(serving.cert).verify(new X509Certificate(authority.cert).publicKey)

describe('the first replica', () => {
  test('makes a CA and a certificate for all names, signed by it', async () => {
    const { current } = aReplica()
    const made = await current()
    const leaf = new X509Certificate(made.serving.cert)
    expect(signer(made)).toBe(true)
    expect(leaf.subjectAltName).toBe('DNS:keyward-webhooks.keyward-system.svc, IP Address:127.0.0.1')
    expect(leaf.ca).toBe(false)
    expect(new Date(leaf.validTo)).toEqual(new Date(NOON + 30 * DAY))
    expect(bundleOf(made)).toBe(made.authority.cert)
  })

  test('of several at once is the one that all of them serve', async () => {
    const secret = fakeSecret()
    const all = await Promise.all(Array.from({ length: 5 }, () => aReplica(secret).current()))
    expect(new Set(all.map(({ serving }) => serving.cert)).size).toBe(1)
    expect(secret.state.revision).toBe(1)
  })
})

describe('as time goes by', () => {
  test.each<[string, number, string | undefined]>([
    ['nothing is done before two thirds', 19 * DAY, undefined],
    ['the certificate is renewed', 20 * DAY, 'renew'],
    ['a CA is announced at two thirds of its life', 244 * DAY, 'announce'],
    ['everything is new where the CA has ended', 366 * DAY, 'start'],
  ])('%s', async (_what, later, step) => {
    const made = await aReplica().current()
    expect(certificateStep(made, NAMES, NOON + later)).toBe(step)
  })

  test('another name is taken in at once', async () => {
    const made = await aReplica().current()
    expect(certificateStep(made, [...NAMES, 'other.svc'], NOON)).toBe('renew')
  })

  test('a CA is known to callers before it signs, and after it signed its last', async () => {
    const { current, told, clock } = aReplica()
    const first = await current()
    clock.now = NOON + 244 * DAY
    const announced = await current()
    expect(announced.authority).toEqual(first.authority)
    expect(signer(announced)).toBe(true)
    expect(bundleOf(announced)).toBe(`${first.authority.cert}${announced.next?.cert}`)
    clock.now += 10 * DAY
    expect((await current()).authority, 'as long as nobody could tell callers of it').toEqual(first.authority)
    await told()
    clock.now += 599_000
    await told()
    expect((await current()).authority, 'nor soon after that').toEqual(first.authority)
    clock.now += 1000
    const promoted = await current()
    expect(promoted.authority).toEqual(announced.next)
    expect(signer(promoted)).toBe(true)
    expect(bundleOf(promoted)).toBe(`${promoted.authority.cert}${first.authority.cert}`)
    clock.now += DAY + HOUR
    expect(bundleOf(await current())).toBe(promoted.authority.cert)
  })

  test('whatever is served is trusted by every bundle of ten minutes before and after', async () => {
    const { current, told, clock } = aReplica()
    let before = await current()
    for (let i = 0; i < 25; i++) {
      clock.now += 11 * DAY
      // each look of a replica comes soon after the one before
      for (const minutes of [0, 11, 25 * 60]) {
        clock.now += minutes * 60_000
        const now = await current()
        await told()
        const trusted = (bundle: string, { serving }: Material) =>
          (bundle.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).some((ca) =>
            new X509Certificate(serving.cert).verify(new X509Certificate(ca).publicKey),
          )
        expect(trusted(bundleOf(before), now)).toBe(true)
        expect(trusted(bundleOf(now), before)).toBe(true)
        expect(new X509Certificate(now.serving.cert).validToDate.getTime()).toBeGreaterThan(clock.now)
        before = now
      }
    }
  })

  test('whoever does not lead serves what there is, and leaves renewing to the others', async () => {
    const secret = fakeSecret()
    const made = await aReplica(secret).current()
    const follower = aReplica(secret, false)
    follower.clock.now = NOON + 25 * DAY
    expect((await follower.current()).serving).toEqual(made.serving)
    expect(secret.state.revision).toBe(1)
  })

  test('a Secret that was spoilt by hand is written anew', async () => {
    const { current, secret } = aReplica()
    await current()
    secret.state.data = { 'tls.crt': 'eA==' }
    expect(signer(await current())).toBe(true)
  })
})

describe('what a clock made that ran ahead', () => {
  const ahead = async (ms: number) => {
    const { current, told, clock, secret } = aReplica()
    const first = await current()
    clock.now = NOON + ms
    await told()
    await current()
    clock.now = NOON
    const material = await current()
    const validFrom = (cert: string) => new X509Certificate(cert).validFromDate.getTime()
    return { first, material, from: [material.authority, material.serving].map(({ cert }) => validFrom(cert)), secret }
  }

  test('is replaced once the clock is right again: a certificate of the same CA', async () => {
    const { first, material, from } = await ahead(25 * DAY)
    expect(material.authority).toEqual(first.authority)
    expect(from).toEqual([NOON - 300_000, NOON - 300_000])
    expect(signer(material)).toBe(true)
  })

  test('is replaced once the clock is right again: a CA', async () => {
    const { material, from } = await ahead(400 * DAY)
    expect(from).toEqual([NOON - 300_000, NOON - 300_000])
    expect(signer(material)).toBe(true)
  })

  test.each<[number, string | undefined]>([
    [5, undefined],
    [10, 'renew'],
    [11, 'start'],
  ])('by %s minutes leads to %s', async (minutes, step) => {
    const material = await aReplica().current()
    expect(certificateStep(material, NAMES, NOON - minutes * 60_000)).toBe(step)
  })

  test('is left to whoever leads, also by a replica that has nothing to serve yet', async () => {
    const secret = fakeSecret()
    const made = await aReplica(secret).current()
    const behind = aReplica(secret, false)
    behind.clock.now = NOON - HOUR
    expect((await behind.current()).serving).toEqual(made.serving)
    expect(secret.state.revision).toBe(1)
  })
})

describe('a Secret that was taken away or spoilt', () => {
  test('is made anew by whoever leads, and callers go on trusting what others still serve', async () => {
    const before = await aReplica().current()
    const { store, secret } = aReplica()
    const parts = { store, names: NAMES, now: () => NOON + HOUR, served: () => before }
    expect(await currentCertificates({ ...parts, mayRenew: () => false })).toBe(before)
    expect(secret.state.revision).toBe(0)
    const spoilt = fakeSecret()
    await certificateStore(spoilt.port).write({ ...(await aReplica().current()), serving: before.serving }, undefined)
    const others = { ...parts, store: certificateStore(spoilt.port), mayRenew: () => false }
    expect(await currentCertificates(others)).toBe(before)
    const made = await currentCertificates({ ...parts, mayRenew: () => true })
    expect(bundleOf(made)).toBe(`${made.authority.cert}${before.authority.cert}`)
    expect(signer(made)).toBe(true)
  })

  test('of the key for stamps comes back as it was, and one that was spoilt changes nothing', async () => {
    const secret = fakeSecret()
    const keys = await sharedStampKeys(secret.port, drawing(7))
    secret.state.revision = 0
    await stampKeysAfter(keys, secret.port, () => false)
    expect(secret.state.revision).toBe(0)
    await stampKeysAfter(keys, secret.port, () => true)
    expect(await sharedStampKeys(secret.port, drawing(0))).toEqual([Buffer.alloc(32, 7)])
    secret.state.data = { key: 'eA==' }
    expect(await stampKeysAfter(keys, secret.port, () => true)).toBe(keys)
    secret.state.data = {
      key: Buffer.alloc(32, 8).toString('base64'),
      previous: Buffer.alloc(32, 7).toString('base64'),
    }
    expect(await stampKeysAfter(keys, secret.port, () => true)).toEqual([Buffer.alloc(32, 8), Buffer.alloc(32, 7)])
  })
})

describe('what is kept', () => {
  test('is read as it was written', async () => {
    const { current, told, clock } = aReplica()
    await current()
    clock.now = NOON + 244 * DAY
    await told()
    const made = await current()
    expect(made.announcedAt).toBe(clock.now)
    expect(decodeMaterial(encodeMaterial(made))).toEqual(made)
  })

  test('of the key for stamps is made once, and never over one that can not be read', async () => {
    const secret = fakeSecret()
    const all = await Promise.all([sharedStampKeys(secret.port, drawing(7)), sharedStampKeys(secret.port, drawing(0))])
    expect(all[0]?.[0]).toHaveLength(32)
    expect(Buffer.from(all[0]?.[0] ?? []).equals(Buffer.from(all[1]?.[0] ?? []))).toBe(true)
    await expect(sharedStampKeys(fakeSecret().port, drawing(7, true))).rejects.toThrow('stamp_key_lost')
    secret.state.data = { key: 'eA==' }
    await expect(sharedStampKeys(secret.port, drawing(7))).rejects.toThrow('stamp_key_unreadable')
  })
})

describe('while it is served', () => {
  test('callers are told of a CA before a certificate of it is shown, and a failure costs only a moment', async () => {
    const { clock, store } = aReplica()
    const said: string[] = []
    const state = { fails: false }
    const serving = await makeServing({
      store,
      names: NAMES,
      now: () => clock.now,
      mayRenew: () => true,
      applyBundle: async (bundle) => {
        if (state.fails) throw new Error('the API server is away')
        said.push(`bundle of ${bundle.match(/BEGIN/g)?.length}`)
        return true
      },
    })
    serving.tls.onChange(({ minVersion }) => said.push(`certificate, ${minVersion}`))
    for (const [later, fails] of [
      [0, false],
      [244 * DAY, false],
      [HOUR, true],
      [HOUR, false],
      [HOUR, false],
    ] as const) {
      clock.now += later
      state.fails = fails
      await serving.look().catch(() => said.push('trouble'))
    }
    expect(said).toEqual([
      'bundle of 1',
      // one that the known CA signed need not wait
      'certificate, TLSv1.3',
      'bundle of 2',
      'trouble',
      'bundle of 2',
      'certificate, TLSv1.3',
      'bundle of 2',
    ])
    expect(serving.expiresAt()).toBeGreaterThan(clock.now)
  })

  test('a certificate whose signer callers know is exchanged in time, though nothing can be told to them any more', async () => {
    const { clock, store, current } = aReplica()
    const first = await current()
    const state = { fails: false }
    const serving = await makeServing({
      ...{ store, names: NAMES, now: () => clock.now, mayRenew: () => true },
      applyBundle: async () => {
        if (state.fails) throw new Error('may not write webhook configurations')
        return true
      },
    })
    let expiresSoonest = Number.POSITIVE_INFINITY
    const look = () => serving.look().catch(() => undefined)
    for (let day = 1; day <= 250; day++) {
      clock.now += DAY
      // told of the CA that comes next, and then of nothing more
      state.fails = day !== 244
      await look()
      state.fails = true
      await look()
      expiresSoonest = Math.min(expiresSoonest, serving.expiresAt() - clock.now)
    }
    expect(expiresSoonest).toBeGreaterThan(9 * DAY)
    const now = await current()
    expect(now.authority, 'the next CA signs by now').not.toEqual(first.authority)
    expect(serving.tls.options().cert.toString()).toBe(now.serving.cert)
  })

  test.each([
    ['could not be told of', () => Promise.reject(new Error('the API server is away'))],
    ['are told of by another replica', () => Promise.resolve(false)],
  ])('a CA that callers %s signs nothing, however much time goes by', async (_what, applyBundle) => {
    const { clock, current, store, told } = aReplica()
    const first = await current()
    const parts = { store, names: NAMES, now: () => clock.now, mayRenew: () => true, applyBundle }
    const serving = await makeServing(parts)
    clock.now += 244 * DAY
    for (let i = 0; i < 3; i++) {
      clock.now += HOUR
      await serving.look().catch(() => undefined)
    }
    expect([(await current()).authority, (await current()).announcedAt]).toEqual([first.authority, undefined])
    await told()
    clock.now += HOUR
    expect((await current()).previous).toBe(first.authority.cert)
  })
})
