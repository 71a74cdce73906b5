/** The three environments, and how each is written inside a key. */

export const ENVIRONMENTS = ['production', 'staging', 'development'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

export const ENVIRONMENT_CODES = { production: 'prod', staging: 'stag', development: 'dev' } as const satisfies Record<
  Environment,
  string
>

const BY_CODE: Readonly<Record<string, Environment | undefined>> = {
  prod: 'production',
  stag: 'staging',
  dev: 'development',
}

/** The environment of a code as keys carry it, or undefined for any other text. */
export const environmentOfCode = (code: string): Environment | undefined =>
  Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined
