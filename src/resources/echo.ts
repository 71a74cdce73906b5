/** A value as a message may show it: short, printable, and never one that could be a secret. */

const MAX_SHOWN = 64

/** Credentials of ours, PEM blocks and JWTs, whole or in part. */
const SECRET_FORMS = [/kw_[a-z]*_?[0-9A-Za-z]{12}_/, /-----BEGIN/, /eyJ[A-Za-z0-9_-]{8,}\./]

/** A long run without a break that mixes digits with both cases is far more often a secret than a name. */
const LONG_RUN = /[A-Za-z0-9+/_=-]{32,}/g
const MIXES = [/[0-9]/, /[a-z]/, /[A-Z]/]

const NOT_SHOWN = '(not shown: it looks like a secret)'

// controls, and characters that turn or hide what stands behind them on a terminal
const UNPRINTABLE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** The value as a message shows it: strings in quotes, lists and mappings by their kind only. */
export function echo(value: unknown): string {
  if (typeof value === 'string') return echoText(value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  return String(value)
}

/** A field's name as a message shows it; somebody may have pasted anything there. */
export const echoName = (name: string): string => (looksSecret(name) ? NOT_SHOWN : printable(shortened(name)))

function echoText(text: string): string {
  return looksSecret(text) ? NOT_SHOWN : printable(JSON.stringify(shortened(text)))
}

function looksSecret(text: string): boolean {
  if (SECRET_FORMS.some((form) => form.test(text))) return true
  return (text.match(LONG_RUN) ?? []).some((run) => MIXES.every((mix) => mix.test(run)))
}

const shortened = (text: string): string => (text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`)

const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
