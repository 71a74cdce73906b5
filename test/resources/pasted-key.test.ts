import { expect, test } from 'vitest'
import { parseManifest } from '../../src/resources/manifest.ts'
import { aCredential } from '../support/make.ts'

const { text: key } = aCredential()

const manifest = (metadata: Record<string, unknown>, spec: Record<string, unknown>) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata: { name: 'main', ...metadata },
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['a:b'], ...spec },
})

test.each([
  ['a display name', manifest({}, { displayName: `our ${key}` }), 'spec.displayName'],
  ['a customer', manifest({}, { customers: ['x', key] }), 'spec.customers[1]'],
  ['an annotation', manifest({ annotations: { note: key } }, {}), 'metadata.annotations.note'],
  ['the name of an annotation', manifest({ annotations: { [key]: '' } }, {}), 'metadata.annotations'],
])('a whole key in %s is refused, and not repeated', (_what, value, field) => {
  const read = parseManifest(value)
  expect(read.ok).toBe(false)
  if (read.ok) return
  expect(read.problems.map((problem) => problem.field)).toEqual([field])
  expect(JSON.stringify(read.problems)).not.toContain(key.slice(-49))
})

test('a text that only looks like one is left alone, and so is a key ID', () => {
  const wrong = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`
  expect(parseManifest(manifest({}, { displayName: wrong })).ok).toBe(true)
  expect(parseManifest(manifest({}, { displayName: key.slice(0, 20) })).ok).toBe(true)
})
