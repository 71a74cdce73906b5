/** Requests to a cluster as somebody else: as a user by impersonation, or with the token of a ServiceAccount. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, request as send } from 'undici'
import { afterAll } from 'vitest'
import type { Cluster } from './cluster.ts'
import type { Request } from './cluster-admin.ts'

export type Who = { readonly user: string; readonly groups?: readonly string[] }

export type AsPerson = {
  /** What an administrator asks in their name. */
  readonly as: (who: Who) => { readonly request: Request }
  /** @param folder as `cluster.serviceAccount` makes it */
  readonly withToken: (folder: string) => { readonly request: Request }
}

/** Without a process for each request, as kubectl has it. */
export function asPerson({ server, caFile, kubeconfig }: Pick<Cluster, 'server' | 'caFile' | 'kubeconfig'>): AsPerson {
  // several groups are several headers, which HTTP/2 would make one of
  const agent = new Agent({ connect: { ca: readFileSync(caFile, 'utf8') }, allowH2: false })
  afterAll(() => agent.destroy())
  const config = JSON.parse(readFileSync(kubeconfig, 'utf8')) as { users: readonly { user: { token: string } }[] }
  const admin = config.users[0]?.user.token ?? ''

  const requestWith =
    (token: string, more: Readonly<Record<string, string | string[]>> = {}): Request =>
    async (method, path, body, contentType = 'application/json') => {
      const answer = await send(`${server}${path}`, {
        ...{ method, dispatcher: agent, body: body === undefined ? null : JSON.stringify(body) },
        headers: { authorization: `Bearer ${token}`, 'content-type': contentType, ...more },
      })
      return { status: answer.statusCode, body: JSON.parse(await answer.body.text()) }
    }

  return {
    as: ({ user, groups = [] }) => ({
      request: requestWith(admin, {
        'impersonate-user': user,
        ...(groups.length > 0 && { 'impersonate-group': [...groups, 'system:authenticated'] }),
      }),
    }),
    withToken: (folder) => ({ request: requestWith(readFileSync(join(folder, 'token'), 'utf8')) }),
  }
}
