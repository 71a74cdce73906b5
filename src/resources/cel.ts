/** A rule as the API server runs it: CEL text that stands beside the check in TypeScript, with the same words. */

export type Cel = {
  /** Where it stands below what the check is given: `rateLimit`, `allowedCIDRs[]`; at its top where left out. */
  readonly on?: string
  /** True where all is well. */
  readonly rule: string
  /** The words behind the API server's own opening (`Invalid value: `, `Forbidden: `). */
  readonly message: string
  /** CEL for those words where they name what was found; `message` then says the same without. */
  readonly says?: string
  /** The field that is named, below `on`: `.rotation`. */
  readonly field?: string
  readonly reason?: 'FieldValueRequired' | 'FieldValueForbidden'
}

/** What the API server can't see by itself, and why. */
export type ByWebhook = { readonly webhook: string }

/** How a rule is kept on a cluster. */
export type OnCluster = readonly (Cel | ByWebhook)[]

export const NO_CLOCK: ByWebhook = { webhook: 'CEL knows no clock' }

/** A text as CEL writes it. */
export const celText = (text: string): string => JSON.stringify(text)

/** A list or a mapping of texts as CEL writes it. */
export const celList = (texts: readonly string[]): string => `[${texts.map(celText).join(', ')}]`
export const celMap = (texts: Readonly<Record<string, string>>): string =>
  `{${Object.entries(texts)
    .map(([key, text]) => `${celText(key)}: ${celText(text)}`)
    .join(', ')}}`

/** Whether a CEL value has the form of a pattern. */
export const celMatches = (value: string, pattern: RegExp): string => `${value}.matches(${celText(pattern.source)})`

/** A CEL text in quotes, as messages show values. */
export const celQuoted = (value: string): string => `'"' + ${value} + '"'`

/** Whether one of the fields is there. */
export const celAnyOf = (fields: readonly string[]): string => fields.map((field) => `has(self.${field})`).join(' || ')
