/** A list route cut down to the visible set: the header, the query parameter, the filter of the response. */

import { compatible, type Target, unescaped } from './path.ts'
import type { Ability } from './request.ts'
import type { Narrow } from './route.ts'
import { MAX_LIST_LENGTH, type Visible } from './visible.ts'

export type Filter = {
  /** JSON Pointers (RFC 6901): to the array, and inside an item to its id. */
  readonly items: string
  readonly id: string
  readonly visible: ReadonlySet<string>
}

export type Narrowing = {
  /** The value of `x-keyward-visible`. */
  readonly header: string
  /** The target to ask the upstream for; undefined: as the caller wrote it. */
  readonly target: string | undefined
  /** undefined: the response is not touched. */
  readonly filter: Filter | undefined
}

export type Narrowed = {
  readonly visible: Visible
  /** How a set is named that is too long to be listed: `@within/<type>/<externalId>`; undefined where it is not whole. */
  readonly name: string | undefined
}

export type Unnarrowed = {
  readonly code: 'ambiguous_request' | 'narrowing_unavailable'
  readonly why: string
}

/** Above this a list of ids is named instead: servers commonly take 8 KiB for a whole header section. */
export const MAX_VISIBLE_LENGTH = 4096

/** What a query's value may hold, encoded: servers commonly take 8 KiB for a request line, and the rest of it needs room. */
export const MAX_QUERY_LENGTH = MAX_LIST_LENGTH

const unavailable = (why: string): Unnarrowed => ({ code: 'narrowing_unavailable', why })

export function narrow(
  { query, filter, upstream }: Narrow,
  { visible, name }: Narrowed,
  { target, ability }: { readonly target: Target; readonly ability: Ability },
): Narrowing | Unnarrowed {
  if (query === undefined && filter === undefined && upstream !== true) {
    return unavailable('the route lists and names no way to narrow it')
  }
  const header = headerOf(visible) ?? name
  if (header === undefined) return unavailable('more ids than a header holds, and they have no common name')
  const lacks = lacking({ query, filter }, ability)
  if (lacks !== undefined) return unavailable(LACKS[lacks])
  const cut = filter === undefined ? undefined : { ...filter, visible: visible.ids }
  if (query === undefined) return { header, target: undefined, filter: cut }
  const value = queryValue(query, visible, target.query ?? '')
  if (typeof value === 'object') return value
  if (value !== undefined && value.length <= MAX_QUERY_LENGTH) {
    return { header, target: withValue(target, query, value), filter: cut }
  }
  // a filter or the upstream itself cuts just as well; without them the query is the only way, and it has no room
  return cut === undefined && upstream !== true
    ? unavailable('more ids than a query holds')
    : { header, target: undefined, filter: cut }
}

/** What a route asks of whoever carries its requests, and this one can't do. */
export function lacking({ query, filter }: Narrow, ability: Ability): 'filter' | 'query' | undefined {
  if (filter !== undefined && !ability.filter) return 'filter'
  return query !== undefined && !ability.query ? 'query' : undefined
}

const LACKS = {
  filter: 'this listener can not filter responses',
  query: 'this listener can not change the query',
} as const

const headerOf = ({ list }: Visible): string | undefined =>
  list !== undefined && list.plain.length <= MAX_VISIBLE_LENGTH ? list.plain : undefined

/**
 * What the query must ask for, encoded: the caller's own choice where it lies inside the visible set, else the whole set,
 * which may be too long for one.
 */
function queryValue(name: string, { list, ids }: Visible, query: string): string | undefined | Unnarrowed {
  const own = ownValue(name, query)
  if (own === undefined) return list?.encoded
  if (typeof own === 'object') return own
  const asked = own.split(',')
  return asked.every((id) => ids.has(id))
    ? asked.map(encodeURIComponent).join(',')
    : { code: 'ambiguous_request', why: `the caller's ${name} asks for ids outside the visible set` }
}

/** The caller's one value for a parameter, or why it can not be told which one counts. */
function ownValue(name: string, query: string): string | undefined | Unnarrowed {
  // whoever reads an address by its last question mark, or up to the second, would take another query for it
  if (query.includes('?')) return { code: 'ambiguous_request', why: 'the query holds a question mark' }
  if (hasMoreThan(MOST_PARAMETERS, query)) return { code: 'ambiguous_request', why: 'more parameters than are read' }
  const mine = query.split('&').flatMap((raw) => raw.split(';').map((part) => ({ part, whole: part === raw })))
  const isOwn = spellingOf(name)
  const own = mine.filter(({ part }) => isOwn(part))
  const [only] = own
  if (only === undefined) return undefined
  if (own.length > 1) return { code: 'ambiguous_request', why: `the caller sends ${name} more than once` }
  // some servers split at `;` too, others would take it for a part of the value
  if (!only.whole) return { code: 'ambiguous_request', why: `the caller sends ${name} behind a semicolon` }
  return decoded(only.part.slice(nameOf(only.part).length + 1))
}

/** Servers commonly leave out what comes after the thousandth; ours comes last. */
const MOST_PARAMETERS = 256

function hasMoreThan(most: number, query: string): boolean {
  let count = 1
  for (let i = 0; i < query.length; i++) {
    const code = query.charCodeAt(i)
    if ((code === AMPERSAND || code === SEMICOLON) && ++count > most) return true
  }
  return false
}

const AMPERSAND = 0x26
const SEMICOLON = 0x3b

function nameOf(pair: string): string {
  const end = pair.indexOf('=')
  return end === -1 ? pair : pair.slice(0, end)
}

const ONLY_CASE_TO_FOLD = /^[A-Za-z0-9]*$/

/** `id`, `ID`, `%69d`, `id[]`, `id[0]`, `id.eq`, ` id`: whatever some framework takes for the same parameter. */
function spellingOf(name: string): (pair: string) => boolean {
  const wanted = stepsOf(name)
  const joined = wanted.join('_')
  return (pair) => {
    const found = nameOf(pair)
    if (ONLY_CASE_TO_FOLD.test(found)) return found.toLowerCase() === joined
    const steps = stepsOf(decoded(found))
    return wanted.every((step, i) => steps[i] === step) || steps.join('_') === joined
  }
}

/** A name taken apart where frameworks do: `filter[id]`, `filter.id` and PHP's `filter_id` name one thing. */
const stepsOf = (name: string): readonly string[] =>
  compatible(name)
    .toLowerCase()
    .split(/[[\].\u0000]+/)
    .map((step) => step.trim().replace(/[\s_-]+/g, '_'))
    .filter((step) => step !== '')

// the query is ASCII; what is not UTF-8 behind its percent signs becomes U+FFFD, which is in no name and no id
const decoded = (text: string): string => Buffer.from(unescaped(text.replaceAll('+', ' ')), 'latin1').toString('utf8')

/** @param value encoded */
function withValue({ path, query }: Target, name: string, value: string): string {
  const isOwn = spellingOf(name)
  const others = (query ?? '').split('&').filter((pair) => pair !== '' && !isOwn(pair))
  return `${path}?${[...others, `${encodeURIComponent(name)}=${value}`].join('&')}`
}
