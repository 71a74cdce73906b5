/** Keys on a fake API server, which sees every delivery at the moment when it is written. */
import type { KubeClient } from '../../src/kube/client.ts'
import { readDigestSecret } from '../../src/kube/digest-secret.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import type { PeoplePort } from '../../src/kube/people.ts'
import { NOON } from '../operator/make.ts'
import { type Api, type ClusterHome, clusterHome, digestOfLine, unsealed } from './cluster-home.ts'
import { type FakeApiServer, fakeApiServer } from './fake-api-server.ts'

/** Something that reached an owner, and the digests that were stored just then. */
export type Delivery = { readonly digest: string; readonly stored: readonly string[] }

export type FakeClusterHome = ClusterHome & {
  readonly server: FakeApiServer
  readonly deliveries: () => Promise<readonly Delivery[]>
}

const OWN = 'keyward-system'

export async function fakeClusterHome(
  receives: 'everything' | 'nothing' = 'everything',
  around = (one: KubeClient) => one,
  people?: PeoplePort,
): Promise<FakeClusterHome> {
  const server = fakeApiServer(() => NOON)
  const seen: { readonly key: string | Promise<string>; readonly stored: readonly string[] }[] = []
  server.onWrite((now, path) => {
    const key = now && deliveredIn(now, path)
    if (key !== undefined) seen.push({ key, stored: storedOn(server) })
  })
  const api: Api = {
    client: server.client,
    operator: around(server.client),
    reflect: server.reflect,
    nowMs: () => NOON,
    people,
    inNamespace: 'default',
    ownNamespace: OWN,
    close: async () => {},
  }
  const deliveries = (): Promise<readonly Delivery[]> =>
    Promise.all(seen.map(async ({ key, stored }) => ({ digest: digestOfLine({ key: await key }), stored })))
  return {
    ...(await clusterHome(api, receives)),
    server,
    deliveries,
    premature: async () =>
      (await deliveries()).filter(({ digest, stored }) => !stored.includes(digest)).map(({ digest }) => digest),
  }
}

/** The credential that an object holds, sealed or not. */
function deliveredIn({ data, status }: KubeObject, path: string): string | Promise<string> | undefined {
  const { jwe } = (status ?? {}) as { jwe?: string }
  if (jwe !== undefined) return unsealed(jwe).then(({ key }) => key)
  const { key } = (data ?? {}) as { key?: string }
  return path.includes(`/${OWN}/`) || key === undefined ? undefined : atob(key)
}

const storedOn = (server: FakeApiServer): readonly string[] =>
  server.all().flatMap((object) => {
    const { read } = readDigestSecret(object)
    const { current, previous } = read.ok ? read.value.secret : {}
    return [current?.digest, previous?.digest].filter((digest) => digest !== undefined)
  })
