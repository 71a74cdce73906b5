/**
 * A small Passport Service. It checks nobody: whatever reaches it has passed Keyward. Its lists return all they hold, and
 * are cut down by Keyward. What it creates it also declares as an AccessNamespace in the folder that Keyward watches.
 * On its own: `npm run -s node -- examples/passport/upstream.ts <manifests folder> 3000`
 */
import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders, Server } from 'node:http'
import { type Call, found, jsonApi, NOT_FOUND, type Reply, type Route } from '../json-api.ts'
import { type Declarations, declarations } from './declare.ts'

type Thing = { readonly id: string; readonly name: string; readonly app?: string }
type Collection = Map<string, Thing>

const collection = (...things: readonly Thing[]): Collection => new Map(things.map((thing) => [thing.id, thing]))

/** Names of the AccessNamespaces behind the ids of applications: a parent is given by name. */
const NAMESPACE_OF_APP: Readonly<Record<string, string>> = { 'app-1': 'shop', 'app-2': 'bank', 'app-3': 'rival-app' }

export function upstream({ manifests }: { readonly manifests: string }): Server {
  const declared = declarations(manifests)
  const organizations = collection({ id: 'org-1', name: 'Acme' }, { id: 'org-2', name: 'Rival' })
  const apps = collection(
    { id: 'app-1', name: 'Acme Shop' },
    { id: 'app-2', name: 'Acme Bank' },
    { id: 'app-3', name: 'Rival App' },
  )
  const workspaces = collection(
    { id: 'ws-1', name: 'Shop Europe', app: 'app-1' },
    { id: 'ws-2', name: 'Shop America', app: 'app-1' },
    { id: 'ws-3', name: 'Bank Europe', app: 'app-2' },
    { id: 'ws-4', name: 'Rival Europe', app: 'app-3' },
  )
  const usergroups = collection(
    { id: 'group-1', name: 'Shop support', app: 'app-1' },
    { id: 'group-2', name: 'Acme staff' },
  )

  return jsonApi([
    ['GET', /^\/healthz$/, () => [200, { status: 'ok' }]],
    ['GET', /^\/v1\/whoami$/, ({ headers }) => [200, toldOf(headers)]],

    ['GET', /^\/v1\/workspaces$/, () => [200, { items: [...workspaces.values()] }]],
    ['GET', /^\/v1\/usergroups$/, ({ query }) => [200, { items: asked(usergroups, query.get('id')) }]],
    ['GET', /^\/v1\/apps$/, ({ query }) => [200, { items: asked(apps, query.get('id')) }]],
    ['GET', /^\/v1\/organizations$/, ({ headers }) => [200, { items: visible(organizations, headers) }]],

    ...one('organizations', organizations),
    ...one('apps', apps),
    ...one('workspaces', workspaces),
    ...one('usergroups', usergroups),
    ...growing('workspaces', workspaces, { type: 'workspace', declared }),
    ...growing('usergroups', usergroups, { type: 'userGroup', declared }),

    ['GET', /^\/v1\/([a-z]+)\/([^/]+)\/documents$/, ({ parts: [of, id] }) => [200, { of, id, items: [] }]],
  ])
}

/** Reading and changing one of a collection. */
function one(name: string, things: Collection): readonly Route[] {
  const path = new RegExp(`^/v1/${name}/([^/]+)$`)
  const change = ({ parts: [id = ''], body }: Call): Reply => {
    const before = things.get(id)
    if (before === undefined) return NOT_FOUND
    if (!isName(body.name)) return NAME_WANTED
    things.set(id, { ...before, name: body.name })
    return found(things.get(id))
  }
  return [
    ['GET', path, ({ parts: [id = ''] }) => found(things.get(id))],
    ['PUT', path, change],
    ['PATCH', path, change],
  ]
}

type Growth = { readonly type: 'workspace' | 'userGroup'; readonly declared: Declarations }

/** Creating in the application of the key that asks, and deleting. */
function growing(name: string, things: Collection, { type, declared }: Growth): readonly Route[] {
  const create = ({ headers, body }: Call): Reply => {
    const app = String(headers['x-keyward-application'])
    const parent = NAMESPACE_OF_APP[app]
    if (parent === undefined) return NOT_FOUND
    if (!isName(body.name)) return NAME_WANTED
    const id = `${name}-${randomBytes(6).toString('hex')}`
    things.set(id, { id, name: body.name, app })
    declared.add({ id, type, parent, displayName: body.name })
    return [201, things.get(id)]
  }
  const remove = ({ parts: [id = ''] }: Call): Reply => {
    if (!things.delete(id)) return NOT_FOUND
    declared.remove(id)
    return [204]
  }
  return [
    ['POST', new RegExp(`^/v1/${name}$`), create],
    ['DELETE', new RegExp(`^/v1/${name}/([^/]+)$`), remove],
  ]
}

const NAME_WANTED: Reply = [400, { error: 'name must be a text of 1 to 100 characters' }]
const isName = (name: unknown): name is string => typeof name === 'string' && name.length > 0 && name.length <= 100

/** An ordinary parameter of an ordinary API: these ids only, or all of them. */
const asked = (things: Collection, ids: string | null): readonly Thing[] =>
  ids === null ? [...things.values()] : ids.split(',').flatMap((id) => things.get(id) ?? [])

/** The route says `narrow: {upstream: true}`; this is our half of it. `*`: not limited. */
function visible(things: Collection, headers: IncomingHttpHeaders): readonly Thing[] {
  const ids = String(headers['x-keyward-visible'] ?? '').split(',')
  return [...things.values()].filter(({ id }) => ids.includes('*') || ids.includes(id))
}

/** What Keyward says of the caller; and whether a credential came through, which never happens. */
const toldOf = (headers: IncomingHttpHeaders) => ({
  ...Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-keyward-'))),
  sawCredential: headers.authorization !== undefined || headers['x-api-key'] !== undefined,
})

if (import.meta.main) {
  const [, , manifests = 'examples/passport/manifests', port = '3000'] = process.argv
  const server = upstream({ manifests }).listen(Number(port), '127.0.0.1', () => console.log(server.address()))
}
