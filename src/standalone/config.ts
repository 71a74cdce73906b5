/** What `keyward standalone` can be told, and what holds where it is told nothing. */
import { z } from 'zod'
import { CHECK_PORTS, LISTENING, withUsableTls } from '../runtime/listening.ts'

/** The ports of standalone before `--port-offset` is added. */
export const PORTS = { proxy: 8080, api: 8088, ...CHECK_PORTS } as const

const upstream = z.string().refine(isUpstream, {
  error: 'an http URL (https is not spoken yet) without path or password, such as http://127.0.0.1:3000',
})

export const StandaloneConfig = withUsableTls(
  z.object({
    manifests: z.string({ error: 'the folder with the manifests is needed' }).min(1),
    data: z.string().min(1).default('.keyward'),
    upstream: upstream.optional(),
    newKeys: z.string().min(1).optional(),
    ...LISTENING,
  }),
)

export type StandaloneConfig = z.output<typeof StandaloneConfig>

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
