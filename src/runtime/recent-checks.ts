/** The last checks of this process by their request IDs, in memory of a fixed size: what was answered, and why; never a secret. */
import type { Verdict } from '../core/decide.ts'
import { type Code, statusOf } from '../core/denial.ts'
import type { CheckRequest } from '../core/request.ts'
import { type KeptText, makeKeptTexts } from './kept-texts.ts'

export type RecentCheck = KeptText & {
  /** As in `2026-11-23T08:00:00.000Z`. */
  readonly at: string
  readonly listener: string
  readonly code: 'allow' | Code
  readonly status: number
  readonly why: string | undefined
  /** That is missing. */
  readonly permission: string | undefined
  readonly keyId: string | undefined
  /** `namespace/name` of the ApiKey. */
  readonly key: string | undefined
  readonly environment: string | undefined
  /** `spec.routes[2] /v1/workspaces/{id}`, of what was let pass. */
  readonly route: string | undefined
}

type Kept<T> = { readonly [Ring in 'refusedKeys' | 'refusedWithoutKey' | 'allowed']: T }

/** How many are kept: three rings, so that no flood of one kind pushes the others out. */
export const KEPT: Kept<number> = { refusedKeys: 8192, refusedWithoutKey: 4096, allowed: 4096 }

/** An ID is for callers and their proxies to choose: several checks may have the same. */
const MOST_TOLD = 10

export type RecentChecks = {
  /** @param atMs milliseconds since 1970 */
  readonly keep: (listener: string, request: CheckRequest, verdict: Verdict, atMs: number) => void
  /** Those with exactly this ID, the newest first. */
  readonly find: (requestId: string) => readonly RecentCheck[]
}

export function makeRecentChecks(kept: Kept<number> = KEPT): RecentChecks {
  const rings: Kept<Ring> = {
    refusedKeys: makeRing(kept.refusedKeys),
    refusedWithoutKey: makeRing(kept.refusedWithoutKey),
    allowed: makeRing(kept.allowed),
  }
  let order = 0
  return {
    keep: (listener, request, verdict, atMs) => {
      const ring =
        verdict.kind === 'allow'
          ? rings.allowed
          : verdict.record === undefined
            ? rings.refusedWithoutKey
            : rings.refusedKeys
      order += 1
      const fact = ring.next(request)
      fact.order = order
      fact.atMs = atMs
      fact.listener = listener
      note(fact, verdict)
    },
    find: (requestId) => {
      const id = Buffer.from(requestId, 'latin1')
      return Object.values(rings)
        .flatMap((ring) => ring.find(id))
        .toSorted((a, b) => b.order - a.order)
        .slice(0, MOST_TOLD)
        .map(told)
    },
  }
}

/** What is no text of the request: of objects in force, which live long anyway. Written over, never made anew. */
type Fact = {
  order: number
  atMs: number
  listener: string
  code: 'allow' | Code
  why: string | undefined
  permission: string | undefined
  keyId: string | undefined
  key: string | undefined
  environment: string | undefined
  routeIndex: number
  routePath: string | undefined
}

function note(fact: Fact, verdict: Verdict): void {
  const { record } = verdict
  fact.keyId = record?.keyId
  fact.key = record?.name
  fact.environment = record?.environment
  if (verdict.kind === 'allow') {
    const route = verdict.match?.route
    fact.code = 'allow'
    fact.why = undefined
    fact.permission = undefined
    fact.routeIndex = route?.index ?? 0
    fact.routePath = route?.path
    return
  }
  fact.code = verdict.code
  fact.why = verdict.why
  fact.permission = verdict.permission
  fact.routePath = undefined
}

type Found = Fact & KeptText

const told = ({ order: _, atMs, routeIndex, routePath, ...rest }: Found): RecentCheck => ({
  ...rest,
  at: new Date(atMs).toISOString(),
  status: rest.code === 'allow' ? 200 : statusOf(rest.code),
  route: routePath === undefined ? undefined : `spec.routes[${routeIndex}] ${routePath}`,
})

type Ring = {
  /** Writes over the oldest. */
  readonly next: (request: CheckRequest) => Fact
  readonly find: (id: Uint8Array) => readonly Found[]
}

function makeRing(slots: number): Ring {
  const texts = makeKeptTexts(slots)
  const facts: Fact[] = []
  let slot = slots - 1
  return {
    next: (request) => {
      slot = slot + 1 === slots ? 0 : slot + 1
      texts.write(slot, request)
      const fact = facts[slot]
      if (fact !== undefined) return fact
      const fresh = blank()
      facts.push(fresh)
      return fresh
    },
    find: (id) => facts.flatMap((fact, at) => (texts.isOf(at, id) ? [{ ...fact, ...texts.read(at) }] : [])),
  }
}

const blank = (): Fact => ({
  ...{ order: 0, atMs: 0, listener: '', code: 'allow', why: undefined, permission: undefined },
  ...{ keyId: undefined, key: undefined, environment: undefined, routeIndex: 0, routePath: undefined },
})
