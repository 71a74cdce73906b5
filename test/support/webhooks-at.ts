/** The shipped webhooks, called where there is no Service: at a port of a machine. Knows no test runner. */
import type { Admin } from './cluster-admin.ts'
import { until } from './until.ts'

const SERVICE = /service:\s*\{\s*namespace: keyward-system,\s*name: keyward-webhooks,\s*path: (\/\w+),?\s*\}/g

/** @param shipped the text of deploy/webhooks.yaml */
export const webhooksAt = (shipped: string, { host, port }: { readonly host: string; readonly port: number }): string =>
  shipped.replace(SERVICE, (_all, path) => `url: "https://${host}:${port}${path}"`)

const PROBE = {
  apiVersion: 'keyward.dev/v1alpha1',
  kind: 'ApiKey',
  metadata: { generateName: 'probe-' },
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['a:b'] },
}
const PROBES = '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys?dryRun=All'

/** Waits until a key can be made: the API server learns of its webhooks, and whom to trust there, after a moment. */
export async function untilAdmitted({ request }: Pick<Admin, 'request'>, withinMs = 30_000): Promise<void> {
  let last = ''
  const isMade = async () => {
    const { status, body } = await request('POST', PROBES, PROBE)
    last = JSON.stringify(body)
    return status === 201
  }
  await until('a key can be made', isMade, withinMs).catch((error: unknown) => {
    throw new Error(`${error instanceof Error ? error.message : error}; last: ${last}`)
  })
}
