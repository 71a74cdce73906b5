/** `keyward explain --request-id`: what was answered to a request then, and what the same would be answered now. */
import { KEPT } from '../runtime/recent-checks.ts'
import { ending } from './ending.ts'
import type { Explanation } from './explain.ts'
import { printable } from './printable.ts'
import { Refused, Stop } from './refused.ts'
import type { Answered, AnsweredRequest, ToldCheck } from './request-answers.ts'
import { FORBIDDEN, rightsWords, type Source, type Told, tellAll } from './request-sources.ts'

export type RequestParts = {
  readonly sources: readonly Source[]
  /** Where the pods among them lie. */
  readonly authzNamespace: string
  /** Explains a check whose key is known and whose request was kept whole, by what is in force now. */
  readonly explainNow: (check: KnownCheck) => Promise<Explanation>
  readonly namespace: string
  readonly self: string
}

export type KnownCheck = ToldCheck & { readonly keyId: string }

export async function explainRequest(requestId: string, parts: RequestParts): Promise<AnsweredRequest> {
  const told = await tellAll(parts.sources, requestId)
  if (told.checks.length === 0) throw new Stop(noneWords(requestId, told, parts))
  const explained = new Map<string, Now>()
  const checks: Answered[] = []
  for (const check of told.checks) {
    const same = JSON.stringify([check.keyId, check.method, check.host, check.path])
    const now = explained.get(same) ?? (await nowOf(check, parts))
    explained.set(same, now)
    checks.push({ ...check, ...now })
  }
  return { requestId, checks, unasked: told.unasked }
}

type Now = Pick<Answered, 'now' | 'nowUnsaid'>

async function nowOf(check: ToldCheck, { explainNow, ...at }: RequestParts): Promise<Now> {
  const { keyId, isPart } = check
  if (keyId === undefined) return {}
  if (isPart) return { nowUnsaid: 'not to be said, since not all of the request is kept' }
  try {
    return { now: await explainNow({ ...check, keyId }) }
  } catch (error) {
    if (!(error instanceof Stop || error instanceof Refused)) throw error
    return { nowUnsaid: (await ending(error, at)).words }
  }
}

function noneWords(requestId: string, { asked, unasked }: Told, { authzNamespace }: RequestParts): string {
  const lines = [
    ...(asked.length === 0 ? [] : [unknownWords(requestId, asked)]),
    ...unaskedLines(unasked, authzNamespace),
  ]
  return lines.join('\n')
}

/** Nobody of those who were asked knows of it. */
function unknownWords(requestId: string, asked: readonly string[]): string {
  const { refusedKeys, refusedWithoutKey, allowed } = KEPT
  return `no check of a request with the ID ${requestId} is known to ${asked.join(', ')}
Each process that answers checks keeps its last ${refusedKeys} refusals of known keys, ${refusedWithoutKey} refusals without one and ${allowed} requests that it let pass, until it ends.
Is it the x-request-id of the answer's headers (requestId in a refusal)? A proxy may draw IDs of its own. Did another replica answer, which is gone, or lies in another Kubernetes namespace (--authz-namespace) or elsewhere (--authz)?`
}

/** Who could not be asked, why, and what would help. */
export function unaskedLines(unasked: Told['unasked'], authzNamespace: string): readonly string[] {
  const isForbidden = unasked.some(({ why }) => why === FORBIDDEN)
  return [
    ...unasked.map(({ from, why }) => `${printable(from)} could not be asked: ${why}`),
    ...(isForbidden ? [rightsWords(authzNamespace)] : []),
  ]
}
