/** A key made by questions and answers: whatever was not said as a flag is asked for, with what there is to choose from. */
import { ENVIRONMENTS } from '../core/environment.ts'
import { PERIOD } from '../resources/common.ts'
import type { Cluster } from './cluster.ts'
import { accessNamespaces, grantable, type Named } from './grantable.ts'
import { type NewKeyFlags, RATE, RATE_SAYS } from './new-key.ts'
import { isObjectName, NAME_SAYS } from './object-name.ts'
import { isNamespaceName } from './port-flags.ts'
import { printable } from './printable.ts'
import { Refused } from './refused.ts'
import type { Person, Terminal } from './terminal.ts'

export type Asked = { readonly name: string; readonly namespace: string; readonly flags: NewKeyFlags }

type Asking = { readonly cluster: Cluster; readonly terminal: Terminal; readonly person: Person }

/** @param given what was said already */
export async function askNewKey(
  asking: Asking,
  given: { readonly name: string | undefined; readonly namespace: string | undefined; readonly flags: NewKeyFlags },
): Promise<Asked> {
  const { cluster, person, terminal } = asking
  const { flags } = given
  const name = given.name ?? (await named(asking))
  const namespace = given.namespace ?? (await askNamespace(asking))
  const displayName = flags.displayName ?? (await optional(person, 'Name for people (empty: none): '))
  const accessNamespace =
    flags.accessNamespace ??
    (await chosen(asking, { title: 'Access namespace', from: await accessNamespaces(cluster) }))
  const environment =
    flags.environment ??
    (await chosen(asking, { title: 'Environment', from: ENVIRONMENTS.map((one) => ({ name: one, about: '' })) }))
  const permissions = flags.permissions ?? (await askPermissions(asking, accessNamespace))
  const expiring = flags.expiresAt !== undefined || flags.expiresIn !== undefined
  const expiresIn = expiring
    ? flags.expiresIn
    : await inShape(asking, {
        question: 'Expires in, such as 90d (empty: never): ',
        shape: PERIOD,
        says: 'a number of s, m, h or d, such as 90d',
      })
  const rateLimit =
    flags.rateLimit ??
    (await inShape(asking, { question: 'Rate limit, such as 600/1m (empty: none): ', shape: RATE, says: RATE_SAYS }))
  terminal.err('\n')
  const answered = { displayName, accessNamespace, environment, permissions, expiresIn, rateLimit }
  return { name, namespace, flags: { ...flags, ...answered } }
}

async function named({ person, terminal }: Asking): Promise<string> {
  for (;;) {
    const name = (await person.ask('Name of the key, such as main-website: ')).trim()
    if (isObjectName(name)) return name
    terminal.err(`${NAME_SAYS}\n`)
  }
}

type Shaped = { readonly question: string; readonly shape: RegExp; readonly says: string }

async function inShape({ person, terminal }: Asking, { question, shape, says }: Shaped): Promise<string | undefined> {
  for (;;) {
    const answer = await optional(person, question)
    if (answer === undefined || shape.test(answer)) return answer
    terminal.err(`${says}\n`)
  }
}

/** The Kubernetes one; that of the context where nothing is answered. */
async function askNamespace({ cluster, person, terminal }: Asking): Promise<string> {
  const question = `Kubernetes namespace (empty: ${printable(cluster.namespace)}): `
  for (;;) {
    const namespace = (await optional(person, question)) ?? cluster.namespace
    if (!isNamespaceName(namespace)) {
      terminal.err('lower-case letters, digits and - only, at most 63, beginning and ending with a letter or digit\n')
    } else if (await isThere(cluster, namespace)) return namespace
    else terminal.err(`there is no Kubernetes namespace ${namespace}\n`)
  }
}

/** Who may not look at it may still make keys in it. */
async function isThere(cluster: Cluster, name: string): Promise<boolean> {
  try {
    return (await cluster.get('namespaces', { namespace: '', name })) !== undefined
  } catch (error) {
    if (error instanceof Refused && error.status === 403) return true
    throw error
  }
}

async function optional(person: Person, question: string): Promise<string | undefined> {
  const answer = (await person.ask(question)).trim()
  return answer === '' ? undefined : answer
}

type Choosing = { readonly title: string; readonly from: readonly Named[] }

/** One, by its number or its name; where there is nothing to choose from, whatever is written. */
async function chosen({ terminal, person }: Asking, { title, from }: Choosing): Promise<string> {
  terminal.err(menu(title, from))
  for (;;) {
    const answer = (await person.ask(`${title}: `)).trim()
    const [one, ...more] = choiceOf(answer, from) ?? []
    if (one !== undefined && more.length === 0) return one
    if (from.length === 0 && answer !== '') return answer
    terminal.err(
      from.length === 0 ? 'its name is needed\n' : `a number from 1 to ${from.length}, or a name of the list\n`,
    )
  }
}

async function askPermissions(asking: Asking, accessNamespace: string): Promise<readonly string[]> {
  const { cluster, terminal, person } = asking
  const found = await grantable(cluster, accessNamespace)
  const from = found.map(({ permission, title }) => ({ name: permission, about: title }))
  if (from.length === 0) {
    terminal.err(
      `nothing was found that you may grant in ${printable(accessNamespace)}: name the permissions, or ask for a role on accessnamespaces/permissions\n`,
    )
  }
  terminal.err(menu(`Permissions that you may grant in ${accessNamespace}`, from))
  for (;;) {
    const answer = (await person.ask('Permissions, such as 1,3-5 or their names: ')).trim()
    const names = choiceOf(answer, from) ?? (from.length === 0 && answer !== '' ? answer.split(/[\s,]+/) : [])
    if (names.length > 0) return names
    terminal.err('at least one, by number or name\n')
  }
}

const menu = (title: string, from: readonly Named[]): string =>
  from.length === 0
    ? ''
    : `\n${printable(title)}\n${from.map(({ name, about }, at) => `${String(at + 1).padStart(4)}) ${printable(name)}${about === '' ? '' : `  ${printable(about)}`}\n`).join('')}`

/** `1,3-5`, `license:manage`, or both; undefined: something in it is neither. */
function choiceOf(answer: string, from: readonly Named[]): readonly string[] | undefined {
  const names = new Set<string>()
  for (const word of answer.split(/[\s,]+/).filter((one) => one !== '')) {
    const part = partOf(word, from)
    if (part === undefined) return undefined
    for (const name of part) names.add(name)
  }
  return [...names]
}

function partOf(word: string, from: readonly Named[]): readonly string[] | undefined {
  if (from.some(({ name }) => name === word)) return [word]
  const numbers = /^([1-9][0-9]{0,3})(?:-([1-9][0-9]{0,3}))?$/.exec(word)
  if (numbers === null) return undefined
  const first = Number(numbers[1])
  const last = Number(numbers[2] ?? numbers[1])
  return first > last || last > from.length ? undefined : from.slice(first - 1, last).map(({ name }) => name)
}

/** Yes, or an empty answer. */
export async function confirmed(person: Person, question: string): Promise<boolean> {
  const answer = (await person.ask(`${question} [Y/n] `)).trim().toLowerCase()
  return answer === '' || answer === 'y' || answer === 'yes'
}
