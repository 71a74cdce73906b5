/** The API of a running standalone, asked as a client that has its token. */
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { type Answer, ask, type Json } from './ask.ts'
import type { Standalone } from './standalone.ts'
import { until } from './until.ts'

export const GROUP_PATH = '/apis/keyward.dev/v1alpha1'

export type Send = {
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
}

export type Watch = {
  /** Events so far, in their order; bookmarks too. */
  readonly events: () => readonly Json[]
  /** `ADDED main`, as soon as it has come. */
  readonly told: (event: string, withinMs?: number) => Promise<Json>
  readonly ended: () => boolean
  readonly stop: () => void
}

export type RestClient = {
  readonly url: string
  readonly token: string
  /** A path that does not begin with a slash lies below that of our group. */
  readonly send: (method: string, path: string, options?: Send) => Promise<Answer>
  readonly watch: (path: string) => Watch
}

export const tokenOf = ({ data }: Pick<Standalone, 'data'>): string => readFileSync(join(data, 'token'), 'utf8').trim()

export const apiUrlOf = ({ adminUrl }: Pick<Standalone, 'adminUrl'>): string =>
  `http://127.0.0.1:${Number(new URL(adminUrl).port) - 9090 + 8088}`

export function restOf(standalone: Pick<Standalone, 'adminUrl' | 'data'>): RestClient {
  const [url, token] = [apiUrlOf(standalone), tokenOf(standalone)]
  const whole = (path: string) => url + (path.startsWith('/') ? path : `${GROUP_PATH}/${path}`)
  return {
    url,
    token,
    send: (method, path, { body, contentType, accept } = {}) =>
      ask(whole(path), {
        method,
        body,
        headers: {
          authorization: `Bearer ${token}`,
          ...(contentType === undefined ? {} : { 'content-type': contentType }),
          ...(accept === undefined ? {} : { accept }),
        },
      }),
    watch: (path) => watchOf(whole(path), token),
  }
}

function watchOf(url: string, token: string): Watch {
  let text = ''
  let over = false
  const outgoing = request(url, { agent: false, headers: { authorization: `Bearer ${token}` } }, (incoming) => {
    incoming.setEncoding('utf8')
    incoming.on('data', (chunk: string) => {
      text += chunk
    })
    incoming.on('close', () => {
      over = true
    })
    incoming.on('error', () => undefined)
  })
  outgoing.on('error', () => undefined)
  outgoing.end()
  const events = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Json)
  const named = (event: Json) => `${event.type} ${event.object?.metadata?.name ?? ''}`.trim()
  return {
    events,
    told: (event, withinMs) =>
      until(
        `${event}, after ${events().map(named).join(', ')}`,
        () => events().find((one) => named(one) === event),
        withinMs,
      ),
    ended: () => over,
    stop: () => void outgoing.destroy(),
  }
}

/** An ApiKey as a client sends it, for `THINGS`. */
export const keyObject = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata: { name, namespace: 'team', ...metadata },
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['thing:read'], ...spec },
})
