/** Access as a pod has it: a folder with a token that changes now and then, an authority, and a namespace. */
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { Trouble } from '../core/trouble.ts'
import type { Access, Credentials } from './access.ts'

export type InClusterParts = {
  readonly folder: string
  /** Of KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
  readonly host: string
  readonly port: string
  readonly steadyMs: () => number
}

/** A token is renewed long before it ends: after 80 % of its hour, by the kubelet. */
const READ_ANEW_MS = 60_000

export function inCluster({ folder, host, port, steadyMs }: InClusterParts): Access {
  let read: { readonly credentials: Credentials; readonly at: number } | undefined

  const credentials = async (fresh: boolean): Promise<Credentials> => {
    if (!fresh && read !== undefined && steadyMs() - read.at < READ_ANEW_MS) return read.credentials
    try {
      read = { credentials: readFolder(folder), at: steadyMs() }
    } catch (error) {
      // what was read before may well be good still; the server says so if it is not
      if (read === undefined || fresh) throw error
    }
    return read.credentials
  }

  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    namespace: namespaceIn(folder),
    proxy: undefined,
    credentials,
  }
}

function readFolder(folder: string): Credentials {
  const token = textOf(join(folder, 'token')).trim()
  // a header can't be made of anything else
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Trouble('kube_credentials_unreadable', 'retry')
  return { headers: { authorization: `Bearer ${token}` }, tls: { ca: textOf(join(folder, 'ca.crt')) } }
}

function namespaceIn(folder: string): string | undefined {
  try {
    const name = readFileSync(join(folder, 'namespace'), 'utf8').trim()
    return name === '' ? undefined : name
  } catch {
    return undefined
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Trouble('kube_credentials_unreadable', 'retry', cause)
  }
}
