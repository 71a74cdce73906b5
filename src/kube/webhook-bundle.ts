/** Which certificate authorities the API server trusts when it calls our webhooks: looked at, and written where it is another. */
import { Trouble } from '../core/trouble.ts'
import { isObject } from '../resources/problem.ts'
import { get, serverSideApply } from './calls.ts'
import type { KubeClient } from './client.ts'
import { apiVersionOf, type KubeObject, pathOf, type Resource } from './objects.ts'

const configuration = (plural: string, kind: string): Resource => ({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced: false,
})

const CONFIGURATIONS = [
  configuration('mutatingwebhookconfigurations', 'MutatingWebhookConfiguration'),
  configuration('validatingwebhookconfigurations', 'ValidatingWebhookConfiguration'),
] as const

/** Both configurations have this name. */
const NAME = 'keyward'
const FIELD_MANAGER = 'keyward-certificates'

/** @param bundle certificates in PEM form */
export async function writeBundle(client: KubeClient, bundle: string): Promise<void> {
  const caBundle = Buffer.from(bundle).toString('base64')
  for (const resource of CONFIGURATIONS) {
    const found = await get(client, resource, { name: NAME })
    if (found === undefined) throw new Trouble('webhooks_not_configured', 'wait')
    if (webhooksOf(found).every((webhook) => webhook.caBundle === caBundle)) continue
    const webhooks = webhooksOf(found).map(({ name }) => ({ name, clientConfig: { caBundle } }))
    const object = {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: { name: NAME },
      webhooks,
    }
    await serverSideApply(client, { path: pathOf(resource, { name: NAME }), object, fieldManager: FIELD_MANAGER })
  }
}

type Webhook = { readonly name: string; readonly caBundle: unknown }

const webhooksOf = ({ webhooks }: KubeObject): readonly Webhook[] =>
  (Array.isArray(webhooks) ? webhooks : []).flatMap((one: unknown): Webhook[] => {
    if (!isObject(one) || typeof one.name !== 'string') return []
    return [{ name: one.name, caBundle: isObject(one.clientConfig) ? one.clientConfig.caBundle : undefined }]
  })
