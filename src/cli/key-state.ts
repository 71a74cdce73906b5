/** `keyward suspend`, `resume` and `revoke`: what takes away asks for no more than the name; what is for good asks twice. */
import type { Cluster, Ref, Stored } from './cluster.ts'
import { typedName } from './confirm.ts'
import { noSuchKey } from './describe-key.ts'
import { ending } from './ending.ts'
import type { ShownForm } from './hand-out.ts'
import { factsOf, type KeyFacts, stateOf } from './key-facts.ts'
import { checkNames } from './object-name.ts'
import { nameText, objectsText } from './object-text.ts'
import { Stop, wrongly } from './refused.ts'
import type { Terminal } from './terminal.ts'
import { untilObserved } from './wait-for-key.ts'

export type Act = 'suspend' | 'resume' | 'revoke'

export type StateOptions = {
  readonly act: Act
  readonly namespace: string
  readonly names: readonly string[]
  readonly output: ShownForm
  readonly dryRun: boolean
  readonly wait: boolean
  readonly timeoutMs: number
  readonly yes: boolean
}

const ACTS = {
  suspend: { state: 'Suspended', done: 'suspended' },
  resume: { state: 'Active', done: 'resumed' },
  revoke: { state: 'Revoked', done: 'revoked' },
} as const

/** One after the other; what fails is told, and the others are done. 1: one of them failed. */
export async function changeStates(cluster: Cluster, options: StateOptions, terminal: Terminal): Promise<number> {
  const { act, yes, dryRun, namespace, names, output } = options
  checkNames(names)
  if (act === 'revoke' && !yes && !dryRun && terminal.person === undefined)
    throw wrongly('--yes is needed where nobody can be asked: a key that is revoked stays revoked')
  const changed: Stored[] = []
  let failed = false
  for (const name of names) {
    try {
      changed.push(await changeState(cluster, { ...options, key: { namespace, name } }, terminal))
    } catch (error) {
      if (names.length === 1) throw error
      const { words } = await ending(error, { namespace, self: terminal.self })
      terminal.err(`${terminal.self} ${act} ${name}: ${words}\n`)
      failed = true
    }
  }
  // documents that follow one another are none that can be read
  if (isDocument(output) && changed.length > 0) await terminal.out(objectsText(changed, output))
  return failed ? 1 : 0
}

const isDocument = (output: ShownForm): output is 'json' | 'yaml' => output === 'json' || output === 'yaml'

async function changeState(
  cluster: Cluster,
  options: StateOptions & { readonly key: Ref },
  terminal: Terminal,
): Promise<Stored> {
  const { act, key, dryRun, output, yes, wait, timeoutMs } = options
  const tell = async (object: Stored, words: string): Promise<void> => {
    const text =
      output === 'text' ? `apikey.keyward.dev/${key.name} ${words}\n` : output === 'name' ? nameText(object) : ''
    // where nobody reads any more, the other keys are done all the same
    if (text !== '') await terminal.out(text).catch(() => undefined)
  }
  const found = await cluster.get('apikeys', key)
  if (found === undefined) throw noSuchKey({ ...key, self: terminal.self })
  const facts = factsOf(found)
  refuseImpossible(act, facts)
  const { state, done } = ACTS[act]
  if (stateOf(facts) === state) {
    await tell(found, `${done} already`)
    // somebody may have changed it a moment ago
    if (wait && !dryRun) await untilObserved(cluster, { key, timeoutMs }, terminal)
    return found
  }
  if (act === 'revoke' && !yes && !dryRun) await askToRevoke(facts, terminal)
  const after = await cluster.patchKey(key, statePatch(facts, act), { dryRun })
  await tell(after, dryRun ? `${done} (server dry run)` : done)
  if (wait && !dryRun) await untilObserved(cluster, { key, timeoutMs }, terminal)
  return after
}

/** Only the uid is held on to: what takes away must not lose against an edit at the same moment. */
function statePatch({ uid, resourceVersion }: KeyFacts, act: Act): object {
  const { state } = ACTS[act]
  return { metadata: act === 'resume' ? { uid, resourceVersion } : { uid }, spec: { state } }
}

function refuseImpossible(act: Act, key: KeyFacts): void {
  if (stateOf(key) !== 'Revoked' || act === 'revoke') return
  throw new Stop(`${key.name} is revoked, and that is for good: create another key`)
}

async function askToRevoke(key: KeyFacts, { person, err, self }: Terminal): Promise<void> {
  if (person === undefined) return
  const id = key.status.keyId === undefined ? '' : ` (${key.status.keyId})`
  err(`${key.name}${id} in ${key.namespace} will never work again. ${self} suspend can be taken back.\n`)
  await typedName(person, key.name)
}
