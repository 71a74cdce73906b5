/** Edits of keys, drawn but always the same: of what may widen, in all the ways that it is written. */
import fc from 'fast-check'

const some = <T>(...values: readonly [T, ...T[]]) => fc.subarray([...values], { minLength: 1 })
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const rate = fc.record({ requests: fc.integer({ min: 1, max: 3 }), per: fc.constantFrom('1s', '1m') })
const SECRET = { secretName: 'x' }
const IMPORTED = { keyId: 'kw_prod_4fQ0Zp8sLm2T' }
const specs = fc.record({
  permissions: some('a:read', 'a:write', 'b:read'),
  customers: maybe(some('a', 'b')),
  allowedCIDRs: maybe(some('10.0.0.0/8', '10.1.0.0/16', '192.0.2.0/24')),
  rateLimit: maybe(
    fc.oneof(
      rate,
      rate.map((one) => ({ ...one, burst: 2 })),
    ),
  ),
  quota: maybe(fc.record({ requests: fc.integer({ min: 1, max: 2 }), per: fc.constantFrom('day', 'month') })),
  state: fc.constantFrom('Active', 'Active', 'Suspended', 'Revoked'),
  expiresAt: fc.constantFrom(undefined, undefined, '2999-01-01T00:00:00Z', '2999-01-02T00:00:00Z'),
  regenerate: fc.constantFrom(0, 0, 0, 1),
  overlap: fc.constantFrom('0s', '1h', '60m', '61m'),
  rotation: fc.constantFrom(undefined, { every: '24h' }, { every: '1440m' }, { every: '48h' }),
  delivery: fc.constantFrom(
    ...[undefined, undefined, SECRET, SECRET, { secretName: 'y' }],
    ...['a', 'b'].map((digit) => ({ ...IMPORTED, digest: `sha256:${digit.repeat(64)}` })),
  ),
})

/** As it can be made: nothing rotates but in a Secret, and what is imported is not drawn anew. */
export const makeable = ({
  rotation,
  regenerate,
  ...spec
}: typeof specs extends fc.Arbitrary<infer Spec> ? Spec : never) => ({
  ...spec,
  rotation: spec.delivery !== undefined && 'secretName' in spec.delivery ? rotation : undefined,
  regenerate: spec.delivery !== undefined && 'digest' in spec.delivery ? 0 : regenerate,
})

/** Before, after, and which fields are edited. */
export const drawnEdits = () =>
  fc.sample(
    fc.tuple(
      specs,
      specs,
      fc.subarray(
        [
          'permissions',
          'customers',
          'allowedCIDRs',
          'rateLimit',
          'quota',
          'state',
          'regenerate',
          'overlap',
          'rotation',
          'delivery',
          'expiresAt',
        ] as const,
        { minLength: 1, maxLength: 2 },
      ),
    ),
    { numRuns: 200, seed: 20261123 },
  )
