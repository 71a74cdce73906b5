/** `keyward explain` by what a server shows: the ApiKey, its status and the policy, judged by the decision itself; and what is not shown is said. */
import { recordBehind } from '../resources/explained-key.ts'
import { grantedKeys, wordsOf } from '../resources/granted-key.ts'
import type { Cluster, Policy, Stored } from './cluster.ts'
import { noSuchKey } from './describe-key.ts'
import { type Explanation, explain, type Question, type Shown } from './explain.ts'
import {
  conditionOf,
  factsOf,
  hasExpired,
  isObserved,
  type KeyFacts,
  leavesOverlap,
  permissionsNow,
  stateOf,
} from './key-facts.ts'
import { listed } from './listed.ts'
import { isObjectName } from './object-name.ts'
import { isNamespaceName } from './port-flags.ts'
import { printable } from './printable.ts'
import { Stop, wrongly } from './refused.ts'
import { withheldWords } from './withheld.ts'

export type KeyQuestion = {
  /** `name`, `namespace/name`, or a key ID; undefined: none is presented. */
  readonly key: string | undefined
  /** That a name without one lies in. */
  readonly namespace: string
  /** Where a key ID is looked for by who may not look everywhere; the same unless it is said. */
  readonly keyNamespace?: string | undefined
  /** Where ProtectedApis are looked for by who may not look everywhere; undefined: where the key lies. */
  readonly apisIn?: string | undefined
  readonly question: Question
  readonly self: string
}

export async function explainKey(cluster: Cluster, asked: KeyQuestion): Promise<Explanation> {
  const { key, namespace, question } = asked
  const object =
    key === undefined
      ? undefined
      : await keyNamed(cluster, key, { ...asked, keyNamespace: asked.keyNamespace ?? namespace })
  const seen = await policySeen(cluster, asked.apisIn ?? object?.metadata.namespace ?? namespace)
  const { hosts, tree } = seen.policy
  const shown = object === undefined ? ({ kind: 'none' } as const) : shownOf(object, { seen, nowMs: question.now })
  const explained = explain({ findKey: () => undefined, hosts, tree }, shown, question)
  if (explained.answer === 'unknown_host' && seen.apisOf !== undefined)
    throw new Stop(
      `no ProtectedApi of the Kubernetes namespace ${seen.apisOf} serves this host, and you may not list those of others: name the right one with --namespace, or ask for the verb list on protectedapis`,
    )
  return withMore(explained, { facts: object && factsOf(object), seen, nowMs: question.now })
}

type Seen = {
  readonly policy: Policy
  /** The Kubernetes namespace whose ProtectedApis they are; undefined: all of them. */
  readonly apisOf: string | undefined
  /** Whether the AccessNamespaces may be listed. */
  readonly tree: boolean
}

async function policySeen(cluster: Cluster, namespace: string): Promise<Seen> {
  const all = await listed(cluster, 'protectedapis', {})
  const apis = all ?? (await cluster.list('protectedapis', { namespace }))
  const namespaces = await listed(cluster, 'accessnamespaces', {})
  return {
    policy: cluster.policyOf(apis, namespaces ?? []),
    apisOf: all === undefined ? namespace : undefined,
    tree: namespaces !== undefined,
  }
}

type Naming = Pick<KeyQuestion, 'namespace' | 'self'> & { readonly keyNamespace: string }

async function keyNamed(cluster: Cluster, key: string, { namespace, keyNamespace, self }: Naming): Promise<Stored> {
  if (key.startsWith('kw_')) return keyOfId(cluster, key, keyNamespace)
  const slash = key.indexOf('/')
  const ref = slash === -1 ? { namespace, name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
  if (!isNamespaceName(ref.namespace) || !isObjectName(ref.name))
    throw wrongly(`--key: ${JSON.stringify(printable(key))} is no name, no namespace/name and no key ID`)
  const found = await cluster.get('apikeys', ref)
  if (found === undefined) throw noSuchKey({ ...ref, self })
  return found
}

const KEY_ID = /^kw_(prod|stag|dev)_[0-9A-Za-z]{12}$/

async function keyOfId(cluster: Cluster, id: string, namespace: string): Promise<Stored> {
  if (!KEY_ID.test(id))
    throw wrongly(`--key: ${JSON.stringify(printable(id))} is no key ID such as kw_prod_4fQ0Zp8sLm2T`)
  const [found, where] = await withId(cluster, id, namespace)
  const [one, ...more] = found
  if (one === undefined) throw new Stop(`no ApiKey ${where} has the key ID ${id}`)
  if (more.length === 0) return one
  const names = found.map(({ metadata }) => printable(`${metadata.namespace}/${metadata.name}`))
  throw new Stop(`several ApiKeys say that ${id} is theirs: ${names.join(', ')}; name one of them`)
}

/** Of all Kubernetes namespaces, or where one may not list them, of one. */
async function withId(
  cluster: Cluster,
  id: string,
  namespace: string,
): Promise<readonly [found: readonly Stored[], where: string]> {
  const fieldSelector = `status.keyId=${id}`
  const all = await listed(cluster, 'apikeys', { fieldSelector })
  if (all !== undefined) return [all, 'that the operator has looked at']
  const where = `of the Kubernetes namespace ${namespace} (you may not list those of others)`
  return [await cluster.list('apikeys', { namespace, fieldSelector }), where]
}

const granted = grantedKeys()

/** As enforcement knows it, as far as the ApiKey tells. */
function shownOf(object: Stored, { seen, nowMs }: { readonly seen: Seen; readonly nowMs: number }): Shown {
  const facts = factsOf(object)
  const dead = whyDead(facts, nowMs)
  if (dead !== undefined) return { kind: 'dead', why: dead }
  const { namespace, name, deleting } = facts
  const words = wordsOf(object.spec)
  const read = granted(words, { ...words, namespace, name, deleting })
  if (!read.ok) {
    const problems = read.problems.map(({ field, message }) => `${field}: ${message}`)
    return { kind: 'dead', why: `the ApiKey can't be read, and is set aside: ${printable(problems.join('; '))}` }
  }
  const record = recordBehind(read.manifest)
  const now = new Set(permissionsNow(facts))
  const held = record.asked.filter((permission) => now.has(permission))
  // standalone knows no people, so that nobody caps a key there
  const capped = conditionOf(facts, 'WithinCreatorAccess')?.reason !== 'NotCapped'
  const heldWithin = capped ? new Map(held.map((permission) => [permission, 'everywhere' as const])) : undefined
  return { kind: 'known', record: { ...record, held, heldWithin }, treeUnseen: !seen.tree, cappedUnseen: capped }
}

/** Why nobody has a secret of it that is good. */
function whyDead(key: KeyFacts, nowMs: number): string | undefined {
  const { credential, phase } = key.status
  if (isCutOff(key, nowMs)) return 'the key was regenerated without an overlap, and nobody has the new secret yet'
  if (credential?.version !== undefined || phase === 'Active') return undefined
  if (phase === undefined) return 'the operator has not looked at the key yet, and nobody has a secret of it'
  const why = conditionOf(key, 'Ready')?.message
  return `nobody has a secret of it that is good${why === undefined ? '' : ` (${printable(why)})`}`
}

/** By a change that counts before the operator has looked at it. */
function isCutOff(key: KeyFacts, nowMs: number): boolean {
  const { regenerate = 0, overlap, delivery } = key.spec
  const version = key.status.credential?.version
  if (version === undefined || isObserved(key) || delivery?.digest !== undefined) return false
  // what has ended is not replaced any more
  const hasEnded = stateOf(key) === 'Revoked' || hasExpired(key, nowMs)
  return 1 + regenerate > version && !leavesOverlap(overlap) && !hasEnded
}

type More = { readonly facts: KeyFacts | undefined; readonly seen: Seen; readonly nowMs: number }

function withMore(explained: Explanation, more: More): Explanation {
  const { facts, seen } = more
  const unseen = [...explained.unseen, ...setAside(explained, seen.policy)]
  if (facts !== undefined && facts.status.phase !== undefined && !isObserved(facts))
    unseen.push(
      'what the last change of the key gives: the operator has not looked at it yet, and it counts only then; what it takes away counts already',
    )
  return { ...explained, rows: explained.rows.map((row) => ({ ...row, why: row.why + because(row, more) })), unseen }
}

/** Since when, and because of whom. */
function because({ permission, passed }: Explanation['rows'][number], { facts, nowMs }: More): string {
  const words =
    passed || permission === undefined || facts === undefined ? undefined : withheldWords(facts, permission, nowMs)
  return words === undefined ? '' : `; ${words}`
}

const MOST_NAMED = 5

/** What is set aside may be in force as it was before: enforcement remembers, and a look does not. */
function setAside({ answer, api }: Explanation, { problems }: Policy): readonly string[] {
  const concerned = problems.filter(
    (problem) =>
      answer === 'unknown_host' || !problem.startsWith('ProtectedApi ') || problem.startsWith(`ProtectedApi ${api}:`),
  )
  const named = concerned.slice(0, MOST_NAMED).map((problem) => `what was in force before of ${printable(problem)}`)
  const rest = concerned.length - named.length
  return rest === 0 ? named : [...named, `and of ${rest} more that are set aside`]
}
