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

  test.each([
    ['a second before', '2026-11-22T11:59:59Z', true],
    ['in the same second as', '2026-11-22T12:00:00Z', true],
    ['a second after', '2026-11-22T12:00:01Z', false],
  ])('that was made %s the regeneration', (_what, creationTimestamp, expected) => {
    const key = apiKey(written('2026-11-22T12:00:00Z', SPEC))
    expect(mayPrecedeRegeneration(read({}, { creationTimestamp }), key, 1)).toBe(expected)
    expect(mayPrecedeRegeneration(read({}, { creationTimestamp }), key, 0), 'a key that was never regenerated').toBe(
      false,
    )
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
