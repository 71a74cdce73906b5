/** Who may ask at all: the bearer of the token, under a name that no page on the web can have; and what is read of a body. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { badRequest, forbidden, tooLarge, unauthorized } from './refusal.ts'

/** As the API server's own bound. */
const MAX_BODY_BYTES = 3 * 1024 * 1024

/** The only value of a header; '' where it is missing. Twice is refused, since two readers could take two of them. */
export function headerOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, wanted: string): string {
  const values = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === wanted)
  if (values.length > 1) throw badRequest(`the header ${wanted} stands there twice`)
  return values[0] ?? ''
}

export type Guard = (request: Pick<IncomingMessage, 'rawHeaders'>) => void

/** @param token what stands in the token file; @param listen the address that is listened on */
export function makeGuard(token: string, listen: string): Guard {
  const wanted = hashOf(token)
  const isHost = hostsOf(listen)
  return (request) => {
    const host = headerOf(request, 'host')
    if (!isHost(host)) {
      throw forbidden(
        'the Host of the request is not one of this API: name it by an IP address or as localhost, so that no web page can pose as it',
      )
    }
    const [, given = ''] = /^Bearer +(\S+) *$/i.exec(headerOf(request, 'authorization')) ?? []
    // of digests, so that neither the length nor a common beginning shows in the time that it takes
    if (!timingSafeEqual(hashOf(given), wanted)) throw unauthorized()
    if (actsForAnother(request)) throw forbidden('there are no users here, so nobody can act as one of them')
  }
}

/** Answered as if it were asked for oneself, it would tell of rights that somebody else has. */
const actsForAnother = ({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): boolean =>
  rawHeaders.some((name, i) => i % 2 === 0 && name.toLowerCase().startsWith('impersonate-'))

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * A page can have its own name lead to any address, but can't have an address or `localhost` for its name. Beyond this
 * machine also names without a dot are taken, as containers have them.
 */
function hostsOf(listen: string): (host: string) => boolean {
  const isLocal = listen === 'localhost' || listen === '::1' || listen.startsWith('127.')
  return (host) => {
    const [, bracketed, plain] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host) ?? []
    const name = (bracketed ?? plain ?? '').toLowerCase()
    if (name === 'localhost' || isIP(name) !== 0) return true
    return !isLocal && name !== '' && !name.includes('.')
  }
}

export function bodyOf(request: IncomingMessage): Promise<string> {
  // node has seen already that nothing comes, and says no more about it
  if (request.readableEnded) return Promise.resolve('')
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MAX_BODY_BYTES) chunks.push(chunk)
      else reject(tooLarge(MAX_BODY_BYTES))
    })
    request.on('end', () => {
      try {
        resolve(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
      } catch {
        reject(badRequest('the body is not UTF-8'))
      }
    })
    request.on('error', () => reject(badRequest('the body ended early')))
    request.on('close', () => reject(badRequest('the body ended early')))
  })
}
