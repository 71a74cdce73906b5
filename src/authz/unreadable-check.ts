/** A check that is no HTTP, since a proxy hands on what its caller wrote: an answer that the proxy can hand on in turn. */
import { STATUS_CODES } from 'node:http'
import type { Refusal } from '../core/decide.ts'
import { deny } from '../core/denial.ts'
import { usableRequestId } from '../core/request.ts'
import type { Unreadable } from '../runtime/unreadable.ts'
import { familyOf, only } from './forward-auth.ts'
import type { HttpCheckParts } from './http-check.ts'
import { httpRefusal } from './refusal.ts'

const MALFORMED: Refusal = { ...deny('ambiguous_request', 'header lines that are no HTTP, or too long'), caller: [] }

const REQUEST_LINE = /^([A-Z-]+) (\/\S*) HTTP\/1\.[01]\r\n/

/** Of the bytes nothing is repeated but a usable request ID. */
export const unreadableCheck =
  ({ newRequestId, untold, date }: Pick<HttpCheckParts, 'newRequestId' | 'untold' | 'date'>): Unreadable =>
  (bytes) => {
    const [, method, target = ''] = REQUEST_LINE.exec(bytes) ?? []
    const family = familyOf(target)
    untold(family?.name ?? 'unknown', MALFORMED, 'caller')
    const requestId = usableRequestId(only(linesOf(bytes), 'x-request-id')) ?? newRequestId()
    const { status, fields, body } = httpRefusal(MALFORMED, requestId, family?.onlyKnows401And403 === true)
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`]
    for (let i = 0; i + 1 < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`)
    lines.push(`content-length: ${Buffer.byteLength(body)}`, `Date: ${date()}`, 'Connection: close')
    return [...lines, '', method === 'HEAD' ? '' : body].join('\r\n')
  }

/** Name, value, name, value … of whatever has a colon. */
function linesOf(bytes: string): readonly string[] {
  const [head = ''] = bytes.split('\r\n\r\n', 1)
  return head.split('\r\n').flatMap((line) => {
    const colon = line.indexOf(':')
    return colon === -1 ? [] : [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}
