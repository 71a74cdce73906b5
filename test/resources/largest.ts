/** The largest objects that the bounds of the schemas let through, with everything as long as it may be. */
import { METHODS } from '../../src/core/route.ts'
import { aKey, aNamespace, anApi, anIssuer } from './cases.ts'

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

/** Alike but for their ends, so that comparing them takes long. */
const long = (length: number, i: number): string => String(i).padStart(length, 'a')
const permission = (i: number): string =>
  `${'a'.repeat(63)}:${'b'.repeat(60)}${String.fromCharCode(97 + (i >> 6), 97 + ((i >> 3) & 7), 97 + (i & 7))}`
const host = (i: number): string => `${many(3, () => 'h'.repeat(61)).join('.')}.${'h'.repeat(58)}.${long(5, i)}`

const route = (i: number) => ({
  methods: METHODS,
  path: `/{id}/{customer}/${many(56, () => 'abc').join('/')}/${long(6, i)}/**`,
  permissionByMethod: Object.fromEntries([...METHODS, '*'].map((method) => [method, permission(1)])),
  ...{ resource: 'workspace', id: 'id', customer: 'customer' },
  reach: { workspace: 'lineage', application: 'within', organization: 'within' },
})

const KEY = { kty: 'RSA', n: 'A'.repeat(4000), e: 'AQAB' }

export const LARGEST: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  [
    'a ProtectedApi',
    anApi({
      environments: ['production', 'staging', 'development'].map((name, i) => ({
        name,
        hosts: many(32, (j) => host(100 * i + j)),
      })),
      permissions: many(256, (i) => ({ name: permission(i), title: 'a'.repeat(128) })),
      tokens: many(8, (i) => ({ issuer: long(253, i) })),
      routes: many(256, route),
    }),
  ],
  [
    'an ApiKey',
    aKey({
      displayName: 'a'.repeat(128),
      permissions: many(64, permission),
      customers: many(64, (i) => long(128, i)),
      allowedCIDRs: many(64, (i) => `2001:db8:aaaa:bbbb:cccc:dddd:eeee:${(i + 4096).toString(16)}/128`),
    }),
  ],
  ['an AccessNamespace', aNamespace({ type: 'workspace', parent: 'a'.repeat(63), externalId: 'a'.repeat(128) })],
  [
    'a TokenIssuer',
    anIssuer({
      ...{ jwksUri: undefined, jwks: JSON.stringify({ keys: many(16, () => KEY) }) },
      audiences: many(16, (i) => long(512, i)),
    }),
  ],
]
