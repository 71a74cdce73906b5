/** An ApiKeyClaim as it lies on the API server, and what is sealed for it. */
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { composeCredential, RANDOM_BYTES } from '../../src/core/credential.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import {
  type Claim,
  mayPrecedeRegeneration,
  olderFirst,
  readClaim,
  regenerateWrittenAt,
} from '../../src/kube/claims.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { makeRegenerations } from '../../src/kube/regenerations.ts'
import { isOnCurve, seal } from '../../src/kube/seal.ts'
import { aKeyId } from '../operator/make.ts'
import { testJwk } from '../support/cluster-home.ts'

const JWK = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
} as const

const anObject = (over: object = {}, meta: object = {}): KubeObject => ({
  metadata: {
    name: 'main-1',
    namespace: 'team',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-11-22T12:00:00Z',
    ...meta,
  },
  spec: { apiKey: 'main', publicJwk: JWK },
  ...over,
})

const read = (over: object = {}, meta: object = {}): Claim => {
  const claim = readClaim(anObject(over, meta))
  if (claim === undefined) throw new Error('it was not read')
  return claim
}

describe('a claim', () => {
  test('that waits', () => {
    expect(read({ spec: { apiKey: 'main', version: 2, publicJwk: { ...JWK, kid: 'k', use: 'enc' } } })).toMatchObject({
      apiKey: 'team/main',
      createdAt: Date.parse('2026-11-22T12:00:00Z'),
      version: 2,
      publicJwk: JWK,
      delivered: undefined,
      finished: false,
    })
  })

  test('that is being served has nothing yet', () => {
    expect(read({ status: { attempt: { id: 'a', at: '2026-11-22T12:00:00Z' } } })).toMatchObject({
      delivered: undefined,
      finished: false,
    })
  })

  test('that was served', () => {
    const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: '2026-11-22T12:00:05Z' })
    const status = { version: 2, jwe: 'eyJ', conditions: [condition('Delivered'), condition('Finished')] }
    expect(read({ status })).toMatchObject({
      delivered: { version: 2, at: Date.parse('2026-11-22T12:00:05Z') },
      finished: true,
    })
  })

  test.each([
    ['whose point is not on the curve', { ...JWK, y: `y${JWK.y.slice(1)}` }],
    ['whose key is of another curve', { ...JWK, crv: 'P-384' }],
    ['with a private key', { ...JWK, d: 'x' }],
    ['without a key', undefined],
  ])('%s can be sealed nothing to', (_what, publicJwk) => {
    expect(read({ spec: { apiKey: 'main', publicJwk } }).publicJwk).toBeUndefined()
  })

  test('that does not say for which ApiKey is none', () => {
    expect(readClaim(anObject({ spec: {} }))).toBeUndefined()
  })

  test('comes after an older one, and after one of the same second whose name is before its own', () => {
    const claims = [
      read({}, { name: 'b' }),
      read({}, { name: 'a' }),
      read({}, { name: 'z', creationTimestamp: '2026-11-22T11:59:59Z' }),
    ]
    expect(claims.sort(olderFirst).map(({ object }) => object.metadata.name)).toEqual(['z', 'a', 'b'])
  })
})

describe('a claim without a version', () => {
  const written = (time: string, fields: object, subresource?: string) => ({
    time,
    fieldsV1: fields,
    ...(subresource && { subresource }),
  })
  const SPEC = { 'f:spec': { 'f:regenerate': {}, 'f:state': {} } }
  const OTHER = { 'f:spec': { 'f:state': {} } }
  const apiKey = (...managedFields: object[]): KubeObject => anObject({}, { managedFields })

  test.each<[string, object[], string | undefined]>([
    [
      'the last who wrote regenerate counts',
      [written('2026-11-22T12:00:00Z', SPEC), written('2026-11-22T12:00:09Z', SPEC)],
      '2026-11-22T12:00:09Z',
    ],
    [
      'who wrote another field does not',
      [written('2026-11-22T12:00:00Z', SPEC), written('2026-11-22T13:00:00Z', OTHER)],
      '2026-11-22T12:00:00Z',
    ],
    [
      'who wrote a status does not',
      [written('2026-11-22T12:00:00Z', SPEC), written('2026-11-22T13:00:00Z', SPEC, 'status')],
      '2026-11-22T12:00:00Z',
    ],
    [
      'where nobody owns regenerate everybody counts',
      [written('2026-11-22T12:00:00Z', OTHER), written('2026-11-22T13:00:00Z', OTHER)],
      '2026-11-22T13:00:00Z',
    ],
    ['where nobody is known it can be any time', [], undefined],
    ['where a time is none it can be any time', [written('x', SPEC)], undefined],
  ])('%s', (_what, managed, expected) => {
    const at = regenerateWrittenAt(apiKey(...managed))
    expect(at).toBe(expected === undefined ? Number.POSITIVE_INFINITY : Date.parse(expected))
  })

  const regenerated = (managedFields: readonly object[], meta: object = {}, regenerate = 1): KubeObject =>
    anObject({ spec: { regenerate } }, { generation: 2, resourceVersion: '120', managedFields, ...meta })
  const NOT_SEEN = { regeneratedAt: undefined, claimedAt: undefined }
  const AT_NOON = [written('2026-11-22T12:00:00Z', SPEC)]

  test.each([
    ['a second before', '2026-11-22T11:59:59Z', true],
    ['in the same second as', '2026-11-22T12:00:00Z', true],
    ['a second after', '2026-11-22T12:00:01Z', false],
  ])('that was made %s the regeneration, and was not seen to be made', (_what, creationTimestamp, expected) => {
    const claim = read({}, { creationTimestamp })
    expect(mayPrecedeRegeneration(claim, regenerated(AT_NOON), NOT_SEEN)).toBe(expected)
    expect(mayPrecedeRegeneration(claim, regenerated(AT_NOON, {}, 0), NOT_SEEN), 'never regenerated').toBe(false)
    expect(mayPrecedeRegeneration(claim, regenerated(AT_NOON, { generation: 1 }), NOT_SEEN), 'made so').toBe(false)
  })

  test.each([
    ['the claim was written later', { regeneratedAt: '99', claimedAt: '100' }, false],
    ['the claim was written earlier', { regeneratedAt: '100', claimedAt: '99' }, true],
    ['the claim was there before anybody watched', { regeneratedAt: '99', claimedAt: undefined }, true],
    ['only the ApiKey as it is now was seen, before the claim', { regeneratedAt: undefined, claimedAt: '121' }, false],
    ['only the ApiKey as it is now was seen, after the claim', { regeneratedAt: undefined, claimedAt: '119' }, true],
  ])('within one second, or where no time is known, the order counts: %s', (_what, sights, expected) => {
    expect(mayPrecedeRegeneration(read(), regenerated(AT_NOON), sights)).toBe(expected)
    expect(mayPrecedeRegeneration(read(), regenerated([{}]), sights)).toBe(expected)
  })

  test('that is a second older or younger is not judged by the order in which it was seen', () => {
    const [older, younger] = ['2026-11-22T11:59:59Z', '2026-11-22T12:00:01Z'].map((creationTimestamp) =>
      read({}, { creationTimestamp }),
    )
    if (older === undefined || younger === undefined) throw new Error('there are two')
    const key = regenerated(AT_NOON)
    expect(mayPrecedeRegeneration(older, key, { regeneratedAt: '99', claimedAt: '100' })).toBe(true)
    expect(mayPrecedeRegeneration(younger, key, { regeneratedAt: '100', claimedAt: '99' })).toBe(false)
  })
})

describe('when an ApiKey was regenerated', () => {
  const anApiKey = (regenerate: number, resourceVersion: string, uid = 'u'): KubeObject =>
    anObject({ spec: { regenerate } }, { resourceVersion, uid })

  test('is known by the first sight of it, in whatever order they come', () => {
    const sights = makeRegenerations()
    for (const seen of [anApiKey(1, '12'), anApiKey(0, '10'), anApiKey(1, '11'), anApiKey(1, '13')]) sights.saw(seen)
    expect(sights.seenAt(anApiKey(1, '14'))).toBe('11')
    sights.saw(anApiKey(2, '15'))
    sights.saw(anApiKey(1, '12'))
    expect([sights.seenAt(anApiKey(2, '15')), sights.seenAt(anApiKey(1, '12'))]).toEqual(['15', undefined])
  })

  test('is not that of another ApiKey of its name, and is forgotten with it', () => {
    const sights = makeRegenerations()
    sights.saw(anApiKey(1, '11'))
    expect(sights.seenAt(anApiKey(1, '20', 'v'))).toBeUndefined()
    sights.saw(anApiKey(1, '20', 'v'))
    sights.gone('team/main-1', 'u')
    expect(sights.seenAt(anApiKey(1, '20', 'v'))).toBe('20')
    sights.gone('team/main-1', 'v')
    expect(sights.seenAt(anApiKey(1, '20', 'v'))).toBeUndefined()
  })

  test('is not known of one that never was', () => {
    const sights = makeRegenerations()
    sights.saw(anApiKey(0, '11'))
    expect(sights.seenAt(anApiKey(0, '11'))).toBeUndefined()
  })
})

describe('what is sealed', () => {
  test('is read by the holder of the private key, in the form that is promised', async () => {
    const pair = await generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: true })
    const { x = '', y = '' } = await exportJWK(pair.publicKey)
    const credential = composeCredential(aKeyId('m'), new Uint8Array(RANDOM_BYTES).fill(7))
    const jwe = await seal(new Plaintext(credential), { kty: 'EC', crv: 'P-256', x, y })
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, pair.privateKey)
    expect(JSON.parse(Buffer.from(plaintext).toString())).toEqual({
      id: 'kw_prod_mmmmmmmmmmmm',
      secret: credential.text.slice('kw_prod_mmmmmmmmmmmm_'.length),
      key: credential.text,
    })
    expect(protectedHeader).toMatchObject({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
    expect(jwe.length).toBeLessThan(1024)
  })

  test('needs a point of the curve', async () => {
    const { x = '', y = '' } = await testJwk()
    expect([isOnCurve({ kty: 'EC', crv: 'P-256', x, y }), isOnCurve({ kty: 'EC', crv: 'P-256', x: y, y: x })]).toEqual([
      true,
      false,
    ])
  })
})
