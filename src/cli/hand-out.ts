/** Where a credential goes, seen to before it is made: to standard output, into a new file, or into a new Secret. */
import type { Plaintext } from '../core/plaintext.ts'
import type { Cluster, Ref } from './cluster.ts'
import { FileProblem, newCredentialFile } from './credential-file.ts'
import { checkFlagName } from './object-name.ts'
import { valueText } from './object-text.ts'
import { printable } from './printable.ts'
import { passes, Refused, Stop, wrongly } from './refused.ts'
import type { Terminal } from './terminal.ts'

const SHOWN_FORMS = ['text', 'json', 'yaml', 'name'] as const
export type ShownForm = (typeof SHOWN_FORMS)[number]

export type HandOutOptions = {
  readonly out: string | undefined
  readonly outSecret: string | undefined
  readonly output: ShownForm
}

export type Outlet = {
  /** Only here is it revealed. Throws a Stop where it did not get there. */
  readonly give: (plaintext: Plaintext) => Promise<void>
  /** Nothing came of it. */
  readonly giveUp: () => void
}

/** @param isClaimed false: nothing is handed out, so there is nothing to show */
export function checkHandOut({ out, outSecret, output }: HandOutOptions, isClaimed: boolean): void {
  if (out !== undefined && outSecret !== undefined) throw wrongly('--out and --out-secret: one of them')
  checkFlagName('--out-secret', outSecret)
  if (isClaimed && output === 'name' && out === undefined && outSecret === undefined)
    throw wrongly('--output name shows no credential: say with --out or --out-secret where it is to go')
}

/** Whatever can go wrong there goes wrong now, before there is a credential to lose. */
export async function openOutlet(
  parts: { readonly cluster: Cluster; readonly terminal: Terminal; readonly key: Ref },
  options: HandOutOptions,
): Promise<Outlet> {
  // from here on an interruption is heard, and leaves nothing half done
  parts.terminal.stop()
  if (options.out !== undefined) return intoFile(options.out, { ...parts, output: options.output })
  if (options.outSecret !== undefined)
    return intoSecret({ namespace: parts.key.namespace, name: options.outSecret }, { ...parts, output: options.output })
  return { give: (plaintext) => shown(plaintext, { ...parts, output: options.output }), giveUp: () => undefined }
}

type Parts = {
  readonly cluster: Cluster
  readonly terminal: Terminal
  readonly key: Ref
  readonly output: ShownForm
}

async function shown(plaintext: Plaintext, { terminal, key, output }: Parts): Promise<void> {
  const { id, secret, key: whole } = plaintext.reveal()
  const text =
    output === 'json' || output === 'yaml'
      ? valueText({ namespace: key.namespace, name: key.name, id, secret, key: whole }, output)
      : `ID      ${id}\nSecret  ${secret}\nKey     ${whole}\n`
  try {
    await terminal.out(text)
  } catch {
    throw new Stop(`nobody reads what is printed, so the credential was shown to nobody; ${anew(terminal, key)}`)
  }
  if (output === 'text') terminal.err('Copy it now: it is shown this once and kept nowhere.\n')
}

const anew = ({ self }: Terminal, { name, namespace }: Ref): string =>
  `make a new one: ${self} regenerate ${name} -n ${namespace}`

/** What stands on standard output where the credential itself goes elsewhere. It has arrived, whether or not anybody reads that. */
const told = (parts: Parts, id: string, place: Readonly<Record<string, string>>): Promise<void> =>
  tell(parts, id, place).catch(() => undefined)

async function tell(
  { terminal, key, output }: Parts,
  id: string,
  place: Readonly<Record<string, string>>,
): Promise<void> {
  if (output === 'name') await terminal.out(`apikey.keyward.dev/${key.name}\n`)
  else if (output !== 'text')
    await terminal.out(valueText({ namespace: key.namespace, name: key.name, id, ...place }, output))
  else {
    const [[kind, where] = ['', '']] = Object.entries(place)
    await terminal.out(`ID      ${id}\nKey     in the ${kind === 'outSecret' ? 'Secret' : kind} ${printable(where)}\n`)
  }
}

function intoFile(name: string, parts: Parts): Outlet {
  const file = named(name, () => newCredentialFile(name))
  let begun = false
  return {
    giveUp: () => {
      // once something may be in it, it stays
      if (!begun) file.remove()
    },
    give: async (plaintext) => {
      const shown = plaintext.reveal()
      begun = true
      named(name, () => file.write(shown), `; ${anew(parts.terminal, parts.key)}`)
      await told(parts, shown.id, { file: name })
    },
  }
}

function named<T>(file: string, act: () => T, remedy = ''): T {
  try {
    return act()
  } catch (error) {
    throw error instanceof FileProblem ? new Stop(`--out: ${file} ${error.message}${remedy}`) : error
  }
}

const ATTEMPTS = 4
const PAUSE_MS = 500

/** Tried out first, since a credential that has been handed over is handed over once. */
async function intoSecret(secret: Ref, parts: Parts): Promise<Outlet> {
  const { cluster, terminal } = parts
  const placeholder = { id: '', secret: '', key: '' }
  try {
    await cluster.createSecret(secret, placeholder, { dryRun: true })
  } catch (error) {
    if (error instanceof Refused) throw new Stop(`--out-secret: ${whyNoSecret(error, secret)}`)
    throw error
  }
  return {
    giveUp: () => undefined,
    give: async (plaintext) => {
      for (let attempt = 1; !(await wasMade(secret, { parts, plaintext, attempt })); attempt += 1) {
        await terminal.pause(PAUSE_MS * attempt, terminal.stop())
      }
      await told(parts, plaintext.reveal().id, { outSecret: secret.name })
    },
  }
}

type Making = { readonly parts: Parts; readonly plaintext: Plaintext; readonly attempt: number }

/** false: it may be tried once more. */
async function wasMade(secret: Ref, { parts, plaintext, attempt }: Making): Promise<boolean> {
  const { id, secret: hidden, key } = plaintext.reveal()
  try {
    await parts.cluster.createSecret(secret, { id, secret: hidden, key })
    return true
  } catch (error) {
    const refused = error instanceof Refused ? error : undefined
    // a write that was answered nothing may have happened
    if (attempt > 1 && refused?.reason === 'AlreadyExists') throw perhapsThere(secret, id)
    if (passes(error) && attempt < ATTEMPTS) return false
    const why = refused === undefined ? "the API server can't be reached" : whyNoSecret(refused, secret)
    throw new Stop(`--out-secret: ${why}; the credential was kept nowhere: ${anew(parts.terminal, parts.key)}`)
  }
}

const perhapsThere = ({ name, namespace }: Ref, id: string): Stop =>
  new Stop(
    `--out-secret: the connection broke while the Secret ${name} was written to ${namespace}: if its id is ${id}, all is well, else regenerate the key`,
  )

function whyNoSecret({ status, reason }: Refused, { name, namespace }: Ref): string {
  if (reason === 'AlreadyExists')
    return `there is a Secret ${name} in ${namespace} already, and it is not overwritten: name another one`
  if (status === 403)
    return `you may not create Secrets in ${namespace} (or a policy refuses this one): ask for the verb create on secrets there`
  if (status === 404)
    return `there is no Kubernetes namespace ${namespace}, or the server is a standalone, which keeps no Secrets`
  return `the Secret ${name} can't be made (${status} ${printable(reason)})`
}
