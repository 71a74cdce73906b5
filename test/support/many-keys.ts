/** Many ApiKeys that import digests, made straight on the API server before anything of Keyward runs. */
import { createHash } from 'node:crypto'
import type { Cluster } from './cluster.ts'
import { applyKey } from './cluster-keys.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const AT_ONCE = 24

/** The key ID of the n-th. */
export function keyIdOf(n: number): string {
  const bytes = createHash('sha256').update(`key id ${n}`).digest()
  return `kw_prod_${[...bytes.subarray(0, 12)].map((byte) => ALPHABET[byte % 62]).join('')}`
}

const digestOfKey = (n: number): string => `sha256:${createHash('sha256').update(`key ${n}`).digest('hex')}`

/** Spread over ten Kubernetes namespaces. */
export async function importKeys(cluster: Pick<Cluster, 'request'>, count: number): Promise<void> {
  for (let n = 0; n < 10; n++) {
    const metadata = { name: `team-${n}` }
    await cluster.request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata })
  }
  let next = 0
  const worker = async () => {
    for (let n = next++; n < count; n = next++) {
      await applyKey(cluster, `team-${n % 10}/key-${n}`, { delivery: { digest: digestOfKey(n), keyId: keyIdOf(n) } })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}
