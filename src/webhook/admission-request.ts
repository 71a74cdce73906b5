/** PURE: an AdmissionReview (admission.k8s.io/v1) of the API server, read; and the answer to it, written. */
import { z } from 'zod'
import type { Parsed } from '../core/parsed.ts'
import type { Person } from '../core/person.ts'
import { personOf, userInfo } from './person.ts'
import type { JsonPatch } from './stamped-object.ts'

export type AdmissionRequest = {
  readonly uid: string
  /** Of group keyward.dev. */
  readonly kind: string
  readonly namespace: string
  /** Empty while the API server has not chosen one. */
  readonly name: string
  readonly operation: 'CREATE' | 'UPDATE'
  readonly person: Person
  /** As it would be stored; for an update also as it was. Nothing of either is ever logged. */
  readonly object: unknown
  readonly before: unknown
}

export type Answer =
  | { readonly allowed: true; readonly patch?: JsonPatch }
  | { readonly allowed: false; readonly code: keyof typeof REASONS; readonly message: string }

/** Reasons of the API server's own Status, so that clients tell them apart as they do its own. */
const REASONS = { 403: 'Forbidden', 422: 'Invalid', 503: 'ServiceUnavailable' } as const

const text = z.string().max(1024).default('')

const schema = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    uid: z.string().min(1).max(256),
    kind: z.object({ group: z.literal('keyward.dev'), version: z.literal('v1alpha1'), kind: z.string().max(64) }),
    subResource: z.literal('').optional(),
    namespace: text,
    name: text,
    operation: z.enum(['CREATE', 'UPDATE']),
    userInfo,
    object: z.unknown().optional(),
    oldObject: z.unknown().optional(),
  }),
})

/** Refuses what we did not ask to be called for: a wrong configuration must not look like a yes. */
export function parseReview(body: unknown): Parsed<AdmissionRequest> {
  const read = schema.safeParse(body)
  if (!read.success) {
    const fields = read.error.issues.map(({ path }) => path.join('.'))
    return {
      ok: false,
      problem: `not an AdmissionReview that is answered here; wrong: ${[...new Set(fields)].join(', ')}`,
    }
  }
  const { uid, kind, namespace, name, operation, userInfo: user, object, oldObject } = read.data.request
  const before = operation === 'UPDATE' ? oldObject : undefined
  return {
    ok: true,
    value: { uid, kind: kind.kind, namespace, name, operation, person: personOf(user), object, before },
  }
}

export const composeAnswer = (uid: string, answer: Answer): object => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: { uid, ...(answer.allowed ? { allowed: true, ...patched(answer.patch) } : refused(answer)) },
})

const patched = (patch: JsonPatch | undefined) =>
  patch === undefined || patch.length === 0
    ? {}
    : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }

const refused = ({ code, message }: Extract<Answer, { allowed: false }>) => ({
  allowed: false,
  status: { metadata: {}, status: 'Failure', message, reason: REASONS[code], code },
})
