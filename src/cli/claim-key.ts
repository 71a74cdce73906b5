/** `keyward claim` and `keyward regenerate`: the version that is due, or the next one, handed over to whoever asks. */
import { claimOf } from './claim-credential.ts'
import type { Cluster, Ref } from './cluster.ts'
import { typedName } from './confirm.ts'
import { type HandOver, handOver } from './create-key.ts'
import { noSuchKey } from './describe-key.ts'
import { checkHandOut, openOutlet } from './hand-out.ts'
import { factsOf, type KeyFacts, leavesOverlap, standing, stateOf, versionDue } from './key-facts.ts'
import { overlapProblems } from './new-key.ts'
import { checkNames } from './object-name.ts'
import { objectText, valueText } from './object-text.ts'
import { printable } from './printable.ts'
import { Refused, Stop, wrongly } from './refused.ts'
import { newRecipient } from './sealed.ts'
import type { Terminal } from './terminal.ts'
import { untilDelivered } from './wait-for-key.ts'

export type ClaimOptions = HandOver & { readonly key: Ref; readonly dryRun: boolean }

export async function claimKey(cluster: Cluster, options: ClaimOptions, terminal: Terminal): Promise<number> {
  const { key, dryRun } = options
  checkNames([key.name])
  checkHandOut(options, !dryRun)
  const found = await keyAt(cluster, key, terminal)
  refuseUnclaimable(found, terminal)
  const version = versionDue(found)
  if (dryRun) return tryClaim(cluster, { ...options, version }, terminal)
  await claimVersion(cluster, { ...options, version }, terminal)
  return 0
}

/** Whether one may: what the key and its operator say to it is known only by a claim that is made. */
async function tryClaim(
  cluster: Cluster,
  { key, version, output }: ClaimOptions & { readonly version: number },
  terminal: Terminal,
): Promise<number> {
  const draft = claimOf({ ...key, version }, await newRecipient())
  const would = await cluster.create('apikeyclaims', key, { ...draft, dryRun: true })
  const named = `apikeyclaim.keyward.dev/${printable(would.metadata.name)}`
  if (output === 'text') await terminal.out(`${named} created (server dry run)\n`)
  else if (output === 'name') await terminal.out(`${named}\n`)
  else await terminal.out(valueText({ ...would, apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKeyClaim' }, output))
  return 0
}

async function claimVersion(
  cluster: Cluster,
  options: ClaimOptions & { readonly version: number },
  terminal: Terminal,
): Promise<void> {
  const outlet = await openOutlet({ cluster, terminal, key: options.key }, options)
  try {
    terminal.err(`waiting for version ${options.version} of ${options.key.name}\n`)
    await handOver(cluster, { ...options, isNew: false, outlet }, terminal)
  } catch (error) {
    outlet.giveUp()
    throw error
  }
}

async function keyAt(cluster: Cluster, key: Ref, { self }: Terminal): Promise<KeyFacts> {
  const found = await cluster.get('apikeys', key)
  if (found === undefined) throw noSuchKey({ ...key, self })
  return factsOf(found)
}

/** What the operator would deny anyhow, said before anything is asked of it. */
function refuseUnclaimable(key: KeyFacts, terminal: Terminal): void {
  const { delivery } = key.spec
  if (delivery?.secretName !== undefined)
    throw new Stop(
      `the credential of ${key.name} goes into the Secret ${printable(delivery.secretName)} of ${key.namespace}: it can't be claimed`,
    )
  refuseEnded(key, terminal)
}

/** Those that get no new credential any more, or not now. */
function refuseEnded(key: KeyFacts, { self, clock }: Terminal): void {
  const { digest } = key.spec.delivery ?? {}
  if (digest !== undefined)
    throw new Stop(
      `${key.name} was made elsewhere, and only its digest is known here: it has no credential to hand over`,
    )
  if (stateOf(key) === 'Suspended')
    throw new Stop(`${key.name} is suspended. First: ${self} resume ${key.name} -n ${key.namespace}`)
  if (stateOf(key) === 'Revoked') throw new Stop(`${key.name} is revoked for good: create another key`)
  if (standing(key, clock.nowMs()).phase === 'Expired')
    throw new Stop(`${key.name} has expired, and an expired key stays expired: create another key`)
  if (key.deleting) throw new Stop(`${key.name} is being deleted`)
}

export type RegenerateOptions = ClaimOptions & {
  readonly overlap: string | undefined
  readonly yes: boolean
  /** false: the new version is not claimed now. */
  readonly wait: boolean
}

export async function regenerateKey(cluster: Cluster, options: RegenerateOptions, terminal: Terminal): Promise<number> {
  checkNames([options.key.name])
  checkHandOut(options, options.wait && !options.dryRun)
  const wrong = options.overlap === undefined ? [] : overlapProblems(options.overlap)
  if (wrong.length > 0) throw wrongly(wrong.join('\n'))
  const before = await keyAt(cluster, options.key, terminal)
  refuseEnded(before, terminal)
  await agreed(before, options, terminal)
  const patch = regeneratePatch(before, options.overlap)
  if (options.dryRun) {
    const would = await cluster.patchKey(options.key, patch, { dryRun: true })
    await terminal.out(
      options.output === 'text'
        ? `apikey.keyward.dev/${options.key.name} regenerated (server dry run)\n`
        : objectText(would, options.output),
    )
    return 0
  }
  return before.spec.delivery?.secretName === undefined && options.wait
    ? regenerateAndClaim(cluster, { ...options, before, patch }, terminal)
    : regenerateOnly(cluster, { ...options, before, patch }, terminal)
}

type Regenerating = RegenerateOptions & { readonly before: KeyFacts; readonly patch: object }

async function regenerateAndClaim(
  cluster: Cluster,
  { before, patch, ...options }: Regenerating,
  terminal: Terminal,
): Promise<number> {
  const outlet = await openOutlet({ cluster, terminal, key: options.key }, options)
  try {
    await patched(cluster, options.key, patch)
    terminal.err(`apikey.keyward.dev/${options.key.name} regenerated; waiting for its new credential\n`)
    await handOver(cluster, { ...options, version: versionDue(before) + 1, isNew: true, outlet }, terminal)
  } catch (error) {
    outlet.giveUp()
    throw error
  }
  return 0
}

async function regenerateOnly(
  cluster: Cluster,
  { before, patch, ...options }: Regenerating,
  terminal: Terminal,
): Promise<number> {
  const { key, wait, out, outSecret, output, timeoutMs } = options
  if (out !== undefined || outSecret !== undefined)
    throw wrongly(`${out === undefined ? '--out-secret' : '--out'}: nothing is claimed here`)
  const after = await patched(cluster, key, patch)
  const { secretName } = before.spec.delivery ?? {}
  if (wait) await untilDelivered(cluster, { key, version: versionDue(before) + 1, timeoutMs }, terminal)
  await terminal.out(output === 'text' ? `apikey.keyward.dev/${key.name} regenerated\n` : objectText(after, output))
  terminal.err(
    secretName === undefined
      ? `claim its new credential: ${terminal.self} claim ${key.name} -n ${key.namespace}\n`
      : `the Secret ${printable(secretName)} ${wait ? 'holds' : 'will hold'} the new credential\n`,
  )
  return 0
}

/** Over what was read: of two who regenerate at once, one is told. */
function regeneratePatch({ uid, resourceVersion, spec }: KeyFacts, overlap: string | undefined): object {
  return {
    metadata: { uid, resourceVersion },
    spec: { regenerate: (spec.regenerate ?? 0) + 1, ...(overlap !== undefined && { overlap }) },
  }
}

async function patched(cluster: Cluster, key: Ref, patch: object) {
  try {
    return await cluster.patchKey(key, patch)
  } catch (error) {
    if (error instanceof Refused && error.status === 409)
      throw new Stop(
        `somebody else changed ${key.name} at the same moment, and nothing was done: look at it, and try again`,
      )
    throw error
  }
}

/** Without an overlap, whoever holds the secret is cut off at once; with nobody there is nothing to ask. */
async function agreed(key: KeyFacts, { overlap, yes, dryRun }: RegenerateOptions, terminal: Terminal): Promise<void> {
  const left = overlap ?? key.spec.overlap
  const isHeld = key.status.credential?.version !== undefined
  if (yes || dryRun || !isHeld || leavesOverlap(left)) return
  if (terminal.person === undefined)
    throw wrongly(
      `--yes is needed where nobody can be asked: the secret of ${key.name} that is in use now would end at once (--overlap 1h would leave it an hour)`,
    )
  terminal.err(`The secret of ${key.name} that is in use now ends at once (--overlap 1h would leave it an hour).\n`)
  await typedName(terminal.person, key.name)
}
