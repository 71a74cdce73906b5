/** What each CRD says beside its schema: names, columns of tables, what can be selected by, its rules and its status. */
import type { z } from 'zod'
import { CHANGES as NAMESPACE_CHANGES, RULES as NAMESPACE_RULES } from '../access-namespace.ts'
import { CHANGES as KEY_CHANGES } from '../api-key-changes.ts'
import { CHANGES as CLAIM_CHANGES } from '../api-key-claim.ts'
import { RULES as KEY_RULES } from '../api-key-rules.ts'
import type { Cel, OnCluster } from '../cel.ts'
import type { ManifestKind } from '../manifest.ts'
import { RULES as API_RULES, TIES } from '../protected-api-rules.ts'
import { ROUTE_RULES } from '../route-rules.ts'
import { RULES as ISSUER_RULES } from '../token-issuer.ts'
import { accessNamespaceStatus, apiKeyStatus, claimStatus, protectedApiStatus, tokenIssuerStatus } from './status.ts'

export type Column = {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly jsonPath: string
  readonly description?: string
  readonly priority?: number
}

type Named = { readonly name: string; readonly cluster: OnCluster }

export type CrdKind = {
  readonly plural: string
  readonly shortNames: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  /** What the kind is, for `kubectl explain`. */
  readonly description: string
  readonly columns: readonly Column[]
  readonly selectable: readonly string[]
  /** By where in an object they are asked. */
  readonly rules: readonly (readonly [at: string, rules: readonly Named[]])[]
  /** On the object as a whole. */
  readonly atRoot: readonly Cel[]
  readonly status: z.ZodType
}

const text = (name: string, jsonPath: string, description?: string): Column => ({
  name,
  type: 'string',
  jsonPath,
  ...(description !== undefined && { description }),
})
const wide = (column: Column): Column => ({ ...column, priority: 1 })
const condition = (type: string, what: 'status' | 'reason' = 'status') =>
  `.status.conditions[?(@.type=="${type}")].${what}`
const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

const between: Named = { name: 'no two routes answer the same requests', cluster: [TIES] }

/** From the root, so that a status can't be taken away as a whole either. */
const ANSWER_STAYS: readonly Cel[] = ['version', 'jwe'].map((field) => ({
  rule: `!has(oldSelf.status) || !has(oldSelf.status.${field}) || (has(self.status) && has(self.status.${field}) && self.status.${field} == oldSelf.status.${field})`,
  message: `the ${field} of an answered claim is never changed or taken away`,
  field: `.status.${field}`,
  reason: 'FieldValueForbidden',
}))

export const CRD_KINDS: Readonly<Record<ManifestKind, CrdKind>> = {
  AccessNamespace: {
    plural: 'accessnamespaces',
    shortNames: ['an'],
    scope: 'Cluster',
    description:
      'AccessNamespace is one place in the tree of organizations, applications, workspaces and user groups that keys are bound to. It is no Kubernetes namespace.',
    columns: [
      text('Type', '.spec.type'),
      text('Parent', '.spec.parent'),
      text('External ID', '.spec.externalId', 'Its id in URLs and at the upstream, where that is not its name.'),
      text('Accepted', condition('Accepted')),
      AGE,
      wide(text('Display name', '.spec.displayName')),
    ],
    selectable: ['.spec.type', '.spec.parent'],
    rules: [['spec', [...NAMESPACE_RULES, ...NAMESPACE_CHANGES]]],
    atRoot: [],
    status: accessNamespaceStatus,
  },
  ApiKey: {
    plural: 'apikeys',
    shortNames: ['ak'],
    scope: 'Namespaced',
    description:
      'ApiKey is a key for protected APIs: what it may do, where, for how long. Its secret is made when it is claimed, and stored nowhere but as a digest.',
    columns: [
      text('ID', '.status.keyId', 'The public part of the key.'),
      text('Env', '.spec.environment', 'The environment that it works in.'),
      text('Namespace', '.spec.accessNamespace', 'The AccessNamespace that it is bound to.'),
      text('Permissions', '.status.permissionsSummary', 'What it may do now.'),
      text('Limit', '.status.limitsSummary', 'Rate and quota.'),
      text('Status', '.status.phase', 'Pending, Active, Inactive, Expired or Failed.'),
      { name: 'Last used', type: 'date', jsonPath: '.status.lastUsedAt', description: 'Give or take a few minutes.' },
      // a date that lies ahead would be shown as <invalid>
      text('Expires', '.spec.expiresAt', 'When it ends by itself.'),
      AGE,
      wide(text('Creator', '.status.createdBy.username', 'Who made it.')),
      wide(text('Claimant', '.status.credential.claimedBy.username', 'Who received its secret.')),
      wide({ ...text('Version', '.status.credential.version', 'How often it was made anew.'), type: 'integer' }),
    ],
    selectable: ['.spec.environment', '.spec.accessNamespace', '.spec.state', '.status.phase', '.status.keyId'],
    rules: [['spec', [...KEY_RULES, ...KEY_CHANGES]]],
    atRoot: [],
    status: apiKeyStatus,
  },
  ApiKeyClaim: {
    plural: 'apikeyclaims',
    shortNames: ['akc'],
    scope: 'Namespaced',
    description:
      'ApiKeyClaim asks for the credential of an ApiKey, once. The answer is encrypted to the public key of the claim. It goes when you delete it, or after ten minutes.',
    columns: [
      text('Key', '.spec.apiKey', 'The ApiKey that is claimed.'),
      { ...text('Version', '.status.version', 'The version that was handed over.'), type: 'integer' },
      text('Delivered', condition('Delivered')),
      text('Denied', condition('Denied', 'reason'), 'Why it was denied.'),
      AGE,
    ],
    selectable: ['.spec.apiKey'],
    rules: [['spec', CLAIM_CHANGES]],
    atRoot: ANSWER_STAYS,
    status: claimStatus,
  },
  ProtectedApi: {
    plural: 'protectedapis',
    shortNames: ['papi'],
    scope: 'Namespaced',
    description:
      'ProtectedApi is an API that keys open: the hosts of its environments, and what each of its routes asks.',
    columns: [
      text('Hosts', '.status.hostsSummary'),
      text('Accepted', condition('Accepted')),
      AGE,
      wide(text('Unmatched', '.spec.unmatched', 'What a request without a route gets.')),
    ],
    selectable: [],
    rules: [
      ['spec', [...API_RULES, between]],
      ['spec.routes[]', ROUTE_RULES],
    ],
    atRoot: [],
    status: protectedApiStatus,
  },
  TokenIssuer: {
    plural: 'tokenissuers',
    shortNames: ['ti'],
    scope: 'Cluster',
    description:
      'TokenIssuer says whose OAuth2 access tokens are accepted beside keys, and which of their claims say what.',
    columns: [text('Issuer', '.spec.issuer'), text('Accepted', condition('Accepted')), AGE],
    selectable: [],
    rules: [['spec', ISSUER_RULES]],
    atRoot: [],
    status: tokenIssuerStatus,
  },
}
