/** A command line as kubectl's users write it, in the forms that commander reads; and under which name we were called. */
import { basename } from 'node:path'

/** Flags that stand alone, and that kubectl also lets be written with a value. */
const BOOLEAN = /^--(wait|yes|all-namespaces|no-headers)=(true|false)$/
/** `-n=team`, which pflag reads as `-n team`. */
const SHORT = /^-([nlo])=(.*)$/s

export type CalledAs = {
  /** `keyward`, or `kubectl keyward` where kubectl called. */
  readonly self: string
  /** Behind the name. */
  readonly args: readonly string[]
}

/** @param argv node, the script, and what follows */
export function calledAs(argv: readonly string[]): CalledAs {
  const [, script = '', ...words] = argv
  const name = basename(script).replace(/\.[cm]?[jt]s$/, '')
  const self = name.startsWith('kubectl') ? 'kubectl keyward' : 'keyward'
  // what is being completed is nothing that we were told
  if (name === 'kubectl_complete-keyward') return { self, args: ['__complete', '--', ...words] }
  if (words[0] === '__complete') return { self, args: ['__complete', '--', ...words.slice(1)] }
  return { self, args: kubectlForms(words) }
}

function kubectlForms(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--')
  const flags = end === -1 ? words : words.slice(0, end)
  return [...flags.flatMap(form), ...words.slice(flags.length)]
}

function form(word: string): readonly string[] {
  const short = SHORT.exec(word)
  if (short !== null) return [`-${short[1]}${short[2]}`]
  const [, name, value] = BOOLEAN.exec(word) ?? []
  if (name === undefined) return [word]
  if (name === 'wait') return [value === 'true' ? '--wait' : '--no-wait']
  return value === 'true' ? [`--${name}`] : []
}
