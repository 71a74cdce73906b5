/** TokenIssuer: whose OAuth2 access tokens are accepted beside keys, and which claims say what. */
import { z } from 'zod'
import { display, durationMs, matching, objectOf, shortDurationText, subdomainNamed } from './common.ts'
import { echo } from './echo.ts'
import type { KindDefinition } from './kind.ts'
import { forbidden, isObject, required, wrong } from './problem.ts'
import { distinct, findings, type Rule } from './rule.ts'

/** Signatures only: with a shared secret whoever can check a token could make one. */
export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

export type TokenIssuerSpec = {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly keys: { readonly kind: 'uri'; readonly uri: string } | { readonly kind: 'inline'; readonly jwks: string }
  readonly algorithms: readonly Algorithm[]
  /** Names of the claims. */
  readonly claims: {
    readonly accessNamespace: string
    readonly permissions: string
    readonly environment: string | undefined
    readonly customers: string | undefined
  }
  readonly maxTokenAgeMs: number | undefined
  readonly typ: string | undefined
  readonly clockToleranceMs: number
}

export type TokenIssuer = { readonly kind: 'TokenIssuer'; readonly name: string; readonly spec: TokenIssuerSpec }

const HTTPS =
  /^https:\/\/([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(\/[!$-;=?-Z_a-z~]*)?$/

const httpsUrl = (max: number) =>
  matching({
    max,
    pattern: HTTPS,
    right: 'an https URL without user and fragment, such as https://id.example.com/jwks',
  })

const claimName = () => display()

const spec = z
  .strictObject({
    issuer: httpsUrl(512).describe('the https URL that tokens name as iss'),
    audiences: z.array(display(512)).min(1).max(16).describe('what tokens name as aud; one of them is enough'),
    jwksUri: httpsUrl(1024).describe('where the public keys are fetched. Exactly one of jwksUri and jwks').optional(),
    jwks: z
      .string()
      .min(1)
      .max(65_536)
      .describe('the public keys themselves, a JWK Set as JSON in a string')
      .optional(),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .max(ALGORITHMS.length)
      .describe(
        'which signatures are accepted, such as [ES256]. Signatures only: a shared secret could sign for others',
      ),
    claims: z
      .strictObject({
        accessNamespace: claimName().describe('the claim that names the access namespace'),
        permissions: claimName().describe('the claim that lists the permissions'),
        environment: claimName().describe('the claim that names the environment').optional(),
        customers: claimName().describe('the claim that lists the customers').optional(),
      })
      .describe('which claims say what'),
    maxTokenAge: shortDurationText().describe('how long after iat a token is accepted at most, such as 1h').optional(),
    typ: matching({ max: 64, pattern: /^[A-Za-z0-9!#$&^_.+/-]+$/, right: 'a media type such as at+jwt' })
      .describe('what the typ of a token must be, such as at+jwt')
      .optional(),
    clockTolerance: matching({
      max: 12,
      pattern: /^(0|[1-9][0-9]{0,5})(s|m|h)$/,
      right: 'a whole number of s, m or h, such as 5s',
    })
      .default('5s')
      .describe("how far the issuer's clock may be off, such as 5s"),
  })
  .describe('whose tokens are accepted')

const schema = objectOf({ kind: 'TokenIssuer', metadata: subdomainNamed, spec })

type Raw = z.input<typeof spec>

const ONE_SOURCE = 'exactly one of jwksUri and jwks'

const keysComeOneWay: Rule<Raw> = {
  name: 'exactly one of jwksUri and jwks',
  reads: [],
  check: ({ jwksUri, jwks }) => {
    if (jwksUri === undefined && jwks === undefined) {
      return { at: ['jwksUri'], message: required(ONE_SOURCE) }
    }
    return jwksUri !== undefined && jwks !== undefined ? { at: ['jwks'], message: forbidden(ONE_SOURCE) } : undefined
  },
  cluster: [
    {
      rule: 'has(self.jwksUri) || has(self.jwks)',
      message: ONE_SOURCE,
      field: '.jwksUri',
      reason: 'FieldValueRequired',
    },
    {
      rule: '!has(self.jwksUri) || !has(self.jwks)',
      message: ONE_SOURCE,
      field: '.jwks',
      reason: 'FieldValueForbidden',
    },
  ],
}

const KEY_TYPES = ['RSA', 'EC', 'OKP']
/** RFC 7518 §6: what only the owner of a key has. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const MAX_KEYS = 16

/** JSON has no other way to write the name of a member, unless somebody hides it; and then the webhook sees it. */
const PRIVATE_NAME = `"(${PRIVATE_MEMBERS.join('|')})"[ \\t\\r\\n]*:`
const FOUND_NAME = `self.jwks.find('${PRIVATE_NAME}')`

const jwksIsPublic: Rule<Raw> = {
  name: 'jwks is a JWK Set of public keys',
  reads: ['jwks'],
  check: ({ jwks }) => {
    const problem = jwks === undefined ? undefined : wrongJwks(parsedJson(jwks))
    return problem === undefined ? undefined : { at: ['jwks'], message: problem }
  },
  cluster: [
    {
      rule: `!has(self.jwks) || ${FOUND_NAME} == ''`,
      message: 'a private key stands in it: public keys only',
      says: `'it holds "' + ${FOUND_NAME}.split('"')[1] + '", which is private: public keys only'`,
      field: '.jwks',
      reason: 'FieldValueForbidden',
    },
    { webhook: 'CEL can not read JSON in a string: whether it is a JWK Set of keys of known types' },
  ],
}

function wrongJwks(set: unknown): string | undefined {
  const keys = isObject(set) ? set.keys : undefined
  if (!Array.isArray(keys)) return wrong('not a JWK Set: JSON such as {"keys": [{"kty": "EC", …}]}')
  if (keys.length < 1 || keys.length > MAX_KEYS) return wrong(`${keys.length} keys: from 1 to ${MAX_KEYS}`)
  const secret = keys.flatMap((key) => (isObject(key) ? PRIVATE_MEMBERS.filter((one) => Object.hasOwn(key, one)) : []))
  if (secret[0] !== undefined) return forbidden(`it holds "${secret[0]}", which is private: public keys only`)
  for (const [i, key] of keys.entries()) {
    if (!isObject(key)) return wrong(`keys[${i}] must be a JWK`)
    if (typeof key.kty !== 'string' || !KEY_TYPES.includes(key.kty))
      return wrong(`the kty of keys[${i}] is ${echo(key.kty)}, and must be one of ${KEY_TYPES.join(', ')}`)
  }
  return undefined
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const RULES: readonly Rule<Raw>[] = [distinct('audiences'), keysComeOneWay, jwksIsPublic, distinct('algorithms')]

export const tokenIssuer: KindDefinition<typeof schema, TokenIssuer> = {
  schema,
  rules: (value, problems) => findings(RULES, { value: value.spec, base: ['spec'], problems }),
  read: ({ metadata: { name }, spec: raw }) => ({
    kind: 'TokenIssuer',
    name,
    spec: {
      issuer: raw.issuer,
      audiences: raw.audiences,
      keys: raw.jwks === undefined ? { kind: 'uri', uri: raw.jwksUri ?? '' } : { kind: 'inline', jwks: raw.jwks },
      algorithms: raw.algorithms,
      claims: {
        accessNamespace: raw.claims.accessNamespace,
        permissions: raw.claims.permissions,
        environment: raw.claims.environment,
        customers: raw.claims.customers,
      },
      maxTokenAgeMs: raw.maxTokenAge === undefined ? undefined : durationMs(raw.maxTokenAge),
      typ: raw.typ,
      clockToleranceMs: durationMs(raw.clockTolerance),
    },
  }),
}
