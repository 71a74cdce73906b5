/** An API server in memory: names, uids, resourceVersions, preconditions and status subresources as the real one has them. A fake. */
import { ApiError } from '../../src/kube/api-error.ts'
import type { KubeClient, KubeRequest } from '../../src/kube/client.ts'
import { type KubeObject, keyOf, pathOf, type Resource } from '../../src/kube/objects.ts'
import type { Reflector, reflect } from '../../src/kube/reflector.ts'
import { sameJson } from '../../src/resources/same-json.ts'

type Json = Readonly<Record<string, unknown>>

export type FakeApiServer = {
  readonly client: KubeClient
  /** Watches that see everything at once, until they are held back. */
  readonly reflect: typeof reflect
  readonly get: (path: string) => KubeObject | undefined
  readonly all: () => readonly KubeObject[]
  readonly put: (path: string, object: KubeObject) => void
  /** Every write, as it was asked for and answered. */
  readonly writes: () => readonly string[]
  /** Called after each write. */
  readonly onWrite: (heard: (now: KubeObject | undefined, path: string) => void) => void
  /** Watches see nothing more until they are let go. */
  readonly hold: () => void
  readonly letGo: () => void
}

const refused = (status: number, reason: string): ApiError =>
  new ApiError({ status, reason, fields: [], causes: [], retryAfterMs: undefined })

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

function merged(target: unknown, patch: unknown): unknown {
  if (!isJson(patch)) return patch
  const result: Record<string, unknown> = isJson(target) ? { ...target } : {}
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field]
    else result[field] = merged(result[field], value)
  }
  return result
}

export function fakeApiServer(nowMs: () => number): FakeApiServer {
  const objects = new Map<string, KubeObject>()
  const asked: string[] = []
  const heard: ((now: KubeObject | undefined, path: string) => void)[] = []
  const watchers: ((path: string, now: KubeObject | undefined) => void)[] = []
  const missed: (readonly [string, KubeObject | undefined])[] = []
  let held = false
  let revision = 100
  let uids = 0

  const keep = (path: string, object: KubeObject | undefined): void => {
    if (object === undefined) objects.delete(path)
    else objects.set(path, object)
    if (held) missed.push([path, object])
    else for (const watcher of watchers) watcher(path, object)
    for (const one of heard) one(object, path)
  }

  const written = (before: KubeObject | undefined, after: KubeObject): KubeObject => {
    if (before !== undefined && sameJson(before, after)) return before
    revision += 1
    return { ...after, metadata: { ...after.metadata, resourceVersion: String(revision) } }
  }

  const check = (before: KubeObject | undefined, { uid, resourceVersion }: Json): KubeObject => {
    if (before === undefined) throw refused(404, 'NotFound')
    if (uid !== undefined && uid !== before.metadata.uid) throw refused(409, 'Conflict')
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion)
      throw refused(409, 'Conflict')
    return before
  }

  const update = (path: string, isStatus: boolean, ask: (before: KubeObject) => Json): KubeObject => {
    const before = objects.get(path)
    if (before === undefined) throw refused(404, 'NotFound')
    const next = ask(before)
    const metadata = isJson(next.metadata) ? next.metadata : {}
    check(before, metadata)
    if (before.type !== undefined && next.type !== before.type) throw refused(422, 'Invalid')
    const { uid, creationTimestamp, generation, resourceVersion } = before.metadata
    const kept = {
      ...(isStatus ? before.metadata : metadata),
      name: before.metadata.name,
      uid,
      creationTimestamp,
      resourceVersion,
    }
    const changed = !isStatus && !sameJson(next.spec, before.spec)
    const after = {
      ...(isStatus
        ? { ...before, status: next.status }
        : { ...next, ...(before.status !== undefined && { status: before.status }) }),
      metadata: { ...kept, ...(generation !== undefined && { generation: generation + (changed ? 1 : 0) }) },
    } as KubeObject
    const result = written(before, after)
    if (result !== before) keep(path, result)
    return result
  }

  const create = (path: string, body: Json): KubeObject => {
    const metadata = body.metadata as KubeObject['metadata']
    const whole = `${path}/${metadata.name}`
    if (objects.has(whole)) throw refused(409, 'AlreadyExists')
    uids += 1
    const made = {
      uid: `made-${uids}`,
      creationTimestamp: `${new Date(nowMs()).toISOString().slice(0, 19)}Z`,
      generation: 1,
    }
    const result = written(undefined, { ...body, metadata: { ...made, ...metadata } } as KubeObject)
    keep(whole, result)
    return result
  }

  const remove = (path: string, body: unknown): KubeObject => {
    const preconditions = isJson(body) && isJson(body.preconditions) ? body.preconditions : {}
    const before = check(objects.get(path), preconditions)
    keep(path, undefined)
    return before
  }

  const act = ({ method, path, body }: KubeRequest): KubeObject => {
    const isStatus = path.endsWith('/status')
    const whole = isStatus ? path.slice(0, -'/status'.length) : path
    switch (method) {
      case 'GET': {
        const found = objects.get(whole)
        if (found === undefined && isFolder(whole))
          return {
            items: [...objects].flatMap(([one, object]) =>
              one.slice(0, one.lastIndexOf('/')) === whole ? [object] : [],
            ),
          } as never
        if (found === undefined) throw refused(404, 'NotFound')
        return found
      }
      case 'POST':
        return create(whole, body as Json)
      case 'PUT':
        return update(whole, isStatus, () => body as Json)
      case 'PATCH':
        return update(whole, isStatus, (before) => {
          const {
            metadata: { resourceVersion: _old, ...metadata },
            ...rest
          } = before
          return merged({ ...rest, metadata }, body) as Json
        })
      case 'DELETE':
        return remove(whole, body)
    }
  }

  const client: KubeClient = {
    send: async (request) => {
      if (request.method !== 'GET') asked.push(`${request.method} ${request.path}`)
      const answer = structuredClone(act(request))
      return request.accept === undefined ? answer : { kind: 'PartialObjectMetadata', metadata: answer.metadata }
    },
    watch: () => Promise.reject(new Error('a fake API server is not watched')),
    close: async () => {},
  }

  const fakeReflect = <T>(parts: Parameters<typeof reflect<T>>[0]): Reflector<T> => {
    const store = new Map<string, { readonly object: KubeObject; readonly value: T }>()
    const prefix = pathOf(parts.resource, { namespace: parts.namespace })
    const isMine = (path: string): boolean =>
      isOf(path, parts.resource) && (parts.namespace === undefined || path.startsWith(`${prefix}/`))
    const take = (key: string, object: KubeObject | undefined): void => {
      const before = store.get(key)
      if (object === undefined) store.delete(key)
      else if (
        before?.object.metadata.uid === object.metadata.uid &&
        Number(before.object.metadata.resourceVersion) >= Number(object.metadata.resourceVersion)
      )
        return
      else store.set(key, { object, value: parts.read(object) })
      parts.onChange(key, store.get(key)?.value, before?.value)
    }
    watchers.push((path, now) => {
      if (!isMine(path)) return
      const key = now === undefined ? keyOfPath(path) : keyOf(now)
      if (now === undefined || isSelected(now, parts.selector)) take(key, now && structuredClone(now))
    })
    for (const [path, object] of objects)
      if (isMine(path) && isSelected(object, parts.selector)) take(keyOf(object), structuredClone(object))
    return {
      run: async () => {},
      synced: () => true,
      whenSynced: async () => {},
      get: (key) => store.get(key)?.value,
      entries: () => [...store].map(([key, { value }]) => [key, value] as const),
      size: () => store.size,
      staleMs: () => 0,
      note: (object) => {
        if (isSelected(object, parts.selector)) take(keyOf(object), object)
      },
      noteGone: (key, uid) => {
        if (store.get(key)?.object.metadata.uid === uid) take(key, undefined)
      },
      relist: async () => {},
    }
  }

  return {
    client,
    reflect: fakeReflect,
    get: (path) => objects.get(path),
    all: () => [...objects.values()],
    put: (path, object) => keep(path, written(undefined, object)),
    writes: () => asked,
    onWrite: (one) => {
      heard.push(one)
    },
    hold: () => {
      held = true
    },
    letGo: () => {
      held = false
      for (const [path, object] of missed.splice(0)) for (const watcher of watchers) watcher(path, object)
    },
  }
}

const isFolder = (path: string): boolean => /\/namespaces\/[^/]+\/[^/]+$/.test(path)

const isOf = (path: string, { group, plural }: Resource): boolean =>
  path.startsWith(group === '' ? '/api/' : `/apis/${group}/`) && path.split('/').at(-2) === plural

const keyOfPath = (path: string): string => {
  const parts = path.split('/')
  return parts.at(-4) === 'namespaces' ? `${parts.at(-3)}/${parts.at(-1)}` : `${parts.at(-1)}`
}

function isSelected({ type, metadata }: KubeObject, selector: Parameters<typeof reflect>[0]['selector']): boolean {
  if (selector?.field !== undefined) return selector.field === `type=${type}`
  if (selector?.label === undefined) return true
  const [name = '', value] = selector.label.split('=')
  return metadata.labels?.[name] === value
}
