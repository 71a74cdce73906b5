/** What may stand at the end of a command line: asked by the shell through a hidden command, answered as kubectl's plugins are. */
import type { Command, Option } from 'commander'
import { ENVIRONMENTS } from '../core/environment.ts'
import type { Cluster } from './cluster.ts'
import { accessNamespaces, grantable, kubernetesNamespaces, type Named } from './grantable.ts'
import { factsOf, standing } from './key-facts.ts'
import { printable } from './printable.ts'

/** Of cobra, whose protocol it is: files are no answer; nothing is added behind; files are the answer. */
const DIRECTIVES = { noFiles: 4, noSpaceNoFiles: 6, files: 0 } as const

export type Completions = { readonly items: readonly Named[]; readonly directive: number }

export type CompletionParts = {
  readonly program: Command
  /** Rejects where there is no cluster: then nothing is offered. */
  readonly open: (said: Said) => Promise<Cluster>
  readonly nowMs: number
}

const NOTHING: Completions = { items: [], directive: DIRECTIVES.noFiles }

/** @param words behind the name of the program; the last one is being written, and may be empty */
export async function complete(words: readonly string[], parts: CompletionParts): Promise<Completions> {
  const current = words.at(-1) ?? ''
  const read = readWords(words.slice(0, -1), parts.program)
  const found = await candidates(current, read, parts).catch(() => NOTHING)
  return { ...found, items: found.items.filter(({ name }) => name.startsWith(current) && STANDS_ALONE.test(name)) }
}

/** It comes to stand in a command line: what a shell would take apart or run is not offered, whoever wrote it. */
const STANDS_ALONE = /^[A-Za-z0-9@%+=:,./_-]*$/

/** As cobra writes them: a word and what it is about, and a number at the end. */
export const completionText = ({ items, directive }: Completions): string =>
  `${items.map(({ name, about }) => `${printable(name)}${about === '' ? '' : `\t${printable(about)}`}\n`).join('')}:${directive}\n`

/** Options by their names, the last of each. */
type Said = Readonly<Record<string, string>>

type Read = {
  readonly command: Command
  readonly said: Said
  readonly names: readonly string[]
  /** The option whose value comes next. */
  readonly open: Option | undefined
}

function readWords(words: readonly string[], program: Command): Read {
  let read: Read = { command: program, said: {}, names: [], open: undefined }
  for (const word of words) read = readWord(read, word)
  return read
}

function readWord(read: Read, word: string): Read {
  const { command, said, names, open } = read
  if (open !== undefined) return { ...read, said: { ...said, [open.attributeName()]: word }, open: undefined }
  if (word.startsWith('-')) {
    const option = optionIn(command, word)
    if (option === undefined || !takesValue(option)) return read
    if (!word.includes('=')) return { ...read, open: option }
    return { ...read, said: { ...said, [option.attributeName()]: word.slice(word.indexOf('=') + 1) } }
  }
  const sub = names.length === 0 ? command.commands.find((one) => one.name() === word) : undefined
  return sub === undefined ? { ...read, names: [...names, word] } : { ...read, command: sub }
}

const takesValue = ({ required, optional }: Option): boolean => required || optional

function optionIn(command: Command, word: string): Option | undefined {
  const name = word.split('=', 1)[0]
  return command.options.find(({ short, long }) => short === name || long === name)
}

async function candidates(current: string, read: Read, parts: CompletionParts): Promise<Completions> {
  const { command, open } = read
  if (open !== undefined) return valuesOf(open, current, { ...read, parts })
  const inline = /^(--[a-z-]+)=(.*)$/s.exec(current)
  const option = inline === null ? undefined : optionIn(command, inline[1] ?? '')
  if (inline !== null && option !== undefined) {
    const { items, directive } = await valuesOf(option, inline[2] ?? '', { ...read, parts })
    return { items: items.map(({ name, about }) => ({ name: `${inline[1]}=${name}`, about })), directive }
  }
  if (current.startsWith('-')) return offered(flagsOf(command))
  if (command.commands.length > 0 && read.names.length === 0) return offered(commandsOf(command))
  return argumentsOf({ ...read, parts })
}

const offered = (items: readonly Named[]): Completions => ({ items, directive: DIRECTIVES.noFiles })

const flagsOf = (command: Command): readonly Named[] =>
  command.options
    .filter(({ hidden, long }) => !hidden && typeof long === 'string')
    .map(({ long, description }) => ({ name: long ?? '', about: description }))

const commandsOf = (command: Command): readonly Named[] =>
  command.commands
    .filter((one) => !one.name().startsWith('__'))
    .map((one) => ({ name: one.name(), about: one.description() }))

type Asked = Read & { readonly parts: CompletionParts }

const FILES = new Set([
  '--kubeconfig',
  '--token-file',
  '--certificate-authority',
  '--out',
  '--manifests',
  '--data',
  '--config',
])

async function valuesOf(option: Option, current: string, asked: Asked): Promise<Completions> {
  const long = option.long ?? ''
  if (option.argChoices !== undefined) return offered(option.argChoices.map((name) => ({ name, about: '' })))
  if (FILES.has(long)) return { items: [], directive: DIRECTIVES.files }
  const { parts, said } = asked
  if (long === '--environment') return offered(ENVIRONMENTS.map((name) => ({ name, about: '' })))
  const ask = VALUES[long]
  if (ask === undefined) return NOTHING
  const items = await asking(parts, said, (cluster) => ask(cluster, said, parts.nowMs))
  return SEVERAL.has(long) ? severalOf(items, current) : offered(items)
}

async function asking(
  { open }: CompletionParts,
  said: Said,
  ask: (cluster: Cluster) => Promise<readonly Named[]>,
): Promise<readonly Named[]> {
  const cluster = await open(said)
  try {
    return await ask(cluster)
  } finally {
    await cluster.close()
  }
}

const SEVERAL = new Set(['--permissions'])

const VALUES: Readonly<Record<string, (cluster: Cluster, said: Said, nowMs: number) => Promise<readonly Named[]>>> = {
  '--key': keyNames,
  '--namespace': kubernetesNamespaces,
  '--access-namespace': accessNamespaces,
  '--permissions': async (cluster, { accessNamespace = '' }) =>
    (await grantable(cluster, accessNamespace)).map(({ permission, title }) => ({ name: permission, about: title })),
}

async function keyNames(cluster: Cluster, said: Said, nowMs: number): Promise<readonly Named[]> {
  const keys = await cluster.list('apikeys', { namespace: said.namespace ?? cluster.namespace })
  return keys.map((object) => {
    const facts = factsOf(object)
    const { environment, displayName } = facts.spec
    const about = [standing(facts, nowMs).phase, environment, displayName].filter((part) => part !== undefined)
    return { name: facts.name, about: about.join(', ') }
  })
}

/** What was written before the last comma stays. */
function severalOf(items: readonly Named[], current: string): Completions {
  const before = current.slice(0, current.lastIndexOf(',') + 1)
  const had = new Set(before.split(','))
  const rest = items.filter(({ name }) => !had.has(name))
  return {
    items: rest.map(({ name, about }) => ({ name: before + name, about })),
    directive: DIRECTIVES.noSpaceNoFiles,
  }
}

const OF_KEYS = new Set(['get', 'claim', 'regenerate', 'suspend', 'resume', 'revoke'])

async function argumentsOf({ command, said, names, parts }: Asked): Promise<Completions> {
  if (command.name() === 'completion')
    return offered(names.length === 0 ? SHELLS.map((name) => ({ name, about: '' })) : [])
  const takesMore =
    command.registeredArguments.at(-1)?.variadic === true || names.length < command.registeredArguments.length
  if (!OF_KEYS.has(command.name()) || !takesMore) return NOTHING
  const items = await asking(parts, said, (cluster) => keyNames(cluster, said, parts.nowMs))
  return offered(items.filter(({ name }) => !names.includes(name)))
}

const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]
