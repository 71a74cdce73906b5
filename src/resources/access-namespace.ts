/** AccessNamespace: one place in the tree of organizations, applications, workspaces and user groups. */
import { z } from 'zod'
import { NAMESPACE_TYPES, type NamespaceType, PARENT_TYPES } from '../core/namespace.ts'
import { celMap } from './cel.ts'
import { type Change, immutable } from './change.ts'
import { display, dnsLabel, labelNamed, objectOf, urlId, withArticle } from './common.ts'
import type { KindDefinition } from './kind.ts'
import { forbidden, required } from './problem.ts'
import { findings, type Rule } from './rule.ts'

export type AccessNamespaceSpec = {
  readonly type: NamespaceType
  readonly parent: string | undefined
  readonly displayName: string | undefined
  /** Its id in URLs and at the upstream; the object's name unless another is given. */
  readonly externalId: string
}

export type AccessNamespace = {
  readonly kind: 'AccessNamespace'
  readonly name: string
  readonly spec: AccessNamespaceSpec
}

const spec = z
  .strictObject({
    type: z.enum(NAMESPACE_TYPES).describe(`what it is: one of ${NAMESPACE_TYPES.join(', ')}. It never changes`),
    parent: dnsLabel()
      .describe(
        'name of the AccessNamespace that it lies in: of an application an organization, of a workspace an application, of a user group either. An organization has none. It never changes',
      )
      .optional(),
    displayName: display().describe('its name for people').optional(),
    externalId: urlId()
      .describe('its id in URLs and at the upstream, where that is not its name. Unique among those of its type')
      .optional(),
  })
  .describe('type, and parent unless it is an organization')

const schema = objectOf({ kind: 'AccessNamespace', metadata: labelNamed, spec })

type Raw = z.input<typeof spec>

const NO_PARENT = 'an organization has no parent'

const parentFitsType: Rule<Raw> = {
  name: 'an organization has no parent, every other type has one',
  reads: ['type'],
  check: ({ type, parent }) => {
    const above = PARENT_TYPES[type]
    if (above.length === 0) {
      return parent === undefined ? undefined : { at: ['parent'], message: forbidden(NO_PARENT) }
    }
    return parent === undefined ? { at: ['parent'], message: required(parentOf(type)) } : undefined
  },
  cluster: [
    {
      rule: "self.type != 'organization' || !has(self.parent)",
      message: NO_PARENT,
      field: '.parent',
      reason: 'FieldValueForbidden',
    },
    {
      rule: "self.type == 'organization' || has(self.parent)",
      message: 'only an organization has no parent',
      says: `${celMap(Object.fromEntries(NAMESPACE_TYPES.map((type) => [type, parentOf(type)])))}[self.type]`,
      field: '.parent',
      reason: 'FieldValueRequired',
    },
  ],
}

function parentOf(type: NamespaceType): string {
  return `the parent of ${withArticle(type)} is an AccessNamespace of type ${PARENT_TYPES[type].join(' or ')}`
}

export const RULES = [parentFitsType] as const

export const accessNamespace: KindDefinition<typeof schema, AccessNamespace> = {
  schema,
  rules: (value, problems) => findings(RULES, { value: value.spec, base: ['spec'], problems }),
  read: ({ metadata: { name }, spec: { type, parent, displayName, externalId } }) => ({
    kind: 'AccessNamespace',
    name,
    spec: { type, parent, displayName, externalId: externalId ?? name },
  }),
}

/** What an update may not do. */
export const CHANGES: readonly Change<AccessNamespaceSpec>[] = [immutable('type'), immutable('parent')]
