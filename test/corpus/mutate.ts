/** Damages requests by a seed: what a careless or hostile client, or a proxy in between, could make of them. */
import type { Credentials } from './oracle.ts'
import { BYTES, GUARDED, LINES, METHODS, PATH_PIECES, RESERVED, SEPARATORS, TARGETS, VERSIONS } from './pieces.ts'
import { authLine, makeBases } from './requests.ts'
import { type Draw, seeded } from './seeded.ts'

/** A request taken apart just so far that its parts can be damaged. */
type Message = { method: string; target: string; version: string; lines: string[]; body: string }

type Tools = { readonly draw: Draw; readonly credentials: Credentials; readonly base: () => string }

type Damage = (message: Message, tools: Tools) => void

function apart(text: string): Message | undefined {
  const close = text.indexOf('\r\n\r\n')
  const [start = '', ...lines] = text.slice(0, close).split('\r\n')
  const match = /^(\S+) (.*) (HTTP\/\S+)$/s.exec(start)
  if (close === -1 || match === null) return undefined
  return { method: match[1] ?? '', target: match[2] ?? '', version: match[3] ?? '', lines, body: text.slice(close + 4) }
}

const together = ({ method, target, version, lines, body }: Message): string =>
  `${method} ${target} ${version}\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n${body}`

const splice = (text: string, at: number, piece: string): string => text.slice(0, at) + piece + text.slice(at)

/** What is done to the parts of a request. */
const DAMAGES: readonly Damage[] = [
  (m, { draw }) => {
    m.target = splice(m.target, draw.below(m.target.length + 1), draw.pick(PATH_PIECES))
  },
  (m, { draw }) => {
    // one character percent-encoded, once or twice
    const at = draw.below(Math.max(1, m.target.length))
    const hex = (m.target.charCodeAt(at) || 0x2f).toString(16).padStart(2, '0')
    m.target = m.target.slice(0, at) + (draw.chance(0.3) ? '%25' : '%') + hex + m.target.slice(at + 1)
  },
  (m, { draw }) => {
    m.target = draw.pick(TARGETS)
  },
  (m, { draw }) => {
    m.target = m.target.replace(/^\/[a-z]+/, (first) => (draw.chance(0.5) ? first.toUpperCase() : `/public/..${first}`))
  },
  (m, { draw }) => {
    m.method = draw.pick(METHODS)
  },
  (m, { draw }) => {
    m.version = draw.pick(VERSIONS)
  },
  (m, { draw }) => {
    m.lines.splice(draw.below(m.lines.length + 1), 0, draw.pick(LINES))
  },
  (m, { draw }) => {
    if (m.lines.length > 0) m.lines.splice(draw.below(m.lines.length + 1), 0, draw.pick(m.lines))
  },
  (m, { draw }) => {
    m.lines.splice(draw.below(m.lines.length + 1), 1)
  },
  (m, { draw }) => {
    m.lines.sort(() => draw.below(3) - 1)
  },
  (m, { draw }) => recase(m, draw),
  (m, { draw }) => {
    // a name that Keyward speaks for or decides by, in a spelling that some server folds to it
    const separator = draw.pick(SEPARATORS)
    const name = draw.pick([...RESERVED, ...GUARDED])
    m.lines.push(
      `${name.replaceAll('-', separator)}: ${draw.pick(['kw_prod_AAAAAAAAAAAA', 'admin:all', 'chunked', '0', 'DELETE'])}`,
    )
  },
  (m, { draw, credentials }) => {
    // another credential beside the one that is there, or in its stead
    const line = authLine(draw, credentials).trimEnd()
    const at = m.lines.findIndex((one) => /^(authorization|x-api-key):/i.test(one))
    m.lines.splice(draw.chance(0.5) || at === -1 ? m.lines.length : at, draw.below(2), line)
  },
  (m, { draw }) => {
    // one character of the credential is another, one more, or one fewer
    const at = m.lines.findIndex((one) => one.includes('kw_prod_'))
    const line = m.lines[at]
    if (line === undefined) return
    const place = line.indexOf('kw_prod_') + draw.below(70)
    m.lines[at] =
      line.slice(0, place) + draw.pick(['', 'A', '0', ' ', '_', '%5f', 'zz', '=']) + line.slice(place + draw.below(2))
  },
  (m, { draw }) => {
    const at = draw.below(Math.max(1, m.lines.length))
    m.lines[at] = (m.lines[at] ?? '').replace(
      ': ',
      draw.pick([':', ' : ', ':\t', ': \r\n ', ':\n ', ': \u000b', '\r: ']),
    )
  },
  (m, { draw }) => {
    m.body = splice(
      m.body,
      draw.below(m.body.length + 1),
      draw.pick(['0\r\n\r\n', '5\r\n', 'ffffffff\r\n', '1;a\nb\r\n', '-1\r\n', '\r\n', 'X']),
    )
  },
  (m, { draw, credentials }) => {
    m.body += `GET ${draw.pick(TARGETS)} HTTP/1.1\r\nHost: api.test\r\n${authLine(draw, credentials)}\r\n`
  },
  (m, { draw }) => {
    m.body = m.body.replace(
      /\r\n0\r\n\r\n$/,
      `\r\n0\r\n${draw.pick(RESERVED)}: kw_prod_AAAAAAAAAAAA\r\nAuthorization: Bearer x\r\n\r\n`,
    )
  },
  (m, { draw }) => {
    m.lines.push(`X-Long: ${'a'.repeat(draw.pick([100, 4000, 17_000]))}`)
  },
  (m, { draw }) => {
    for (let i = draw.pick([20, 90, 110, 300]); i > 0; i--) m.lines.push(`X-${i}: ${i}`)
  },
]

function recase(message: Message, draw: Draw): void {
  const at = draw.below(Math.max(1, message.lines.length))
  const [name = '', ...rest] = (message.lines[at] ?? '').split(':')
  const recased = [...name].map((letter) => (draw.chance(0.5) ? letter.toUpperCase() : letter.toLowerCase())).join('')
  if (message.lines.length > 0) message.lines[at] = [recased, ...rest].join(':')
}

/** What is done to bytes, whatever they mean. */
const BYTE_DAMAGES: readonly ((text: string, tools: Tools) => string)[] = [
  (text, { draw }) => {
    const at = draw.below(text.length)
    return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << draw.below(8))) + text.slice(at + 1)
  },
  (text, { draw }) => splice(text, draw.below(text.length + 1), draw.pick(BYTES)),
  (text, { draw }) => {
    const at = draw.below(text.length)
    return text.slice(0, at) + text.slice(at + 1 + draw.below(4))
  },
  (text, { draw }) => {
    const at = draw.below(text.length)
    return text.slice(0, at) + draw.pick(BYTES) + text.slice(at + 1)
  },
  (text, { draw }) => text.slice(0, draw.below(text.length)),
  (text, { base }) => text + base(),
  (text, { draw, base }) => splice(text, draw.below(text.length + 1), base()),
  (text, { draw }) => {
    const from = draw.below(text.length)
    return splice(text, from, text.slice(from, from + draw.below(200)))
  },
  (text) => text.replaceAll('\r\n', '\n'),
  (text, { draw }) => draw.pick(['\r\n', '\n', ' ', '\0', '\r\n\r\n']) + text,
]

/** The mutated request of a seed and a place in its series, as latin-1 text; each can be made by itself. */
export function makeMutator(credentials: Credentials): (seed: number, index: number) => string {
  const drawBase = makeBases(credentials)
  return (seed, index) => {
    const draw = seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b))
    const tools: Tools = { draw, credentials, base: () => drawBase(draw) }
    let text = tools.base()
    const message = apart(text)
    if (message !== undefined && draw.chance(0.85)) {
      for (let left = draw.pick([1, 1, 1, 1, 2, 2, 3]); left > 0; left--) draw.pick(DAMAGES)(message, tools)
      text = together(message)
    }
    if (message === undefined || draw.chance(0.2)) {
      for (let left = 1 + draw.below(2); left > 0; left--) text = draw.pick(BYTE_DAMAGES)(text, tools)
    }
    // some characters above stand for more than one byte; on the wire each is one
    return Buffer.from(text, 'latin1').toString('latin1')
  }
}
