/** What `keyward standalone` can be told, and what holds where it is told nothing. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { wholeNumber } from '../runtime/config.ts'
import { LOG_LEVELS } from '../runtime/log.ts'

/** The ports of standalone before `--port-offset` is added. */
export const PORTS = { proxy: 8080, check: 9000, metrics: 9090 } as const

const upstream = z.string().refine(isUpstream, {
  error: 'an http URL (https is not spoken yet) without path or password, such as http://127.0.0.1:3000',
})

export const StandaloneConfig = z.object({
  manifests: z.string({ error: 'the folder with the manifests is needed' }).min(1),
  data: z.string().min(1).default('.keyward'),
  upstream: upstream.optional(),
  newKeys: z.string().min(1).optional(),
  portOffset: wholeNumber(0, 50_000).default(0),
  listen: z.string().refine(isListenAddress, { error: 'an IP address, or localhost' }).default('127.0.0.1'),
  trustedHops: wholeNumber(0, 16).default(0),
  logLevel: z.enum(LOG_LEVELS, { error: `one of ${LOG_LEVELS.join(', ')}` }).default('info'),
})

export type StandaloneConfig = z.output<typeof StandaloneConfig>

function isListenAddress(text: string): boolean {
  return text === 'localhost' || isIP(text) !== 0
}

function isUpstream(text: string): boolean {
  const url = URL.parse(text)
  return (
    url?.protocol === 'http:' &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === ''
  )
}
