/** The examples that can be started with one command, and what to paste to see each at work. */
import type { Server } from 'node:http'
import { upstream as licensingUpstream } from '../examples/licensing/upstream.ts'
import { upstream as passportUpstream } from '../examples/passport/upstream.ts'

export type Example = {
  readonly upstream: (parts: { readonly manifests: string }) => Server
  /** The Kubernetes namespace of its keys. */
  readonly namespace: string
  /** @param curl the beginning of a curl line for a key of this name, up to the path, which follows at once */
  readonly toTry: (curl: (key: string, more?: string) => string) => string
}

export const EXAMPLES: Readonly<Record<string, Example>> = {
  licensing: {
    upstream: licensingUpstream,
    namespace: 'licensing',
    toTry: (curl) => {
      const at = (key: string) => `${curl(key, "-H 'Host: api.licensing.example'")}/v1/customers`
      return `Allowed (200): the website's key may read customers.

  ${at('main-website')}

Refused (401): its key for staging, at the host of production.

  ${at('main-website-staging')}

Over the limit (429): a key for 3 requests a minute, asked 4 times.

  for i in 1 2 3 4; do ${at('trial')}; done`
    },
  },
  passport: {
    upstream: passportUpstream,
    namespace: 'passport',
    toTry: (curl) => {
      const at = (key: string, path: string, more = '') => curl(key, `-H 'Host: passport.example'${more}`) + path
      return `A workspace's key sees its own of four workspaces.

  ${at('shop-eu-key', '/v1/workspaces')}

An application's key creates a workspace, and sees it within a second.

  ${at('shop-key', '/v1/workspaces', ` -d '{"name":"Shop Asia"}'`)}
  ${at('shop-key', '/v1/workspaces')}

Refused (403): a user group of the organization is in no application.

  ${at('staff-key', '/v1/apps')}`
    },
  },
}
