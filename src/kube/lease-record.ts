/** PURE: what a Lease says, and what each of us writes into it. */

import { microTime } from './micro-time.ts'
import type { KubeDraft, KubeObject } from './objects.ts'

export type LeaseSpec = {
  readonly holderIdentity?: string | undefined
  readonly leaseDurationSeconds?: number | undefined
  readonly acquireTime?: string | undefined
  readonly renewTime?: string | undefined
  readonly leaseTransitions?: number | undefined
}

export const specOf = (lease: KubeObject): LeaseSpec => (lease.spec ?? {}) as LeaseSpec

export type Holding = { readonly identity: string; readonly durationMs: number; readonly nowMs: number }

/** The Lease as we hold it, over what it was; undefined: there was none. */
export function heldBy({ identity, durationMs, nowMs }: Holding, before: LeaseSpec | undefined): LeaseSpec {
  const now = microTime(nowMs)
  const ours = before?.holderIdentity === identity
  const transitions = before?.leaseTransitions ?? 0
  return {
    holderIdentity: identity,
    // whole seconds only: others wait rather too long than too short
    leaseDurationSeconds: Math.ceil(durationMs / 1000),
    acquireTime: ours ? (before.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: before === undefined || ours ? transitions : transitions + 1,
  }
}

/** Given back: whoever looks next may have it at once. */
export const givenBack = (before: LeaseSpec, nowMs: number): LeaseSpec => ({
  ...before,
  holderIdentity: '',
  leaseDurationSeconds: 1,
  renewTime: microTime(nowMs),
})

/** How long a Lease that is not renewed is left to its holder, who may count otherwise than we do. */
export const respectedMs = ({ leaseDurationSeconds = 0 }: LeaseSpec, durationMs: number): number =>
  Math.max(durationMs, leaseDurationSeconds * 1000)

export const withSpec = (lease: KubeObject, spec: LeaseSpec): KubeObject & KubeDraft => ({ ...lease, spec })
