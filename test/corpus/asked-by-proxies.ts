/** Raw cases as nginx, Traefik and its like, or Envoy would ask about them: the same bytes, told in each family's way. */
import type { RawCase } from './cases.ts'
import { expectationOf, STANDS_OTHERWISE } from './expectations.ts'
import { fill } from './fill.ts'
import type { Credentials } from './oracle.ts'

export const FAMILIES = ['envoy', 'nginx', 'forwarded'] as const
export type Family = (typeof FAMILIES)[number]

/** What a proxy writes itself, whatever its caller sent, and what belongs to one connection. */
const OVERWRITTEN =
  /^(connection|keep-alive|proxy-.*|te|upgrade|x-forwarded-.*|x-original-.*|x-real-ip|content-length):/i
const READABLE = /^([A-Za-z]+) (\S+) HTTP\/1\.1$/

type Told = {
  readonly method: string
  readonly target: string
  readonly host: string
  readonly lines: readonly string[]
}

/** undefined where the case is about bytes that a proxy would not have taken for one request with one host. */
function told(one: RawCase, credentials: Credentials): Told | undefined {
  const [head = '', ...rest] = fill(one.input, credentials).split('\r\n\r\n')
  const [start = '', ...lines] = head.split('\r\n')
  const [, method, target] = READABLE.exec(start) ?? []
  const hosts = lines.filter((line) => /^host:/i.test(line))
  const host = hosts[0]?.slice('host:'.length).trim() ?? ''
  if (method === undefined || target === undefined || hosts.length !== 1 || host === '') return undefined
  if (rest.length !== 1 || /^(SMUG|UPG|DOS)-/.test(one.id) || method === 'CONNECT') return undefined
  return { method, target, host, lines: lines.filter((line) => !/^host:/i.test(line) && !OVERWRITTEN.test(line)) }
}

/** The question of a family about a case, as bytes. */
export function questionOf(family: Family, one: RawCase, credentials: Credentials): string | undefined {
  const request = told(one, credentials)
  if (request === undefined) return undefined
  const { method, target, host } = request
  const forwardedFor = 'X-Forwarded-For: 192.0.2.1'
  const head = {
    envoy: [`${method} /check/envoy${target} HTTP/1.1`, `Host: ${host}`, forwardedFor],
    nginx: [
      ...['GET /check/nginx HTTP/1.1', `Host: ${host}`],
      ...[`X-Original-Method: ${method}`, `X-Original-URI: ${target}`, 'X-Real-IP: 192.0.2.1'],
    ],
    forwarded: [
      ...['GET /check/forwarded HTTP/1.1', 'Host: keyward'],
      ...[`X-Forwarded-Method: ${method}`, `X-Forwarded-Uri: ${target}`, `X-Forwarded-Host: ${host}`, forwardedFor],
    ],
  }[family]
  return `${[...head, ...request.lines, 'Connection: close'].join('\r\n')}\r\n\r\n`
}

/** Whether the answer to a case may be, or has to be, 200. */
export function mayPass(one: RawCase): 'never' | 'always' | 'either' {
  const upstream = STANDS_OTHERWISE[one.id]?.upstream ?? expectationOf(one)?.upstream
  if (upstream === 'reached') return 'always'
  return upstream === 'either' ? 'either' : 'never'
}
