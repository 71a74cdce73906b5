/** `keyward explain --request-id` as it is typed: who is asked about then, and what tells of now. */
import { usableRequestId } from '../core/request.ts'
import type { Cluster } from './cluster.ts'
import { unlessEnded } from './command-parts.ts'
import { callerOf, checkFolder, type ExplainFlags, type ExplainParts } from './explain-flags.ts'
import { explainInFolder } from './explain-folder.ts'
import { explainKey } from './explain-key.ts'
import { explainRequest, type RequestParts, unaskedLines } from './explain-request.ts'
import { refuseSecrets } from './object-name.ts'
import { valueText } from './object-text.ts'
import { openingOf } from './port-flags.ts'
import { Stop, wrongly } from './refused.ts'
import { formatAnswers } from './request-answers.ts'
import { authzPods, type Source, sourceAt } from './request-sources.ts'

export function ofRequest(requestId: string, flags: ExplainFlags, parts: ExplainParts): Promise<void> {
  const at = { namespace: flags.namespace ?? 'default' }
  return unlessEnded('explain', parts, at, async () => {
    checkFlags(requestId, flags)
    const opening = openingOf(flags)
    if (!opening.ok) throw wrongly(opening.problem)
    const direct = flags.authz?.map((url) => sourceAt(url, opening.value.requestTimeoutMs))
    if (flags.manifests !== undefined) {
      if (direct === undefined) throw wrongly(`--manifests: with --request-id also --authz is needed, such as ${LOCAL}`)
      return tell(requestId, { flags, sources: direct, place: 'folder', namespace: at.namespace }, parts)
    }
    const cluster = await parts.open(opening.value).catch(unless(direct !== undefined))
    if (cluster instanceof Stop) {
      return tell(requestId, { flags, sources: direct ?? [], place: cluster, namespace: at.namespace }, parts)
    }
    at.namespace = flags.namespace ?? cluster.namespace
    try {
      const place = { namespace: authzNamespaceOf(flags), server: flags.server }
      const sources = direct ?? (await authzPods(cluster, place))
      return await tell(requestId, { flags, sources, place: cluster, namespace: at.namespace }, parts)
    } finally {
      await cluster.close()
    }
  })
}

const LOCAL = '--authz http://127.0.0.1:9090'

/** Then is told even by who has no way to see what is in force now. */
const unless =
  (isTold: boolean) =>
  (error: unknown): Stop => {
    if (isTold && error instanceof Stop) return error
    throw error
  }

/** What a request ID says itself. */
const OF_THE_REQUEST = ['key', 'method', 'host', 'path'] as const

function checkFlags(requestId: string, flags: ExplainFlags): void {
  refuseSecrets([requestId, ...(flags.header ?? []), ...(flags.authz ?? [])])
  const named = OF_THE_REQUEST.find((flag) => flags[flag] !== undefined)
  if (named !== undefined) throw wrongly(`--${named}: or --request-id, which says it: one of them`)
  if (usableRequestId(requestId) === undefined)
    throw wrongly('--request-id: 1 to 128 characters of A-Z, a-z, 0-9, ".", "_" and "-" are needed')
  if (!NAMESPACE.test(authzNamespaceOf(flags))) throw wrongly('--authz-namespace: is no name of a Kubernetes namespace')
  if (flags.manifests !== undefined) checkFolder(flags)
  else if (flags.data !== undefined) throw wrongly('--data: goes with --manifests only')
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

const authzNamespaceOf = ({ authzNamespace = 'keyward-system' }: ExplainFlags): string => authzNamespace

type Telling = {
  readonly flags: ExplainFlags
  readonly sources: readonly Source[]
  /** What now is explained by; a Stop: there is nothing. */
  readonly place: Cluster | 'folder' | Stop
  readonly namespace: string
}

async function tell(requestId: string, telling: Telling, parts: ExplainParts): Promise<number> {
  const { flags, sources, namespace } = telling
  const { terminal } = parts
  const { self, clock } = terminal
  const authzNamespace = authzNamespaceOf(flags)
  const explainNow = explainNowBy(telling, parts)
  const answered = await explainRequest(requestId, { sources, authzNamespace, explainNow, namespace, self })
  const { output } = flags
  await terminal.out(output === 'text' ? formatAnswers(answered, clock.nowMs()) : valueText(answered, output))
  for (const line of unaskedLines(answered.unasked, authzNamespace))
    terminal.err(`${self} explain: ${line.replaceAll('\n', '\n  ')}\n`)
  return 0
}

function explainNowBy(
  { flags, place, namespace }: Telling,
  { look, terminal }: ExplainParts,
): RequestParts['explainNow'] {
  const { self, clock } = terminal
  const caller = callerOf(flags)
  return async ({ keyId, key, method, host, path }) => {
    if (place instanceof Stop) throw place
    const question = { method, host, target: path, ...caller, now: clock.nowMs() }
    // without the data of a standalone nothing there has an ID
    if (place === 'folder')
      return explainInFolder(look, { ...flags, key: flags.data === undefined ? key : keyId }, question)
    const keyNamespace = key?.split('/', 1)[0]
    return explainKey(place, { key: keyId, namespace, keyNamespace, apisIn: flags.namespace, question, self })
  }
}
