/** ApiKeyClaim: asks for the credential of an ApiKey with a public key; only its private key's holder can read the answer. */
import { z } from 'zod'
import type { Change } from './change.ts'
import { dnsSubdomain, matching, namespacedMetadata, objectOf, type SchemaMeta } from './common.ts'
import type { KindDefinition } from './kind.ts'
import { forbidden } from './problem.ts'

export type PublicJwk = { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }

export type ApiKeyClaimSpec = {
  readonly apiKey: string
  /** undefined: whichever version is due. */
  readonly version: number | undefined
  readonly publicJwk: PublicJwk
}

export type ApiKeyClaim = {
  readonly kind: 'ApiKeyClaim'
  readonly namespace: string
  readonly name: string
  readonly spec: ApiKeyClaimSpec
}

const coordinate = (name: string) =>
  matching({ max: 43, pattern: /^[A-Za-z0-9_-]{43}$/, right: '43 characters of base64url' }).describe(
    `the ${name} coordinate; YAML 1.1 reads an unquoted y as true, so write "y"`,
  )

const PRIVATE = 'this is a private key: make a new pair and send its public part only'

const publicJwk = z
  .strictObject({
    kty: z.literal('EC').describe('EC'),
    crv: z.literal('P-256').describe('P-256'),
    x: coordinate('x'),
    y: coordinate('y'),
    // refused by name, whatever it holds
    d: z
      .never(PRIVATE)
      .meta({ right: PRIVATE } satisfies SchemaMeta)
      .describe('never given: it is the private part')
      .optional(),
    // what exporters of keys add is let through
    kid: z.string().max(256).describe('let through, and not looked at').optional(),
    use: z.string().max(32).describe('let through, and not looked at').optional(),
    alg: z.string().max(64).describe('let through, and not looked at').optional(),
    key_ops: z.array(z.string().max(32)).max(16).describe('let through, and not looked at').optional(),
    ext: z.boolean().describe('let through, and not looked at').optional(),
  })
  .describe(
    'the public key that the credential is encrypted to. Make a pair, keep the private part, and put the public one here',
  )

const spec = z
  .strictObject({
    apiKey: dnsSubdomain().describe('name of the ApiKey, in the same Kubernetes namespace'),
    version: z
      .int()
      .min(1)
      .max(Number.MAX_SAFE_INTEGER)
      .describe('this version or none. Left out: whichever is due')
      .optional(),
    publicJwk,
  })
  .describe('the ApiKey that is claimed, and a public key. It never changes: for another claim create another object')

const schema = objectOf({ kind: 'ApiKeyClaim', metadata: namespacedMetadata, spec })

export const apiKeyClaim: KindDefinition<typeof schema, ApiKeyClaim> = {
  schema,
  rules: () => [],
  read: ({ metadata: { namespace, name }, spec: { apiKey, version, publicJwk } }) => ({
    kind: 'ApiKeyClaim',
    namespace,
    name,
    spec: {
      apiKey,
      version,
      publicJwk: { kty: publicJwk.kty, crv: publicJwk.crv, x: publicJwk.x, y: publicJwk.y },
    },
  }),
}

const CREATE_ANOTHER = 'a claim is immutable: create another one'

const nothingChanges: Change<ApiKeyClaimSpec> = {
  name: 'a claim is immutable',
  check: (before, after) => {
    const same =
      before.apiKey === after.apiKey &&
      before.version === after.version &&
      before.publicJwk.x === after.publicJwk.x &&
      before.publicJwk.y === after.publicJwk.y
    return same ? undefined : { at: [], message: forbidden(CREATE_ANOTHER) }
  },
  cluster: [{ rule: 'self == oldSelf', message: CREATE_ANOTHER, reason: 'FieldValueForbidden' }],
}

export const CHANGES: readonly Change<ApiKeyClaimSpec>[] = [nothingChanges]
