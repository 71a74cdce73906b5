/** `keyward create`: makes the key, claims it, shows its credential once, and says that it arrived. */
import { askNewKey, confirmed } from './ask-new-key.ts'
import { claimCredential } from './claim-credential.ts'
import type { Cluster, Draft, Ref, Stored } from './cluster.ts'
import { isAccessNamespace } from './grantable.ts'
import { checkHandOut, type HandOutOptions, openOutlet } from './hand-out.ts'
import { factsOf } from './key-facts.ts'
import { commandLineOf, type NewKeyFlags, newKey } from './new-key.ts'
import { refuseSecrets } from './object-name.ts'
import { objectText } from './object-text.ts'
import { Stop, wrongly } from './refused.ts'
import type { Terminal } from './terminal.ts'
import { untilDelivered } from './wait-for-key.ts'

export type HandOver = HandOutOptions & { readonly timeoutMs: number }

export type CreateOptions = HandOver & {
  readonly name: string | undefined
  /** The Kubernetes one; undefined: that of the context, unless a person who is asked names another. */
  readonly namespace: string | undefined
  /** Told where the key is made, once that is known. */
  readonly placed: (namespace: string) => void
  readonly flags: NewKeyFlags
  readonly dryRun: boolean
  /** false: it is not claimed now. */
  readonly wait: boolean
}

export async function createKey(cluster: Cluster, options: CreateOptions, terminal: Terminal): Promise<number> {
  const isClaimed = options.wait && !options.dryRun && options.flags.secretName === undefined
  checkHandOut(options, isClaimed)
  refuseSecrets([options.name ?? '', options.flags.secretName ?? ''])
  const draft = await draftOf(cluster, options, terminal)
  const { namespace, name } = draft.metadata
  const key = { namespace, name }
  if (options.dryRun) {
    const would = await cluster.create('apikeys', key, { ...draft, dryRun: true })
    await terminal.out(tried(would, options))
    await noteMissing(cluster, draft, terminal)
    return 0
  }
  if (!isClaimed) return createOnly(cluster, { ...options, draft, key }, terminal)
  const outlet = await openOutlet({ cluster, terminal, key }, options)
  try {
    await cluster.create('apikeys', key, draft)
    terminal.err(`apikey.keyward.dev/${key.name} created; waiting for its credential\n`)
    await noteMissing(cluster, draft, terminal)
    await handOver(cluster, { ...options, key, version: 1, isNew: true, outlet }, terminal)
  } catch (error) {
    outlet.giveUp()
    throw error
  }
  return 0
}

type Placed = Draft & { readonly metadata: Ref }

async function draftOf(cluster: Cluster, options: CreateOptions, terminal: Terminal): Promise<Placed> {
  const nowMs = terminal.clock.nowMs()
  const { person } = terminal
  const asks = options.name === undefined && person !== undefined
  const {
    name,
    flags,
    namespace = cluster.namespace,
  } = asks ? await askNewKey({ cluster, terminal, person }, options) : options
  options.placed(namespace)
  if (name === undefined)
    throw wrongly(
      `NAME is needed: ${terminal.self} create NAME --access-namespace … --environment … --permissions …; on a terminal ${terminal.self} create asks for all of it`,
    )
  const made = newKey({ name, namespace }, flags, nowMs)
  if (!made.ok) throw wrongly(made.problems.join('\n'))
  if (asks) {
    terminal.err(`  ${commandLineOf(terminal.self, made.draft)}\n\n`)
    if (!(await confirmed(person, 'Create it?'))) throw new Stop('nothing was created')
  }
  return { ...made.draft, metadata: { namespace, name } }
}

/** It may come later; until it does, or where its name was mistyped, the key opens nothing. */
async function noteMissing(cluster: Cluster, { spec }: Draft, terminal: Terminal): Promise<void> {
  const { accessNamespace: name } = spec as { readonly accessNamespace: string }
  if ((await isAccessNamespace(cluster, name)) !== false) return
  terminal.err(`there is no AccessNamespace ${name}: until there is one, every request with this key is refused\n`)
}

const tried = (would: Stored, { output }: CreateOptions): string =>
  output === 'text' ? `apikey.keyward.dev/${would.metadata.name} created (server dry run)\n` : objectText(would, output)

type Made = CreateOptions & { readonly draft: Draft; readonly key: Ref }

/** The credential goes elsewhere, or is claimed later. */
async function createOnly(
  cluster: Cluster,
  { draft, key, output, wait, timeoutMs, out, outSecret }: Made,
  terminal: Terminal,
): Promise<number> {
  if (out !== undefined || outSecret !== undefined)
    throw wrongly(
      `${out === undefined ? '--out-secret' : '--out'}: nothing is claimed with ${wait ? '--secret-name' : '--wait=false'}`,
    )
  const made = await cluster.create('apikeys', key, draft)
  await noteMissing(cluster, draft, terminal)
  const { delivery } = factsOf(made).spec
  if (delivery?.secretName !== undefined && wait) {
    terminal.err(`apikey.keyward.dev/${key.name} created; waiting for the Secret ${delivery.secretName}\n`)
    await untilDelivered(cluster, { key, version: 1, timeoutMs }, terminal)
  }
  await terminal.out(output === 'text' ? `apikey.keyward.dev/${key.name} created\n` : objectText(made, output))
  if (delivery === undefined)
    terminal.err(`claim its credential: ${terminal.self} claim ${key.name} -n ${key.namespace}\n`)
  return 0
}

export type ToHandOver = {
  readonly key: Ref
  readonly version: number
  readonly isNew: boolean
  readonly timeoutMs: number
  readonly outlet: Awaited<ReturnType<typeof openOutlet>>
}

/** Claims, gives, and only then says that it arrived. */
export async function handOver(
  cluster: Cluster,
  { key, version, isNew, timeoutMs, outlet }: ToHandOver,
  terminal: Terminal,
): Promise<void> {
  const claimed = await claimCredential(cluster, { ...key, version, isNew, timeoutMs }, terminal)
  await outlet.give(claimed.plaintext)
  await claimed.acknowledge()
}
