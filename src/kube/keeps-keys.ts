/** Whether Keyward keeps any key by now. */
import { listPage } from './calls.ts'
import type { KubeClient } from './client.ts'
import { DIGEST_SECRET_TYPE } from './digest-secret.ts'
import { SECRETS } from './objects.ts'

/**
 * Whether the digests of any key are kept. Nobody but the operator writes them, whereas an annotation on an ApiKey that was made
 * while nobody was asked is whatever its maker wants.
 *
 * @param namespace Keyward's own
 */
export async function keepsKeys(client: KubeClient, namespace: string): Promise<boolean> {
  const choice = { namespace, fieldSelector: `type=${DIGEST_SECRET_TYPE}`, limit: 1, token: '' }
  const { items } = await listPage(client, SECRETS, choice)
  return items.length > 0
}
