/** Which events people see of a key. */
import { describe, expect, test } from 'vitest'
import { reconcile } from '../../src/operator/reconcile.ts'
import { type Happening, telling } from '../../src/operator/telling.ts'
import { fakeHome } from '../support/fake-key-port.ts'
import { aKeyId, anApiKey, IMPORTED, NOON } from './make.ts'

const REF = { namespace: 'default', name: 'main' }

function aTold(home = fakeHome()) {
  const happenings: Happening[] = []
  const counted: string[] = []
  const port = telling(home.port(), {
    note: (happening) => happenings.push(happening),
    onHandedOver: () => counted.push('handed over'),
    onDenied: (reason) => counted.push(reason),
  })
  let drawn = 0
  const random = (count: number) => {
    drawn += 1
    return new Uint8Array(count).map((_, i) => (drawn * 31 + i * 7) % 248)
  }
  const settle = () => reconcile({ port, nowMs: () => NOON, random }, REF)
  return { home, happenings, counted, settle }
}

describe('events', () => {
  test('tell of a hand-over once', async () => {
    const { home, happenings, counted, settle } = aTold()
    home.declare(anApiKey(), 'uid-1')
    await settle()
    await settle()
    expect(happenings.map(({ type, reason, apiKey }) => [type, reason, apiKey.name, apiKey.uid])).toEqual([
      ['Normal', 'HandedOver', 'main', 'uid-1'],
    ])
    expect(counted).toEqual(['handed over'])
  })

  test('tell of a failure once, as long as it lasts, and never of a key that is well', async () => {
    const { home, happenings, settle } = aTold()
    home.declare(anApiKey({ delivery: IMPORTED }, 'first'), 'uid-0')
    await reconcile(
      { port: home.port(), nowMs: () => NOON, random: () => new Uint8Array(64) },
      { ...REF, name: 'first' },
    )
    home.declare(anApiKey({ delivery: { ...IMPORTED, keyId: aKeyId('j') } }), 'uid-1')
    await settle()
    home.declare(anApiKey({ delivery: { ...IMPORTED, keyId: aKeyId('j') }, displayName: 'Other' }), 'uid-1')
    await settle()
    expect(happenings.map(({ type, reason, message }) => [type, reason, message])).toEqual([
      ['Warning', 'Conflict', 'delivery.digest is in use by another ApiKey, which goes on'],
    ])
  })

  test('forget a failure with its ApiKey, though nothing was ever kept of it', async () => {
    const { home, happenings, settle } = aTold()
    const failing = anApiKey({ delivery: IMPORTED })
    home.declare({ ...failing, name: 'first' }, 'uid-0')
    await reconcile(
      { port: home.port(), nowMs: () => NOON, random: () => new Uint8Array(64) },
      { ...REF, name: 'first' },
    )
    home.declare(failing, 'uid-1')
    await settle()
    home.withdraw(REF)
    await settle()
    home.declare(anApiKey({ delivery: IMPORTED, permissions: ['customer:write'] }), 'uid-1')
    await settle()
    expect(happenings.map(({ reason }) => reason)).toEqual(['Conflict', 'Conflict'])
  })
})
