/** IP addresses and CIDR blocks: IPv4 counts as its IPv4-mapped IPv6 form, so that both spellings are one address. */
import type { Parsed } from './parsed.ts'

/** An address as 128 bits. */
export type Address = bigint

export type Cidr = { readonly text: string; readonly first: Address; readonly shift: bigint }

const V4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const MAPPED = 0xffff00000000n

/** Without brackets, port or zone; undefined for anything that is not an address. */
export function parseAddress(text: string): Address | undefined {
  if (V4.test(text)) return MAPPED | v4(text)
  return text.includes(':') ? v6(text) : undefined
}

/** `203.0.113.0/24` or `2001:db8::/32`; bits behind the prefix must be zero, since one network has one name. */
export function parseCidr(text: string): Parsed<Cidr> {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text)
  const address = match?.[1] === undefined ? undefined : parseAddress(match[1])
  if (match === null || address === undefined) return { ok: false, problem: 'not a CIDR block such as 203.0.113.0/24' }
  const isV4 = !text.includes(':')
  const prefix = Number(match[2])
  if (prefix > (isV4 ? 32 : 128)) return { ok: false, problem: `/${prefix} is longer than an address` }
  const shift = BigInt((isV4 ? 32 : 128) - prefix)
  if ((address >> shift) << shift !== address) {
    return { ok: false, problem: 'host bits are set: write the first address of the block' }
  }
  return { ok: true, value: { text, first: address >> shift, shift } }
}

/** Whether every address of the one is in the other. */
export const isWithin = (inner: Cidr, outer: Cidr): boolean =>
  inner.shift <= outer.shift && inner.first >> (outer.shift - inner.shift) === outer.first

export const contains = (cidr: Cidr, address: Address): boolean => address >> cidr.shift === cidr.first

function v4(text: string): bigint {
  return BigInt(text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0))
}

function v6(text: string): Address | undefined {
  let rest = text
  const dot = rest.indexOf('.')
  if (dot !== -1) {
    const start = rest.lastIndexOf(':') + 1
    const tail = rest.slice(start)
    if (!V4.test(tail)) return undefined
    const value = v4(tail)
    rest = `${rest.slice(0, start)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`
  }
  const halves = rest.split('::')
  if (halves.length > 2) return undefined
  const head = groups(halves[0] ?? '')
  const tail = halves.length === 2 ? groups(halves[1] ?? '') : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  return [...head, ...Array<number>(missing).fill(0), ...tail].reduce((sum, group) => (sum << 16n) | BigInt(group), 0n)
}

function groups(text: string): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  return parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))
    ? parts.map((part) => Number.parseInt(part, 16))
    : undefined
}
