/** The fence of a hand-over: of two who both think they lead, one delivers, and what it delivers is what is stored. */
import { describe, expect, test } from 'vitest'
import { composeCredential, digestOf, RANDOM_BYTES } from '../../src/core/credential.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import { aRun, REF } from '../operator/crash-scenarios.ts'
import { aKeyId, anApiKey, aSecret, aVersion, NOT_ARRIVED, TO_WORKLOAD, WORKLOAD } from '../operator/make.ts'
import { fakeClusterHome } from '../support/fake-cluster-home.ts'
import { MAKER } from '../support/fake-people.ts'
import { contest, onlyTheStoredOneWasDelivered } from '../support/two-leaders.ts'

const WRITES = Array.from({ length: 20 }, (_, write) => write)

describe.each(['comes new', 'knew it before'] as const)('while one stands still the other %s', (other) => {
  test.each([
    ['a claim', {}, 3],
    ['the Secret of a workload', { delivery: WORKLOAD }, 3],
    ['a key that is to be regenerated', { regenerate: 1 }, 3],
  ] as const)('before any write: %s gets one credential, the one that is stored', async (_what, spec, least) => {
    for (const write of WRITES) {
      const home = await fakeClusterHome()
      const run = aRun(home)
      await home.declare(anApiKey(spec), 'uid-1')
      if (other === 'knew it before') home.server.hold()
      const stood = await contest({ run, write, other })
      await onlyTheStoredOneWasDelivered(home)
      expect(await home.premature()).toEqual([])
      const credentials = new Set((await home.deliveries()).map(({ digest }) => digest))
      expect(credentials.size, 'one hand-over').toBe(1)
      if (!stood) {
        expect(write).toBeGreaterThan(least)
        return
      }
    }
    throw new Error('more writes than were tried')
  })

  test.each([
    ['a claim', {}],
    ['the Secret of a workload', { delivery: WORKLOAD }],
  ] as const)('and stands still as well: %s gets one credential, the one that is stored', async (_what, spec) => {
    for (const write of [1, 2, 3]) {
      for (const secondWrite of [1, 2, 3]) {
        const home = await fakeClusterHome()
        await home.declare(anApiKey(spec), 'uid-1')
        if (other === 'knew it before') home.server.hold()
        await contest({ run: aRun(home), write, secondWrite, other })
        await onlyTheStoredOneWasDelivered(home)
        expect(await home.premature(), `${write} and ${secondWrite}`).toEqual([])
        const credentials = new Set((await home.deliveries()).map(({ digest }) => digest))
        expect(credentials.size, `one hand-over, with ${write} and ${secondWrite}`).toBe(1)
      }
    }
  })

  test('before any write: a claim that is taken away meanwhile leaves the other one, or none, with the credential that is stored', async () => {
    for (const write of WRITES) {
      const home = await fakeClusterHome('nothing')
      const run = aRun(home)
      await home.declare(anApiKey(), 'uid-1')
      const [first] = [await home.claim(REF, 1), await home.claim(REF, 1)]
      if (other === 'knew it before') home.server.hold()
      const path = `/apis/keyward.dev/v1alpha1/namespaces/default/apikeyclaims/${first}`
      const meanwhile = async () => {
        await home.server.client.send({ method: 'DELETE', path })
      }
      const stood = await contest({ run, write, other, meanwhile })
      await onlyTheStoredOneWasDelivered(home)
      expect(await home.premature()).toEqual([])
      if (!stood) return
    }
    throw new Error('more writes than were tried')
  })
})

test.each([
  ['a claim', {}],
  ['the Secret of a workload', { delivery: WORKLOAD }],
] as const)(
  'an attempt over what was seen of %s before something was delivered to it is refused',
  async (_what, spec) => {
    const home = await fakeClusterHome('nothing')
    await home.declare(anApiKey(spec), 'uid-1')
    const recipient =
      'delivery' in spec ? TO_WORKLOAD : ({ kind: 'claim', claim: await home.claim(REF), claimant: MAKER } as const)
    const [slow, quick] = [await home.leader(), await home.leader()]
    const opening = { ref: REF, uid: 'uid-1', recipient, grant: undefined }
    const credential = composeCredential(aKeyId('m'), new Uint8Array(RANDOM_BYTES).fill(1))
    const first = await quick.port.openAttempt({ ...opening, over: undefined })
    await first.storeDigest(aSecret({ current: { ...aVersion(1, '1', NOT_ARRIVED), digest: digestOf(credential) } }))
    const { held } = await slow.port.observe(REF)
    await first.deliver(new Plaintext(credential))
    const late = slow.port.openAttempt({ ...opening, over: held?.kind === 'read' ? held.revision : undefined })
    await expect(late).rejects.toThrow('taken_over')
    expect((await slow.port.observe(REF)).arrival, 'and it is seen that it has arrived').toMatchObject({
      by: recipient.claimant,
    })
  },
)
