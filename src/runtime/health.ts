/** Port 9090: metrics, liveness, readiness, and what was answered to a request whose ID is known. */
import type { RequestListener } from 'node:http'
import { usableRequestId } from '../core/request.ts'
import type { Metrics } from './metrics.ts'
import type { RecentChecks } from './recent-checks.ts'

export type HealthParts = {
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>
  /** undefined: ready; otherwise what is still missing. */
  readonly missing: () => string | undefined
  /** Of a process that answers checks. Nothing lists them. */
  readonly answered?: RecentChecks['find']
}

const CHECKS = '/checks/'

type Answer = { readonly status: number; readonly text: string; readonly type?: string }

export const health =
  ({ metrics, missing, answered }: HealthParts): RequestListener =>
  (request, response) => {
    const say = (status: number, text: string, type = 'text/plain') => {
      response.writeHead(status, { 'content-type': type }).end(text)
    }
    request.resume()
    if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'GET only\n')
    const path = request.url?.split('?', 1)[0] ?? ''
    if (answered !== undefined && path.startsWith(CHECKS)) {
      const { status, text, type } = checksOf(path.slice(CHECKS.length), answered)
      return say(status, text, type)
    }
    switch (path) {
      case '/livez':
        return say(200, 'ok\n')
      case '/readyz': {
        const lacking = missing()
        return lacking === undefined ? say(200, 'ok\n') : say(503, `${lacking}\n`)
      }
      case '/metrics':
        metrics.text().then(
          (text) => say(200, text, metrics.contentType),
          () => say(500, 'metrics can not be read\n'),
        )
        return undefined
      default:
        return say(
          404,
          `not here: /metrics, /livez, /readyz${answered === undefined ? '' : `, ${CHECKS}{request ID}`}\n`,
        )
    }
  }

function checksOf(id: string, answered: RecentChecks['find']): Answer {
  const requestId = usableRequestId(id)
  if (requestId === undefined)
    return { status: 400, text: 'a request ID is 1 to 128 characters of A-Z, a-z, 0-9, ".", "_" and "-"\n' }
  const checks = answered(requestId)
  return {
    status: checks.length === 0 ? 404 : 200,
    text: `${JSON.stringify({ checks })}\n`,
    type: 'application/json',
  }
}
