/** PURE: what is written into the status of an ApiKeyClaim. */
import { type Condition, conditionsOf, type Finding } from '../core/condition.ts'
import type { KubeObject } from './objects.ts'

type At = { readonly claim: KubeObject; readonly nowMs: number }

const conditions = (findings: readonly Finding[], { claim, nowMs }: At): readonly Condition[] =>
  conditionsOf(findings, [], { generation: claim.metadata.generation ?? 1, nowMs })

/** The fence of a hand-over: whoever writes it last is the only one that may deliver. */
export const attempted = (id: string, nowMs: number) => ({ attempt: { id, at: new Date(nowMs).toISOString() } })

/** The attempt by its id; undefined: the server did not keep it. */
export function attemptIn({ status }: KubeObject): unknown {
  return (status as { readonly attempt?: { readonly id?: unknown } } | undefined)?.attempt?.id
}

export const delivered = ({ version, jwe }: { readonly version: number; readonly jwe: string }, at: At) => ({
  version,
  jwe,
  conditions: conditions(
    [
      {
        type: 'Delivered',
        status: 'True',
        reason: 'Delivered',
        message: `version ${version} is here for whoever holds the private key; delete the claim once it is read`,
      },
      finished('Delivered'),
    ],
    at,
  ),
})

export const denied = ({ reason, message }: { readonly reason: string; readonly message: string }, at: At) => ({
  conditions: conditions([{ type: 'Denied', status: 'True', reason, message }, finished('Denied')], at),
})

const finished = (how: string): Finding => ({
  type: 'Finished',
  status: 'True',
  reason: how,
  message: 'nothing more will come of this claim; it is removed 10 minutes after its answer',
})

/** Of a claim whose time is over before anybody could answer it. */
export const UNANSWERED = {
  reason: 'NotClaimable',
  message: 'it could not be answered in time: look at the conditions of the ApiKey, then claim anew',
} as const

/** Measured from its answer; of one that nobody could answer, from when it was made. */
export const CLAIM_LIFE_MS = 10 * 60_000
