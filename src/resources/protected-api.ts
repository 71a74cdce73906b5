/** ProtectedApi: an API, the hosts of its environments, and what each of its routes asks of a key. */
import { z } from 'zod'
import { ENVIRONMENTS } from '../core/environment.ts'
import type { Permission } from '../core/permission.ts'
import { type Api, compileRoutes, type EnvironmentSpec, type RouteSpec } from '../core/route.ts'
import {
  display,
  dnsSubdomain,
  durationMs,
  matching,
  namespacedMetadata,
  objectOf,
  permission,
  shortDurationText,
} from './common.ts'
import type { KindDefinition } from './kind.ts'
import { apiFindings } from './protected-api-rules.ts'
import { MAX_ROUTES, route } from './route.ts'

export type FailureMode = {
  /** What counts where Redis is out of reach. */
  readonly limits: 'local' | 'open' | 'closed'
  readonly stale: { readonly afterMs: number; readonly action: 'serve' | 'deny' }
}

export type ProtectedApiSpec = {
  readonly environments: readonly EnvironmentSpec[]
  /** Names of permissions for people. */
  readonly permissions: readonly { readonly name: Permission; readonly title: string | undefined }[]
  readonly tokens: readonly { readonly issuer: string }[]
  readonly unmatched: 'deny' | 'authenticated'
  readonly preflight: 'deny' | 'allow'
  readonly failureMode: FailureMode
  readonly routes: readonly RouteSpec[]
}

export type ProtectedApi = {
  readonly kind: 'ProtectedApi'
  readonly namespace: string
  readonly name: string
  readonly spec: ProtectedApiSpec
}

const host = () =>
  matching({
    max: 253,
    pattern: /^(\*\.)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/,
    right: 'a host in lower case without port, such as api.example.com, or *.example.com for exactly one more label',
  })

const environment = z.strictObject({
  name: z.enum(ENVIRONMENTS).describe(`which environment: one of ${ENVIRONMENTS.join(', ')}`),
  hosts: z
    .array(host())
    .min(1)
    .max(32)
    .describe('the hosts that the API is served at, in lower case and without port. "*." stands for exactly one label'),
})

// biome-ignore lint/suspicious/noThenProperty: the field's name in the published resource
const STALE = { after: '15m', then: 'serve' } as const

const failureMode = z
  .strictObject({
    limits: z
      .enum(['local', 'open', 'closed'])
      .default('local')
      .describe(
        'what counts where Redis is out of reach. local: each replica counts by itself; open: nothing is counted; closed: limited keys are refused',
      ),
    stale: z
      .strictObject({
        after: shortDurationText()
          .default('15m')
          .describe('how old the last news from the API server may be, such as 15m'),
        // biome-ignore lint/suspicious/noThenProperty: the field's name in the published resource
        then: z
          .enum(['serve', 'deny'])
          .default('serve')
          .describe('what happens then: serve goes on with what is known, deny refuses'),
      })
      .default(STALE)
      .describe('what happens while the API server can not be asked'),
  })
  .default({ limits: 'local', stale: STALE })
  .describe('what happens while something is out of reach')

const spec = z
  .strictObject({
    environments: z.array(environment).min(1).max(ENVIRONMENTS.length).describe('environments and their hosts'),
    permissions: z
      .array(
        z.strictObject({
          name: permission().describe('the permission'),
          title: display().describe('its name for people').optional(),
        }),
      )
      .max(256)
      .describe('names of permissions for people. They grant nothing')
      .optional(),
    tokens: z
      .array(z.strictObject({ issuer: dnsSubdomain().describe('name of the TokenIssuer') }))
      .max(8)
      .describe('whose OAuth2 access tokens are accepted beside keys')
      .optional(),
    unmatched: z
      .enum(['deny', 'authenticated'])
      .default('deny')
      .describe('what a request without a route gets. deny: 403; authenticated: any valid key will do'),
    preflight: z.enum(['deny', 'allow']).default('deny').describe('whether CORS preflights pass without a credential'),
    failureMode,
    routes: z
      .array(route)
      .min(1)
      .max(MAX_ROUTES)
      .describe('what each path asks of a key. The most specific route wins, whatever the order'),
  })
  .describe('environments and routes')

const schema = objectOf({ kind: 'ProtectedApi', metadata: namespacedMetadata, spec })

/** The spec as it is written. */
export type RawApiSpec = z.input<typeof spec>

export const protectedApi: KindDefinition<typeof schema, ProtectedApi> = {
  schema,
  rules: (value, problems) => apiFindings(value.spec, problems),
  read: ({ metadata: { namespace, name }, spec: raw }) => ({
    kind: 'ProtectedApi',
    namespace,
    name,
    spec: {
      environments: raw.environments,
      permissions: (raw.permissions ?? []).map(({ name, title }) => ({ name, title })),
      tokens: raw.tokens ?? [],
      unmatched: raw.unmatched,
      preflight: raw.preflight,
      failureMode: {
        limits: raw.failureMode.limits,
        stale: { afterMs: durationMs(raw.failureMode.stale.after), action: raw.failureMode.stale.then },
      },
      routes: raw.routes,
    },
  }),
}

/** The API as decisions read it. */
export const compileApi = ({ namespace, name, spec }: ProtectedApi): Api => ({
  name: `${namespace}/${name}`,
  environments: spec.environments,
  unmatched: spec.unmatched,
  preflight: spec.preflight,
  acceptsTokens: spec.tokens.length > 0,
  limitFailure: spec.failureMode.limits,
  refusedWhenStaleMs: spec.failureMode.stale.action === 'deny' ? spec.failureMode.stale.afterMs : undefined,
  routes: compileRoutes(spec.routes),
})
