import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { secretOf } from '../../src/core/credential.ts'
import { Plaintext } from '../../src/core/plaintext.ts'
import { aCredential } from '../support/make.ts'

const credential = aCredential()
const plaintext = new Plaintext(credential)

test('a plaintext reveals its ID, secret and key when asked by name', () => {
  expect(plaintext.reveal()).toEqual({ id: credential.keyId, secret: secretOf(credential), key: credential.text })
})

test.each([
  ['a template', () => `${plaintext}`],
  ['String()', () => String(plaintext)],
  ['JSON', () => JSON.stringify({ plaintext })],
  ['inspection', () => inspect({ plaintext }, { depth: 9, showHidden: true })],
  ['an error', () => new Error('oops', { cause: plaintext }).stack ?? ''],
  ['its own properties', () => JSON.stringify(Object.entries(plaintext))],
  ['a copy', () => inspect({ ...plaintext })],
])('a plaintext does not show its secret in %s', (_what, shown) => {
  expect(shown()).not.toContain(secretOf(credential).slice(0, 12))
})
