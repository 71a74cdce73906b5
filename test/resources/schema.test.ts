// What the schemas declare: bounds everywhere, patterns that the API server can run, no field without a purpose.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { parseDigest, parseKeyId } from '../../src/core/credential.ts'
import { durationMs, instantMs } from '../../src/resources/common.ts'
import { KINDS } from '../../src/resources/manifest.ts'
import { closest } from '../../src/resources/suggest.ts'

type Json = { readonly [key: string]: unknown }

/** Every node of the JSON Schema of every spec, with the way to it. */
function nodes(schema: unknown, way: string): (readonly [string, Json])[] {
  if (typeof schema !== 'object' || schema === null) return []
  const node = schema as Json
  const inside = Object.entries((node.properties ?? {}) as Json).flatMap(([name, one]) => nodes(one, `${way}.${name}`))
  return [[way, node], ...inside, ...nodes(node.items, `${way}[]`)]
}

const SPECS = Object.entries(KINDS).flatMap(([kind, { schema }]) =>
  nodes(z.toJSONSchema(schema.shape.spec, { io: 'input', target: 'openapi-3.0', unrepresentable: 'any' }), kind),
)

describe('the schemas', () => {
  test('can be written as JSON Schema, with all their fields', () => {
    expect(SPECS.length).toBeGreaterThan(100)
    expect(SPECS.map(([way]) => way)).toContain('ProtectedApi.routes[].narrow.filter.items')
  })

  test('bound every string, list and number', () => {
    const unbounded = SPECS.filter(([, node]) => {
      if (node.enum !== undefined || node.const !== undefined) return false
      if (node.type === 'string') return node.maxLength === undefined
      if (node.type === 'array') return node.maxItems === undefined
      return node.type === 'integer' && node.maximum === undefined
    })
    expect(unbounded.map(([way]) => way)).toEqual([])
  })

  test('let no unknown field through', () => {
    const open = SPECS.filter(([, node]) => node.type === 'object' && node.additionalProperties !== false)
    // a mapping from methods, whose names are a rule's affair
    expect(open.map(([way]) => way)).toEqual(['ProtectedApi.routes[].permissionByMethod'])
  })

  test('keep to patterns that RE2 can run', () => {
    const patterns = SPECS.flatMap(([, { pattern }]) => (typeof pattern === 'string' ? [pattern] : []))
    expect(patterns.length).toBeGreaterThan(20)
    // lookaround, back references, and the escapes that RE2 does not know
    expect(patterns.filter((pattern) => /\(\?[=!<]|\\[1-9uck]/.test(pattern))).toEqual([])
  })

  test('describe every field that must be there', () => {
    const silent = SPECS.flatMap(([way, node]) =>
      ((node.required ?? []) as readonly string[])
        .filter((name) => ((node.properties as Json)[name] as Json).description === undefined)
        .map((name) => `${way}.${name}`),
    )
    expect(silent).toEqual([])
  })

  test.each([
    ['kw_prod_4fQ0Zp8sLm2T', true],
    ['kw_test_4fQ0Zp8sLm2T', false],
    ['kw_prod_4fQ0Zp8sLm2', false],
  ])('agree with the core about the key ID %s', (keyId, right) => {
    const { keyId: field } = KINDS.ApiKey.schema.shape.spec.shape.delivery.unwrap().shape
    expect(field.safeParse(keyId).success).toBe(right)
    expect(parseKeyId(keyId).ok).toBe(right)
  })

  test.each([
    [`sha256:${'0'.repeat(64)}`, true],
    [`sha256:${'0'.repeat(63)}`, false],
    [`SHA256:${'0'.repeat(64)}`, false],
  ])('agree with the core about the digest %s', (digest, right) => {
    const { digest: field } = KINDS.ApiKey.schema.shape.spec.shape.delivery.unwrap().shape
    expect(field.safeParse(digest).success).toBe(right)
    expect(parseDigest(digest).ok).toBe(right)
  })
})

describe('scalars', () => {
  test.each([
    ['0s', 0],
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['720h', 2_592_000_000],
    ['1m1m', 120_000],
    ['2d', 172_800_000],
  ])('%s is %d milliseconds', (text, ms) => {
    expect(durationMs(text)).toBe(ms)
  })

  test.each([
    ['2027-03-01T00:00:00Z', Date.UTC(2027, 2, 1)],
    ['2027-03-01T00:30:00.5+01:00', Date.UTC(2027, 1, 28, 23, 30, 0, 500)],
    ['2028-02-29T00:00:00Z', Date.UTC(2028, 1, 29)],
    ['0000-02-29T00:00:00Z', -62_162_121_600_000],
    ['0001-02-29T00:00:00Z', undefined],
    ['0099-12-31T00:00:00Z', -59_011_545_600_000],
    ['2027-02-29T00:00:00Z', undefined],
    ['2027-04-31T00:00:00Z', undefined],
  ])('%s is a moment, if the calendar has it', (text, at) => {
    expect(instantMs(text)).toBe(at)
  })
})

test.each([
  ['permisions', 'permissions'],
  ['permissoins', 'permissions'],
  ['allowed_cidrs', 'allowedCIDRs'],
  ['rate-limit', 'rateLimit'],
  ['Quota', 'quota'],
  ['x', undefined],
  ['quorum', undefined],
  ['q'.repeat(10_000), undefined],
])('%s could mean %s', (written, meant) => {
  expect(closest(written, ['permissions', 'allowedCIDRs', 'rateLimit', 'quota', 'id'])).toBe(meant)
})
