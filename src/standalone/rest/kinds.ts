/** PURE: the kinds as resources: their paths, what may be done with them, and the documents in which clients look that up. */
import { API_VERSION } from '../../resources/common.ts'
import { CRD_KINDS, type CrdKind } from '../../resources/crd/kinds.ts'
import { KINDS, type ManifestKind } from '../../resources/manifest.ts'
import { CORE_RESOURCES } from './beside.ts'
import { GROUP } from './refusal.ts'

export type Resource = Pick<CrdKind, 'plural' | 'shortNames' | 'columns' | 'selectable'> & {
  readonly kind: ManifestKind
  readonly namespaced: boolean
}

export const VERSION = 'v1alpha1'

export const RESOURCES: readonly Resource[] = (Object.keys(KINDS) as ManifestKind[]).map((kind) => {
  const { plural, shortNames, columns, selectable, scope } = CRD_KINDS[kind]
  return { kind, plural, shortNames, columns, selectable, namespaced: scope === 'Namespaced' }
})

const WRITTEN = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']
const CLAIMED = ['create', 'delete', 'get', 'list', 'watch']

const preferred = { groupVersion: API_VERSION, version: VERSION }
const group = { name: GROUP, versions: [preferred], preferredVersion: preferred }

const resources = RESOURCES.map(({ kind, plural, shortNames, namespaced }) => ({
  name: plural,
  singularName: kind.toLowerCase(),
  namespaced,
  kind,
  verbs: kind === 'ApiKeyClaim' ? CLAIMED : WRITTEN,
  shortNames,
  categories: ['keyward'],
}))

/** By path, without query. @param version of Keyward */
export const discovery = (version: string): ReadonlyMap<string, object> =>
  new Map<string, object>([
    ['/api', { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }],
    ['/api/v1', CORE_RESOURCES],
    ['/apis', { kind: 'APIGroupList', apiVersion: 'v1', groups: [group] }],
    [`/apis/${GROUP}`, { kind: 'APIGroup', apiVersion: 'v1', ...group }],
    [`/apis/${API_VERSION}`, { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: API_VERSION, resources }],
    // the version of the API that is spoken here; clients compare it with their own
    ['/version', { major: '1', minor: '36', gitVersion: `v1.36.0+keyward.${version}`, platform: 'standalone' }],
  ])

export type Target = {
  readonly resource: Resource
  /** Empty: all namespaces, or a kind without. */
  readonly namespace: string
  /** undefined: the collection. */
  readonly name: string | undefined
  readonly subresource: string | undefined
}

/** What a path of our group leads to; undefined: nothing is there. */
export function targetOf(path: string): Target | undefined {
  const root = `/apis/${API_VERSION}/`
  if (!path.startsWith(root)) return undefined
  const steps = path.slice(root.length).split('/')
  const namespace = steps[0] === 'namespaces' ? steps[1] : undefined
  const [plural, name, subresource, more] = namespace === undefined ? steps : steps.slice(2)
  const resource = RESOURCES.find((one) => one.plural === plural)
  const known = subresource === undefined || subresource === 'status'
  if (resource === undefined || more !== undefined || name === '' || namespace === '' || !known) return undefined
  const fits = namespace === undefined ? !resource.namespaced || name === undefined : resource.namespaced
  return fits ? { resource, namespace: namespace ?? '', name, subresource } : undefined
}
