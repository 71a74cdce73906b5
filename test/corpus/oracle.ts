/**
 * Whether what reached the upstream was allowed to. Slow and naive on purpose, and nothing of it is the product's: a target
 * is read in every way that some server might read it, and all of these readings have to be allowed.
 */
import { HOLDERS, type Holder, isPublic, mayDo, PRODUCTION_HOST } from './policy.ts'
import { type Seen, valuesOf } from './upstream.ts'

/** Fixture name to credential. */
export type Credentials = Readonly<Record<string, string>>

const IDENTITY_HEADERS = [
  'x-keyward-application',
  'x-keyward-customers',
  'x-keyward-environment',
  'x-keyward-key-id',
  'x-keyward-key-name',
  'x-keyward-namespace',
  'x-keyward-namespace-type',
  'x-keyward-organization',
  'x-keyward-permissions',
  'x-keyward-principal',
  'x-keyward-request-id',
  'x-keyward-subject',
  'x-keyward-user-group',
  'x-keyward-visible',
  'x-keyward-workspace',
]

/** A name as the most careless server would compare it. */
const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '-')

const HOP_BY_HOP = ['keep-alive', 'proxy-connection', 'proxy-authorization', 'te', 'trailer', 'http2-settings']
const OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override']

/** Everything that is wrong with one request that the upstream saw, given the bytes that were sent; empty: nothing. */
export function wrongs(seen: Seen, sent: string, credentials: Credentials): readonly string[] {
  const holder = holderOf(seen, credentials)
  if (typeof holder === 'string') return [holder]
  return [
    ...wrongIdentity(seen, holder),
    ...wrongHeaders(seen, credentials),
    ...wrongFraming(seen),
    ...wrongHost(seen),
    ...wrongCredential(holder, sent),
    ...(holder !== undefined && presentsTwo(sent) ? ['two credentials were sent with it'] : []),
    ...wrongControls(seen.target),
    ...readingsOf(seen.target)
      .filter((path) => !(holder === undefined ? isPublic(seen.method, path) : mayDo(holder.holder, seen.method, path)))
      .map((path) => `${seen.method} ${seen.target} can be read as ${path}, which is not allowed`),
  ]
}

type Known = { readonly holder: Holder; readonly key: string; readonly id: string }

const idOf = (key: string): string => key.slice(0, key.lastIndexOf('_'))

function holderOf(seen: Seen, credentials: Credentials): Known | undefined | string {
  const ids = valuesOf(seen, 'x-keyward-key-id')
  if (ids.length !== 1) return `${ids.length} x-keyward-key-id headers`
  const [id = ''] = ids
  if (id === '') return undefined
  const [fixture, key] = Object.entries(credentials).find(([, key]) => idOf(key) === id) ?? []
  const holder = HOLDERS[fixture ?? '']
  if (key === undefined || holder === undefined) return `x-keyward-key-id is ${id}, which is no good key`
  return { holder, key, id }
}

function wrongIdentity(seen: Seen, known: Known | undefined): readonly string[] {
  const names = seen.headers.map(([name]) => name.toLowerCase()).filter((name) => folded(name).startsWith('x-keyward-'))
  const found = names.sort().join(' ')
  if (found !== IDENTITY_HEADERS.join(' ')) return [`identity headers are ${found}`]
  const holder = known?.holder
  const expected: Readonly<Record<string, string>> = {
    'x-keyward-key-id': known?.id ?? '',
    'x-keyward-key-name': holder?.name ?? '',
    'x-keyward-environment': holder?.environment ?? '',
    'x-keyward-namespace': holder?.namespace ?? '',
    'x-keyward-namespace-type': holder?.namespaceType ?? '',
    'x-keyward-organization': holder?.organization ?? '',
    'x-keyward-application': holder?.application ?? '',
    'x-keyward-workspace': holder?.workspace ?? '',
    'x-keyward-user-group': '',
    'x-keyward-permissions': holder?.permissions.join(',') ?? '',
    'x-keyward-customers': holder === undefined ? '' : '*',
    'x-keyward-visible': '',
    'x-keyward-principal': holder === undefined ? 'anonymous' : 'key',
    'x-keyward-subject': '',
  }
  const requestId = valuesOf(seen, 'x-keyward-request-id')[0] ?? ''
  return [
    ...Object.entries(expected)
      .filter(([name, value]) => valuesOf(seen, name)[0] !== value)
      .map(([name, value]) => `${name} is ${valuesOf(seen, name)[0]} instead of ${value}`),
    ...(/^[A-Za-z0-9._-]{1,128}$/.test(requestId) ? [] : [`x-keyward-request-id is ${requestId}`]),
  ]
}

function wrongHeaders({ headers, trailers }: Seen, credentials: Credentials): readonly string[] {
  const keys = Object.values(credentials)
  const holdsKey = (value: string) =>
    keys.some((key) => value.includes(key) || value.includes(Buffer.from(key).toString('base64')))
  return [
    ...headers
      .filter(([name]) => HOP_BY_HOP.includes(name.toLowerCase()) || OVERRIDES.includes(folded(name)))
      .map(([name]) => `${name} arrived`),
    ...headers
      .filter(([name, value]) => /^(authorization|x-api-key)$/.test(folded(name)) && holdsKey(value))
      .map(([name]) => `a credential arrived in ${name}`),
    ...headers
      .filter(([name, value]) => name.toLowerCase() === 'connection' && !/^(keep-alive|close|upgrade)$/i.test(value))
      .map(([, value]) => `Connection: ${value} arrived`),
    ...(trailers === '' ? [] : [`trailers arrived: ${trailers}`]),
  ]
}

function wrongFraming(seen: Seen): readonly string[] {
  const framings = valuesOf(seen, 'content-length').length + valuesOf(seen, 'transfer-encoding').length
  return framings > 1 ? ['two framings'] : []
}

function wrongHost(seen: Seen): readonly string[] {
  const hosts = valuesOf(seen, 'host')
  const name = (hosts[0] ?? '').toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
  return hosts.length === 1 && name === PRODUCTION_HOST ? [] : [`hosts are ${JSON.stringify(hosts)}`]
}

/** The key that was let in must really stand in the bytes, in one of the three forms. */
function wrongCredential(known: Known | undefined, sent: string): readonly string[] {
  if (known === undefined) return []
  const { key, id } = known
  const basic = Buffer.from(`${id}:${key.slice(id.length + 1)}`).toString('base64')
  const forms = [
    new RegExp(`[Bb][Ee][Aa][Rr][Ee][Rr] ${key}`),
    new RegExp(`[Bb][Aa][Ss][Ii][Cc] ${basic.replace(/[+]/g, '[+]')}`),
    new RegExp(`[Xx]-[Aa][Pp][Ii]-[Kk][Ee][Yy]:[ \\t]*${key}`),
  ]
  return forms.some((form) => form.test(sent)) ? [] : [`${id} was let in, though its credential was not sent`]
}

const CREDENTIAL_LINE =
  /:[ \t]*(?:[bB][eE][aA][rR][eE][rR]|[bB][aA][sS][iI][cC])\b|kw_[a-z]+_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/

/** Of a single request alone: which of several requests a line belongs to is what a damaged one leaves open. */
function presentsTwo(sent: string): boolean {
  const [head = ''] = sent.split(/\r?\n\r?\n/)
  if (sent.split('HTTP/1.').length !== 2 || /^connection:.*(authorization|x-api-key)/im.test(head)) return false
  const named = (name: string): readonly string[] => head.match(new RegExp(`^${name}[ \\t]*:.*$`, 'gim')) ?? []
  const [authorization, apiKey] = [named('authorization'), named('x-api-key')]
  if (authorization.length > 1 || apiKey.length > 1) return true
  // another scheme is no credential, unless a whole key stands in it; a key ID alone is public
  return apiKey.length === 1 && authorization.some((line) => CREDENTIAL_LINE.test(line))
}

const ROUNDS = 6

/** Every path that some server might act on for this target. */
function readingsOf(target: string): readonly string[] {
  const all = new Set<string>()
  const pending = [pathOf(target)]
  for (let round = 0; round < ROUNDS && pending.length > 0; round++) {
    for (const path of pending.splice(0)) {
      for (const reading of nextReadings(path)) {
        if (!all.has(reading)) {
          all.add(reading)
          pending.push(reading)
        }
      }
    }
  }
  return [...all]
}

/** A line break or NUL that some server decodes splits a log line, a header or a file name. */
const wrongControls = (target: string): readonly string[] =>
  readingsOf(target).some((path) => /[\u0000-\u001f\u007f]/.test(path)) ? [`${target} hides a control character`] : []

const pathOf = (target: string): string => target.split(/[?#]/)[0] ?? ''

const nextReadings = (path: string): readonly string[] => [
  path,
  decoded(path),
  path.replaceAll('\\', '/'),
  path.normalize('NFKC'),
  path.replace(/;[^/]*/g, ''),
  (path.split('\0')[0] ?? '').trimEnd(),
  path.split(/[?#]/)[0] ?? '',
  path.replace(/\/+/g, '/'),
  withoutDots(path),
  path.toLowerCase().startsWith('/admin') ? path.toLowerCase() : path,
]

/** Percent-decoded as UTF-8 where it is that (overlong forms included), else byte by byte. */
function decoded(path: string): string {
  const bytes = path
    .replace(/%[cC]0%([aA][eEfF])/g, (_all, low: string) => (low.toLowerCase() === 'ae' ? '.' : '/'))
    .replace(/%([0-9a-fA-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const text = Buffer.from(bytes, 'latin1').toString('utf8')
  return text.includes('\ufffd') || /[^\u0000-\u00ff]/.test(bytes) ? bytes : text
}

function withoutDots(path: string): string {
  const kept: string[] = []
  const segments = path.split('/').slice(1)
  for (const segment of segments) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  const last = segments.at(-1)
  return `/${kept.join('/')}${last === '.' || last === '..' ? '/' : ''}`
}
