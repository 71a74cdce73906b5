/** Writes the status of an AccessNamespace, a ProtectedApi or a TokenIssuer over the one that was read, and tells of what is not accepted. */
import type { Finding } from '../core/condition.ts'
import { refOf } from '../core/key-ref.ts'
import { isAbsent, isConflict } from './api-error.ts'
import { mergePatch } from './calls.ts'
import type { KubeClient } from './client.ts'
import type { Events } from './events.ts'
import { ACCESS_NAMESPACES, apiVersionOf, PROTECTED_APIS, type Ref, type Resource, TOKEN_ISSUERS } from './objects.ts'
import type { PolicyCaches } from './policy-caches.ts'
import type { Due, PolicyKind } from './policy-status.ts'

export type PolicyWritesParts = {
  /** Refuses to write as soon as somebody else may lead. */
  readonly client: KubeClient
  readonly caches: Pick<PolicyCaches, 'note'>
  readonly events: Pick<Events, 'note'>
}

const RESOURCES: Readonly<Record<PolicyKind, Resource>> = {
  AccessNamespace: ACCESS_NAMESPACES,
  ProtectedApi: PROTECTED_APIS,
  TokenIssuer: TOKEN_ISSUERS,
}

/** What of a status may have to be taken away: the rest is always there. */
const TAKEN_AWAY: Readonly<Record<PolicyKind, object>> = {
  AccessNamespace: {},
  ProtectedApi: { hosts: null, hostsSummary: null, adapters: null },
  TokenIssuer: {},
}

export function makePolicyWrites({
  client,
  caches,
  events,
}: PolicyWritesParts): (due: Due) => Promise<'written' | 'overtaken'> {
  const tell = ({ kind, key, seen: { uid, reported }, status }: Due): void => {
    const now = refusalIn(status.conditions)
    if (now === undefined || refusalIn(reported.conditions)?.reason === now.reason) return
    const { namespace = '', name } = placeOf(RESOURCES[kind], key)
    const regarding = { apiVersion: apiVersionOf(RESOURCES[kind]), kind, namespace, name, uid }
    events.note({ regarding, type: 'Warning', reason: now.reason, message: now.message })
  }

  return async (due) => {
    const { kind, key, seen, status } = due
    const { uid, resourceVersion } = seen
    const ref = placeOf(RESOURCES[kind], key)
    const patch = { metadata: { uid, resourceVersion }, status: { ...TAKEN_AWAY[kind], ...status } }
    try {
      caches.note(kind, await mergePatch(client, RESOURCES[kind], { ref, patch, subresource: 'status' }))
    } catch (error) {
      // gone, made again or edited
      if (isAbsent(error) || isConflict(error)) return 'overtaken'
      throw error
    }
    tell(due)
    return 'written'
  }
}

const placeOf = ({ namespaced }: Resource, key: string): Ref => (namespaced ? refOf(key) : { name: key })

const refusalIn = (conditions: readonly Finding[]): Finding | undefined =>
  conditions.find(({ type, status }) => type === 'Accepted' && status === 'False')
