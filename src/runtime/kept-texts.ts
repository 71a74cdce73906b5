/** What requests said, in slots of fixed size: bytes that are copied and written over, so that nothing of a request stays alive. */
import { mayHoldSecret, SECRET_LENGTH } from '../core/credential.ts'
import type { CheckRequest } from '../core/request.ts'
import { mask } from './mask.ts'

export type KeptText = {
  readonly requestId: string
  readonly method: string
  readonly host: string
  /** Without the query. */
  readonly path: string
  /** Method, host and path are not all that was asked: something was too long, or is hidden. */
  readonly isPart: boolean
}

export type KeptTexts = {
  readonly write: (slot: number, request: CheckRequest) => void
  readonly read: (slot: number) => KeptText
  /** @param id bytes of a whole request ID */
  readonly isOf: (slot: number, id: Uint8Array) => boolean
}

/** In bytes. */
export const MOST = { requestId: 128, method: 16, host: 128, path: 256 } as const
/** Less than all of these together: who has a long ID and a long host has less of the path. */
const SLOT_BYTES = 384

export function makeKeptTexts(slots: number): KeptTexts {
  const bytes = Buffer.alloc(slots * SLOT_BYTES)
  const ends = new Uint16Array(slots * 4)
  const parts = new Uint8Array(slots)

  /** Most requests: short, of plain characters, and of nothing that a key may hide in. @returns false: look closer */
  const writePlain = (slot: number, { requestId, method, hosts, target }: CheckRequest): boolean => {
    const host = hosts[0] ?? ''
    const query = target.indexOf('?')
    const length = query === -1 ? target.length : query
    const isLong = length > MOST.path || host.length > MOST.host || method.length > MOST.method
    if (isLong || hosts.length !== 1 || requestId.length > MOST.requestId || !target.startsWith('/')) return false
    const from = slot * SLOT_BYTES
    if (host.includes('@')) return false
    if (requestId.length + method.length + host.length + length > SLOT_BYTES) return false
    const afterId = copyPlain(requestId, requestId.length, bytes, from)
    const afterMethod = copyPlain(method, method.length, bytes, afterId)
    const afterHost = copyPlain(host, host.length, bytes, afterMethod)
    const afterPath = copyPlain(target, length, bytes, afterHost)
    if (afterPath === NOT_PLAIN) return false
    const at = slot * 4
    ends[at] = afterId - from
    ends[at + 1] = afterMethod - from
    ends[at + 2] = afterHost - from
    ends[at + 3] = afterPath - from
    parts[slot] = 0
    return true
  }

  const writeCarefully = (slot: number, { requestId, method, hosts, target }: CheckRequest): void => {
    const from = slot * SLOT_BYTES
    let isPart = hosts.length !== 1 || hosts[0]?.includes('@') === true || !target.startsWith('/')
    let to = 0
    const texts: readonly (readonly [text: string, most: number])[] = [
      [requestId, MOST.requestId],
      [method, MOST.method],
      [hostOf(hosts), MOST.host],
      [pathOf(target), MOST.path],
    ]
    for (const [i, [text, wanted]] of texts.entries()) {
      const most = Math.min(wanted, SLOT_BYTES - to)
      const safe = maskedText(text.slice(0, most))
      // cut before a character that does not fit
      const written = bytes.write(safe, from + to, most, 'utf8')
      if (safe !== text || written < Buffer.byteLength(safe)) isPart = true
      to += written
      ends[slot * 4 + i] = to
    }
    parts[slot] = isPart ? 1 : 0
  }

  return {
    write: (slot, request) => {
      if (!writePlain(slot, request)) writeCarefully(slot, request)
    },
    read: (slot) => {
      const from = slot * SLOT_BYTES
      const [id = 0, method = 0, host = 0, path = 0] = ends.subarray(slot * 4, slot * 4 + 4)
      const text = (a: number, b: number): string => bytes.toString('utf8', from + a, from + b)
      return {
        requestId: text(0, id),
        method: text(id, method),
        host: text(method, host),
        path: text(host, path),
        isPart: parts[slot] === 1,
      }
    },
    isOf: (slot, id) => {
      if (ends[slot * 4] !== id.length) return false
      const from = slot * SLOT_BYTES
      for (let i = 0; i < id.length; i++) if (bytes[from + i] !== id[i]) return false
      return true
    },
  }
}

const NOT_PLAIN = -1
const PERCENT = 0x25
const UNDERSCORE = 0x5f
const SMALL_W = 0x77

/** Goes on as it began: from NOT_PLAIN to NOT_PLAIN. By hand, since a call of Buffer for each text takes twice as long. */
function copyPlain(text: string, length: number, bytes: Uint8Array, from: number): number {
  if (from === NOT_PLAIN) return NOT_PLAIN
  let all = 0
  let before = 0
  let run = 0
  let mayHoldKey = false
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    // kw_, as itself or encoded
    if (code === PERCENT || (code === UNDERSCORE && before === SMALL_W)) mayHoldKey = true
    run = isPlainDelimiter(code) ? 0 : run + 1
    // a secret alone, or a key in base64
    if (run === SECRET_LENGTH) mayHoldKey = true
    all |= code
    before = code
    bytes[from + i] = code
  }
  return mayHoldKey || all > 0x7f ? NOT_PLAIN : from + length
}

/** `-` `.` `/`: what segments, names and UUIDs are divided by. */
const isPlainDelimiter = (code: number): boolean => code >= 0x2d && code <= 0x2f

const hostOf = ([host = '']: readonly string[]): string => (host.includes('@') ? '[no host]' : host)

/** Whatever is no path may be a URL with a password in it. */
const pathOf = (target: string): string => (target.startsWith('/') ? (target.split('?', 1)[0] ?? '') : '[no path]')

const HIDDEN = '[hidden]'

/** As in the log; where a key is encoded, a secret stands alone, or anything is encoded so often that nobody could tell, all of the text goes. */
function maskedText(text: string): string {
  const plain = decoded(text)
  if (plain === undefined) return HIDDEN
  const masked = mask(plain)
  if (masked === plain) return mayHoldSecret(plain) || holdsBase64OfKey(plain) ? HIDDEN : text
  return plain !== text || mayHoldSecret(masked) ? HIDDEN : masked
}

function holdsBase64OfKey(text: string): boolean {
  return text.split('/').some((part) => {
    const bytes = part.length < SECRET_LENGTH ? '' : Buffer.from(part, 'base64').toString('latin1')
    return mask(bytes) !== bytes
  })
}

const MOST_DECODED = 3

/** undefined: it was encoded more often than anybody decodes. */
function decoded(text: string): string | undefined {
  let before = text
  for (let times = 0; times <= MOST_DECODED; times++) {
    const after = before.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    if (after === before) return after
    before = after
  }
  return undefined
}
