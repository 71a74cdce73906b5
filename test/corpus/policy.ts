/** What manifests/ says, once more by hand: the oracle reads this and nothing of the product. */

/** A key as the upstream must be told of it. */
export type Holder = {
  readonly name: string
  readonly environment: 'production' | 'staging'
  readonly namespace: string
  readonly namespaceType: string
  readonly organization: string
  readonly application: string
  readonly workspace: string
  readonly permissions: readonly string[]
}

const SHOP_EU = {
  environment: 'production',
  namespace: 'shop-eu',
  namespaceType: 'workspace',
  organization: 'acme',
  application: 'shop',
  workspace: 'shop-eu',
} as const

const BILLING_EU = {
  ...SHOP_EU,
  namespace: 'billing-eu',
  organization: 'globex',
  application: 'billing',
  workspace: 'billing-eu',
} as const

/** Keys that are good in production, by fixture name; every other credential is good for nothing here. */
export const HOLDERS: Readonly<Record<string, Holder>> = {
  KEY_OK: { ...SHOP_EU, name: 'team-a/ok', permissions: ['api:read', 'orders:create'] },
  KEY_RO: { ...SHOP_EU, name: 'team-a/ro', permissions: ['api:read'] },
  KEY_ADMIN: {
    ...SHOP_EU,
    name: 'team-admin/admin',
    namespace: 'shop',
    namespaceType: 'application',
    workspace: '',
    permissions: ['api:read', 'orders:create', 'orders:delete', 'admin:all'],
  },
  KEY_OTHER: { ...BILLING_EU, name: 'team-c/other', permissions: ['api:read'] },
  KEY_OTHER_NS: { ...BILLING_EU, name: 'team-b/other-ns', permissions: ['api:read', 'orders:create'] },
  KEY_LOW_RATE: { ...SHOP_EU, name: 'team-a/low-rate', permissions: ['api:read'] },
  KEY_NEAR: { ...SHOP_EU, name: 'team-a/near', permissions: ['api:read'] },
}

export const PRODUCTION_HOST = 'api.test'

/** Anybody, without a key. */
export const isPublic = (method: string, path: string): boolean =>
  (method === 'GET' || method === 'HEAD') && path.startsWith('/public/')

/** What a holder may do with its key, one plain rule after the other; on public paths nobody looks at keys. */
export function mayDo(holder: Holder, method: string, path: string): boolean {
  const holds = (permission: string) => holder.permissions.includes(permission)
  if (path.startsWith('/admin/')) return method !== 'OPTIONS' && holds('admin:all')
  if (!path.startsWith('/api/')) return false
  if (method === 'GET' || method === 'HEAD') return holds('api:read') && mayReadWorkspace(holder, path)
  if (method === 'POST') return path === '/api/orders' && holds('orders:create')
  return method === 'DELETE' && /^\/api\/orders\/[^/]+$/.test(path) && holds('orders:delete')
}

function mayReadWorkspace(holder: Holder, path: string): boolean {
  const workspace = /^\/api\/workspaces\/([^/]+)$/.exec(path)?.[1]
  return workspace === undefined || workspace === holder.workspace
}
