/** When the last of many keys comes to hold a permission, or no longer does: in what is granted, in the status, and for callers. */
import { readDigestSecret } from '../../src/kube/digest-secret.ts'
import { API_KEYS, type KubeObject, pathOf, SECRETS } from '../../src/kube/objects.ts'
import type { ClusterAuthz } from './cluster-authz.ts'
import type { clientOf } from './kube-client.ts'
import { until } from './until.ts'

type Client = ReturnType<typeof clientOf>

export type Holding = {
  readonly permission: string
  readonly isHeld: boolean
  /** Keys of the Kubernetes namespace `team`. */
  readonly names: ReadonlySet<string>
  /** Some of their credentials, to ask authz with. */
  readonly samples: readonly string[]
  readonly path: string
  readonly outcome: string
}

/** Of the last of them, in milliseconds from the answer to the change on. */
export type Held = {
  readonly grantedMs: number
  readonly statusMs: number
  /** For the samples. */
  readonly enforcedMs: number
}

type Parts = { readonly client: Client; readonly authz: ClusterAuthz; readonly withinMs: number }
type Seen = { readonly name: string | undefined; readonly permissions: readonly string[] }

const grantedIn = (object: KubeObject): Seen => {
  const { apiKeyName, read } = readDigestSecret(object)
  return { name: apiKeyName?.split('/')[1], permissions: (read.ok && read.value.granted?.cap.held) || [] }
}

const statusIn = ({ metadata, status }: KubeObject): Seen => ({
  name: metadata.name,
  permissions: (status as { readonly permissions?: readonly string[] } | undefined)?.permissions ?? [],
})

/** What is watched tells the moment of each, without asking for all of them again and again. */
export async function heldByAll({ client, authz, withinMs }: Parts, wanted: Holding, edit: () => Promise<unknown>) {
  const stop = new AbortController()
  const follow = async (path: string, seenIn: (object: KubeObject) => Seen) => {
    const list = (await client.send({ method: 'GET', path, query: { limit: '1' } })) as KubeObject
    const left = new Set(wanted.names)
    let lastAt = 0
    await new Promise<void>((resolve) => {
      const watch = client.watch({
        ...{ path, timeoutSeconds: 600, signal: stop.signal, onOpen: resolve },
        query: { resourceVersion: list.metadata.resourceVersion },
        onEvent: (event) => {
          if (event.type === 'BOOKMARK') return
          const { name = '', permissions } = seenIn(event.object)
          if (permissions.includes(wanted.permission) === wanted.isHeld && left.delete(name)) lastAt = performance.now()
        },
      })
      watch.catch(() => {})
    })
    return async (what: string): Promise<number> => {
      await until(what, () => left.size === 0, withinMs).catch((error: unknown) => {
        throw new Error(`${error}: of ${wanted.names.size} there are ${left.size} left`)
      })
      return lastAt
    }
  }
  const granted = await follow(pathOf(SECRETS, { namespace: 'keyward-system' }), grantedIn)
  const told = await follow(pathOf(API_KEYS, { namespace: 'team' }), statusIn)
  const enforced = async (): Promise<number> => {
    const isSo = async (key: string) => (await authz.outcome({ path: wanted.path, key })) === wanted.outcome
    for (const key of wanted.samples) await until(`it comes to ${wanted.outcome}`, () => isSo(key), withinMs)
    return performance.now()
  }
  try {
    await edit()
    const began = performance.now()
    const ends = [granted('it is granted'), told('it is in the status'), enforced()]
    const [grantedMs = 0, statusMs = 0, enforcedMs = 0] = (await Promise.all(ends)).map((at) => Math.round(at - began))
    return { grantedMs, statusMs, enforcedMs } satisfies Held
  } finally {
    stop.abort()
  }
}
