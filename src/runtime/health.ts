/** Port 9090: metrics, liveness, readiness. */
import type { RequestListener } from 'node:http'
import type { Metrics } from './metrics.ts'

export type HealthParts = {
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>
  /** undefined: ready; otherwise what is still missing. */
  readonly missing: () => string | undefined
}

export const health =
  ({ metrics, missing }: HealthParts): RequestListener =>
  (request, response) => {
    const say = (status: number, text: string, type = 'text/plain') => {
      response.writeHead(status, { 'content-type': type }).end(text)
    }
    request.resume()
    if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'GET only\n')
    switch (request.url?.split('?', 1)[0]) {
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
        return say(404, 'not here: /metrics, /livez, /readyz\n')
    }
  }
