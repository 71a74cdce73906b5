/** Flags, KEYWARD_* variables and a file become one frozen value, or every problem at once. */
import { readFileSync } from 'node:fs'
import { load, YAMLException } from 'js-yaml'
import { z } from 'zod'
import { Trouble } from '../core/trouble.ts'

export type Sources = {
  /** Given on the command line, by option name (camelCase). */
  readonly flags: Readonly<Record<string, unknown>>
  /** The whole environment; only KEYWARD_* is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What a configuration file says, by option name; undefined where there is none. */
  readonly file: Readonly<Record<string, unknown>> | undefined
}

export type Loaded<T> =
  | { readonly ok: true; readonly config: Readonly<T> }
  | { readonly ok: false; readonly problems: readonly string[] }

const PREFIX = 'KEYWARD_'

/** Variables that say how to run and are no option of one command. */
const OF_ALL = new Set(['KEYWARD_CONFIG', 'KEYWARD_CACHE'])

/**
 * What the kubelet sets in every pod for a Service `keyward` or `keyward-…` of its namespace (`enableServiceLinks`): nobody
 * wrote it, so it is neither a setting nor a mistyped one.
 */
const SERVICE_LINK = /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/

export const variableOf = (option: string): string =>
  PREFIX + option.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()

export const flagOf = (option: string): string =>
  `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** A flag beats a variable, a variable beats the file. A mistyped KEYWARD_ name is a problem too. */
export function loadConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  { flags, env, file }: Sources,
): Loaded<z.output<z.ZodObject<Shape>>> {
  const options = Object.keys(schema.shape)
  const byVariable = new Map(options.map((option) => [variableOf(option), option]))
  const ours = Object.entries(env).filter(([name, value]) => name.startsWith(PREFIX) && value !== undefined)
  const unknown = [
    ...ours
      .filter(([name]) => !byVariable.has(name) && !OF_ALL.has(name) && !SERVICE_LINK.test(name))
      .map(([name]) => `${name}: no such variable; there are ${[...byVariable.keys()].join(', ')}`),
    ...Object.keys(file ?? {})
      .filter((option) => !options.includes(option))
      .map((option) => `${option}: the configuration file knows ${options.join(', ')}`),
  ]
  const fromEnv = Object.fromEntries(ours.flatMap(([name, value]) => named(byVariable.get(name), value)))
  const fromFlags = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const result = schema.safeParse({ ...file, ...fromEnv, ...fromFlags })
  const problems = result.success ? [] : result.error.issues.map((issue) => describe(issue))
  if (!result.success || unknown.length > 0) return { ok: false, problems: [...problems, ...unknown] }
  return { ok: true, config: Object.freeze(result.data) }
}

const named = (option: string | undefined, value: unknown): readonly [string, unknown][] =>
  option === undefined ? [] : [[option, value]]

function describe({ path, message }: z.core.$ZodIssue): string {
  const option = String(path[0] ?? '')
  return `${flagOf(option)} (${variableOf(option)}): ${message}`
}

/** A whole number that may come as text. */
export const wholeNumber = (least: number, most: number): z.ZodType<number> =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d{1,15}$/)
          .transform(Number),
      ],
      { error: 'a whole number is needed' },
    )
    .pipe(
      z
        .int({ error: 'a whole number is needed' })
        .min(least, { error: `at least ${least}` })
        .max(most, { error: `at most ${most}` }),
    )

/** A configuration file (YAML, options in camelCase), or undefined where none is named. */
export function readConfigFile(path: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (path === undefined) return undefined
  try {
    const value = load(readFileSync(path, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (cause) {
    throw new Trouble('config_file_unreadable', 'stop', unquoted(cause))
  }
  throw new Trouble('config_file_is_no_mapping', 'stop')
}

/** The parser quotes what it could not read, which may be a password. */
const unquoted = (cause: unknown): unknown =>
  cause instanceof YAMLException
    ? new Error(`line ${(cause.mark?.line ?? 0) + 1} is not valid YAML, or a quote or bracket above it is still open`)
    : cause
