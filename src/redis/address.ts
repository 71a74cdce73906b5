/** Where Redis is, from one URL: a server, a master behind Sentinels, or the nodes of a Cluster. */
import type { Parsed } from '../core/parsed.ts'
import { Password } from './password.ts'

export type HostPort = { readonly host: string; readonly port: number }

export type RedisPlace =
  | { readonly kind: 'server'; readonly host: string; readonly port: number; readonly db: number }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly HostPort[]; readonly name: string; readonly db: number }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[] }

export type RedisAddress = {
  readonly at: RedisPlace
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: Password | undefined
}

const FORMS =
  'redis://[user:password@]host:port[/db], redis+sentinel://h1:p1,h2:p2/master[/db] or redis+cluster://h1:p1,h2:p2 (rediss, rediss+sentinel, rediss+cluster: with TLS)'

const SCHEME = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(.*)$/s
const HOST = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9](?:[-A-Za-z0-9._]{0,251}[A-Za-z0-9])?))(?::(\d{1,5}))?$/
const SHOWN = /^([a-z+]{1,20}):\/\/(.*)$/s
const ADDRESSES = /^[A-Za-z0-9._-]+(:\d*)?(,[A-Za-z0-9._-]+(:\d*)?)*(\/[A-Za-z0-9._-]*)*$/
const MASTER = /^[A-Za-z0-9._-]{1,128}$/
const MOST_ADDRESSES = 64

/** No problem that it names repeats what could be a password. */
export function parseRedisUrl(url: string): Parsed<RedisAddress> {
  const [, scheme, kind = 'server', rest] = SCHEME.exec(url) ?? []
  if (scheme === undefined || rest === undefined) return wrong(`needs the form ${FORMS}`)
  const at = rest.lastIndexOf('@')
  const login = parseLogin(at < 0 ? '' : rest.slice(0, at))
  if (!login.ok) return login
  const [hosts = '', ...path] = rest.slice(at + 1).split('/')
  const addresses = parseHosts(hosts, kind === 'sentinel' ? 26379 : 6379)
  if (!addresses.ok) return addresses
  const place = placeOf(kind, addresses.value, path)
  return place.ok ? { ok: true, value: { at: place.value, tls: scheme === 'rediss', ...login.value } } : place
}

/** The address as a message may show it. */
export function withoutLogin(url: string): string {
  const [, scheme, rest = ''] = SHOWN.exec(url) ?? []
  const shown = rest.slice(rest.lastIndexOf('@') + 1)
  // what is no address may be a password that lost its @
  return scheme !== undefined && ADDRESSES.test(shown) ? `${scheme}://${shown}` : '(not shown)'
}

const wrong = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem })

function parseLogin(login: string): Parsed<Pick<RedisAddress, 'username' | 'password'>> {
  if (login === '') return { ok: true, value: { username: undefined, password: undefined } }
  const colon = login.indexOf(':')
  try {
    const username = decodeURIComponent(colon < 0 ? login : login.slice(0, colon))
    const password = colon < 0 ? '' : decodeURIComponent(login.slice(colon + 1))
    return {
      ok: true,
      value: {
        username: username === '' ? undefined : username,
        password: password === '' ? undefined : new Password(password),
      },
    }
  } catch {
    return wrong('user and password must be percent-encoded: % itself is %25')
  }
}

function parseHosts(text: string, usualPort: number): Parsed<readonly HostPort[]> {
  const hosts = text.split(',')
  if (hosts.length > MOST_ADDRESSES) return wrong(`names ${hosts.length} addresses: at most ${MOST_ADDRESSES}`)
  const parsed: HostPort[] = []
  for (const one of hosts) {
    const [matched, six, name, port] = HOST.exec(one) ?? []
    const number = port === undefined ? usualPort : Number(port)
    if (matched === undefined || number < 1 || number > 65_535) {
      return wrong(`has an address that is no host:port; in a user or password, @ / : are %40 %2F %3A`)
    }
    parsed.push({ host: six ?? name ?? '', port: number })
  }
  return { ok: true, value: parsed }
}

function placeOf(kind: string, addresses: readonly HostPort[], path: readonly string[]): Parsed<RedisPlace> {
  const [first] = addresses
  if (kind === 'cluster') {
    if (path.join('') !== '') return wrong('a Cluster has one database: nothing may follow the addresses')
    return { ok: true, value: { kind: 'cluster', nodes: addresses } }
  }
  const [name = '', ...more] = kind === 'sentinel' ? path : ['', ...path]
  const db = dbOf(more)
  if (db === undefined) return wrong('needs a database from 0 to 1023 after the last /, or none')
  if (kind === 'sentinel') {
    if (!MASTER.test(name)) return wrong('needs the name of the master: redis+sentinel://h1:p1,h2:p2/master')
    return { ok: true, value: { kind: 'sentinel', sentinels: addresses, name, db } }
  }
  if (first === undefined || addresses.length > 1) {
    return wrong('names several addresses: say redis+sentinel:// or redis+cluster://')
  }
  return { ok: true, value: { kind: 'server', ...first, db } }
}

function dbOf(path: readonly string[]): number | undefined {
  const [text = ''] = path
  if (path.length > 1 || !/^\d{0,4}$/.test(text)) return undefined
  const db = Number(text)
  return db <= 1023 ? db : undefined
}
