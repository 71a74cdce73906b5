/** The calls that admission makes: may somebody do something, and Secrets of our own by one name each. */
import { Trouble } from '../core/trouble.ts'
import { isAlreadyExists, isConflict } from './api-error.ts'
import { create, get, replace } from './calls.ts'
import type { KubeClient } from './client.ts'
import { MANAGED_BY } from './digest-secret.ts'
import { type KubeObject, SECRETS } from './objects.ts'

const REVIEWS = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
/** Below the time that a webhook has. */
const REVIEW_WITHIN_MS = 2000

/** Asks the API server; never through a client that only the leader may write with: every replica asks, and nothing is written. */
export const subjectAccessReview =
  (client: KubeClient) =>
  async (spec: object): Promise<boolean> => {
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
    const answer = await client.send({ method: 'POST', path: REVIEWS, body, timeoutMs: REVIEW_WITHIN_MS })
    const allowed = (answer as { readonly status?: { readonly allowed?: unknown } } | null)?.status?.allowed
    if (typeof allowed !== 'boolean') throw new Trouble('kube_not_understood', 'retry')
    return allowed
  }

export type OwnSecret = {
  /** A live look; undefined: there is none. */
  readonly read: () => Promise<{ readonly data: unknown; readonly revision: string } | undefined>
  /** false: somebody was first. @param over what was read; undefined: nothing was there */
  readonly write: (data: Readonly<Record<string, string>>, over: string | undefined) => Promise<boolean>
}

type Named = { readonly namespace: string; readonly name: string; readonly type: string }

export function ownSecret(client: KubeClient, { namespace, name, type }: Named): OwnSecret {
  let last: KubeObject | undefined
  return {
    read: async () => {
      last = await get(client, SECRETS, { namespace, name })
      return last && { data: last.data, revision: last.metadata.resourceVersion }
    },
    write: async (data, over) => {
      try {
        if (over === undefined) {
          const metadata = { name, namespace, labels: MANAGED_BY }
          await create(client, SECRETS, { namespace, object: { metadata, type, data } })
        } else if (last !== undefined) {
          const metadata = { ...last.metadata, resourceVersion: over }
          await replace(client, SECRETS, { object: { metadata, type, data } })
        }
        return true
      } catch (error) {
        if (isAlreadyExists(error) || isConflict(error)) return false
        throw error
      }
    },
  }
}
