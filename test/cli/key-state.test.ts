/** What changes a key that is there: the patches, what is held on to, and what is asked before what can't be undone. */
import { describe, expect, test } from 'vitest'
import { claimKey, regenerateKey } from '../../src/cli/claim-key.ts'
import { type Act, changeStates } from '../../src/cli/key-state.ts'
import { aStoredKey, delivers, fakeCluster, fakeTerminal, theCredential } from '../support/fake-cli-cluster.ts'

const handedOver = { credential: { version: 1 }, observedGeneration: 1, conditions: [] }

function withKey(more: Parameters<typeof aStoredKey>[1] = {}, wish: Parameters<typeof fakeCluster>[0] = {}) {
  const cluster = fakeCluster(wish)
  cluster.objects.set('apikeys/team-web/main', aStoredKey('main', more))
  return cluster
}

const act = (which: Act, more: object = {}) => ({
  ...{ act: which, namespace: 'team-web', names: ['main'], output: 'text' as const },
  ...{ dryRun: false, wait: false, timeoutMs: 1000, yes: false },
  ...more,
})

const key = { namespace: 'team-web', name: 'main' }
const again = (more: object = {}) => ({
  ...{ key, out: undefined, outSecret: undefined, output: 'text' as const, timeoutMs: 1000 },
  ...{ overlap: undefined, dryRun: false, yes: false, wait: true },
  ...more,
})

describe('what takes away holds on to the uid alone, what gives to what was read', () => {
  test.each<[Act, string, object, object]>([
    ['suspend', 'Active', { uid: 'uid of main' }, { state: 'Suspended' }],
    ['resume', 'Suspended', { uid: 'uid of main', resourceVersion: '7' }, { state: 'Active' }],
    ['revoke', 'Suspended', { uid: 'uid of main' }, { state: 'Revoked' }],
  ])('%s', async (which, state, metadata, spec) => {
    const cluster = withKey({ spec: { state } })
    const terminal = fakeTerminal()
    expect(await changeStates(cluster, act(which, { yes: true }), terminal)).toBe(0)
    expect(cluster.patches).toEqual([{ metadata, spec }])
  })
})

describe('revoke', () => {
  test('asks for the name, and another answer changes nothing', async () => {
    const cluster = withKey()
    await expect(changeStates(cluster, act('revoke'), fakeTerminal({ answers: ['y'] }))).rejects.toThrow(
      'nothing was done',
    )
    expect(cluster.patches).toEqual([])
    const terminal = fakeTerminal({ answers: ['main'] })
    expect(await changeStates(cluster, act('revoke'), terminal)).toBe(0)
    expect(terminal.said.err).toContain('main in team-web will never work again. keyward suspend can be taken back.\n')
  })

  test('is called wrongly where nobody can be asked, unless it says --yes', async () => {
    await expect(changeStates(withKey(), act('revoke'), fakeTerminal())).rejects.toMatchObject({ exitCode: 2 })
  })

  test('stays: a revoked key is not resumed', async () => {
    await expect(changeStates(withKey({ spec: { state: 'Revoked' } }), act('resume'), fakeTerminal())).rejects.toThrow(
      'main is revoked, and that is for good',
    )
  })
})

test('what is so already is said, and not written again', async () => {
  const cluster = withKey({ spec: { state: 'Suspended' } })
  const terminal = fakeTerminal()
  expect(await changeStates(cluster, act('suspend'), terminal)).toBe(0)
  expect([terminal.said.out, cluster.patches]).toEqual(['apikey.keyward.dev/main suspended already\n', []])
})

describe('with --wait, what is so already is waited for until the operator has seen it', () => {
  const unseen = { spec: { state: 'Suspended' }, status: { observedGeneration: 2, conditions: [] }, generation: 3 }

  test('which it does', async () => {
    const cluster = withKey(unseen)
    let looks = 0
    const onPause = (): void => {
      looks += 1
      const status = { observedGeneration: 3, conditions: [] }
      if (looks === 3) cluster.objects.set('apikeys/team-web/main', aStoredKey('main', { ...unseen, status }))
    }
    expect(await changeStates(cluster, act('suspend', { wait: true }), fakeTerminal({ onPause }))).toBe(0)
    expect([looks, cluster.patches]).toEqual([3, []])
  })

  test('or does not', async () => {
    await expect(changeStates(withKey(unseen), act('suspend', { wait: true }), fakeTerminal())).rejects.toThrow(
      "Keyward's operator did not answer within 1 s",
    )
    expect(await changeStates(withKey(unseen), act('suspend', { wait: true, dryRun: true }), fakeTerminal())).toBe(0)
  })
})

test('of several, one that is not there does not keep the others from it', async () => {
  const cluster = withKey()
  const terminal = fakeTerminal()
  expect(await changeStates(cluster, act('suspend', { names: ['nobody', 'main'] }), terminal)).toBe(1)
  expect(terminal.said.out).toBe('apikey.keyward.dev/main suspended\n')
  expect(terminal.said.err).toContain('keyward suspend nobody: there is no ApiKey nobody')
})

test('of several, all are suspended where nobody reads it any more', async () => {
  const cluster = withKey()
  cluster.objects.set('apikeys/team-web/other', aStoredKey('other'))
  const terminal = fakeTerminal({
    onOut: () => {
      throw new Error('EPIPE')
    },
  })
  expect(await changeStates(cluster, act('suspend', { names: ['main', 'other'] }), terminal)).toBe(0)
  expect(cluster.writes).toEqual(['patch apikeys/team-web/main', 'patch apikeys/team-web/other'])
})

describe('regenerate', () => {
  test('raises by one over what was read, claims that version, and shows it', async () => {
    const cluster = withKey({ spec: { regenerate: 2 }, status: handedOver }, { answer: delivers() })
    const terminal = fakeTerminal()
    expect(await regenerateKey(cluster, again({ overlap: '1h' }), terminal)).toBe(0)
    expect(cluster.patches).toEqual([
      { metadata: { uid: 'uid of main', resourceVersion: '7' }, spec: { regenerate: 3, overlap: '1h' } },
    ])
    expect(terminal.said.out).toContain(theCredential.text)
  })

  test('is called wrongly with an overlap that is none, in the words of create', async () => {
    const cluster = withKey({ status: handedOver })
    await expect(regenerateKey(cluster, again({ overlap: '3d' }), fakeTerminal())).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(/^--overlap: Invalid value: "3d": /),
    })
    expect(cluster.patches).toEqual([])
  })

  test.each(['SecretNotOurs', 'Conflict', 'NotAttested', 'NoRecipient', 'HandOverFailed'])(
    'of a key for a workload ends with what the operator says as soon as it says no: %s',
    async (reason) => {
      const spec = { delivery: { secretName: 'shop' }, overlap: '1h', regenerate: 1 }
      const no = [{ type: 'Claimed', status: 'False', reason, message: 'not so\u001b' }]
      const cluster = withKey({ spec, status: { ...handedOver, conditions: no, observedGeneration: 1 }, generation: 2 })
      let looks = 0
      const onPause = (): void => {
        looks += 1
        const status = { ...handedOver, conditions: no, observedGeneration: 2 }
        if (looks === 2)
          cluster.objects.set('apikeys/team-web/main', aStoredKey('main', { spec, status, generation: 2 }))
      }
      await expect(regenerateKey(cluster, again(), fakeTerminal({ onPause }))).rejects.toMatchObject({
        exitCode: 1,
        message: `the API server has the change, but version 3 of the credential was not handed over (${reason}): not so\\u001b`,
      })
      // what it said of the key as it was before is no answer
      expect(looks).toBe(2)
    },
  )

  test('asks a person where a secret in use ends at once', async () => {
    const cluster = withKey({ status: handedOver }, { answer: delivers() })
    await expect(regenerateKey(cluster, again(), fakeTerminal({ answers: ['no'] }))).rejects.toThrow('nothing was done')
    expect(cluster.patches).toEqual([])
    expect(await regenerateKey(cluster, again(), fakeTerminal({ answers: ['main'] }))).toBe(0)
  })

  test.each<[string, object, object]>([
    ['the key leaves none', {}, {}],
    ['none is asked for', { overlap: '1h' }, { overlap: '0s' }],
  ])(
    'where nobody can be asked is called wrongly if a secret in use would end at once, since %s',
    async (_why, spec, more) => {
      const cluster = withKey({ spec, status: handedOver }, { answer: delivers() })
      await expect(regenerateKey(cluster, again(more), fakeTerminal())).rejects.toMatchObject({
        exitCode: 2,
        message:
          '--yes is needed where nobody can be asked: the secret of main that is in use now would end at once (--overlap 1h would leave it an hour)',
      })
      expect([cluster.patches, cluster.writes]).toEqual([[], []])
      expect(await regenerateKey(cluster, again({ ...more, yes: true }), fakeTerminal())).toBe(0)
    },
  )

  test.each<[string, object, object, object]>([
    ['the key leaves an overlap', { overlap: '1h' }, handedOver, {}],
    ['an overlap is asked for', {}, handedOver, { overlap: '1h' }],
    ['nobody has a secret of it', {}, { observedGeneration: 1, conditions: [] }, {}],
    ['it is a trial', {}, handedOver, { dryRun: true }],
  ])('where nobody can be asked goes on if nobody is cut off: %s', async (_why, spec, status, more) => {
    const cluster = withKey({ spec, status }, { answer: delivers() })
    expect(await regenerateKey(cluster, again(more), fakeTerminal())).toBe(0)
  })

  test.each<[string, object, string]>([
    ['suspended', { state: 'Suspended' }, 'First: keyward resume main -n team-web'],
    ['revoked', { state: 'Revoked' }, 'create another key'],
    ['expired', { expiresAt: '2026-11-22T11:00:00Z' }, 'create another key'],
    ['made elsewhere', { delivery: { digest: 'sha256:…' } }, 'only its digest is known here'],
  ])('a key that is %s gets none, and why is said before anything is written', async (_what, spec, words) => {
    const cluster = withKey({ spec })
    await expect(regenerateKey(cluster, again(), fakeTerminal())).rejects.toThrow(words)
    await expect(claimKey(cluster, again(), fakeTerminal())).rejects.toThrow(words)
    expect([cluster.patches, cluster.writes]).toEqual([[], []])
  })
})

test('claim pins the version that is due', async () => {
  let version: unknown
  const cluster = withKey(
    { spec: { regenerate: 4 } },
    {
      answer: (claim) => {
        version = (claim.spec as { version: unknown }).version
        return delivers()(claim)
      },
    },
  )
  expect(await claimKey(cluster, again(), fakeTerminal())).toBe(0)
  expect(version).toBe(5)
})

test('the credential of a workload is not claimed', async () => {
  const cluster = withKey({ spec: { delivery: { secretName: 'main-credential' } } })
  await expect(claimKey(cluster, again(), fakeTerminal())).rejects.toThrow(
    'goes into the Secret main-credential of team-web',
  )
})
