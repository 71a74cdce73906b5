/** The upstream of the table: its log says what reached it, and its answers are the same whoever asks. */
import type { ServerResponse } from 'node:http'
import { type Arrived, type EchoUpstream, startEcho } from '../../support/echo-upstream.ts'

const WORKSPACES = { items: [{ id: 'eu-1' }, { id: 'us-1' }, { id: 'eu-2' }], more: false }

/** What a list is before it is cut. */
export const WHOLE_LIST = JSON.stringify(WORKSPACES)

/** Everything else. */
export const ANSWER = '{"from":"upstream"}'

export const startTableUpstream = (): Promise<EchoUpstream> => startEcho({ answer })

function answer({ target }: Arrived, response: ServerResponse): void {
  const body = target.startsWith('/v1/lists/') ? WHOLE_LIST : ANSWER
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-upstream': 'seen',
  })
  response.end(body)
}
