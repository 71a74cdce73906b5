/** PURE: one request as it is asked for: path, query, and which of the forms of an answer. */
import { badRequest } from './refusal.ts'

export type Call = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly accept: string
}

export function callOf(method: string, url: string, accept: string): Call {
  // whatever is behind the first one is the query, also where it holds another: a dryRun there must not get lost
  const at = url.indexOf('?')
  const [path, query] = at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
  return { method, path, query: new URLSearchParams(query), accept }
}

/** A whole number from a query; undefined where it is not given. */
export function wholeIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? ''
  if (text === '') return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw badRequest(`${name}: a whole number is needed`)
  return value
}

export function flagIn(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false'
  return text === '' || text === 'true' || text === '1'
}

/** `dryRun=All`; anything else is refused, since somebody relies on it that nothing happens. */
export function isDryRun(given: readonly unknown[]): boolean {
  if (given.some((one) => one !== 'All')) throw badRequest('dryRun: All, or nothing')
  return given.length > 0
}
