/** Keys on a cluster as the operator would leave them, written without one: an ApiKey, and the Secret with its digest. */
import type { Cap } from '../../src/core/cap.ts'
import { digestOf } from '../../src/core/credential.ts'
import { digestSecretName, writeDigestSecret } from '../../src/kube/digest-secret.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import type { Cluster } from './cluster.ts'
import { aCredential, aWholeCap } from './make.ts'

type Requests = Pick<Cluster, 'request'>
type Spec = Readonly<Record<string, unknown>>

export type GrantedKey = {
  /** `namespace/name`. */
  readonly name: string
  readonly uid: string
  /** The whole key. */
  readonly key: string
  readonly secret: KeySecret
  /** Path of the ApiKey, and of the Secret with its digest. */
  readonly path: string
  readonly secretPath: string
}

export const SECRETS_PATH = '/api/v1/namespaces/keyward-system/secrets'

export const apiKeyPath = (name: string): string => {
  const [namespace, own] = name.split('/')
  return `/apis/keyward.dev/v1alpha1/namespaces/${namespace}/apikeys/${own}`
}

/** What becomes of a key that asks for less or more is said in `spec`; it may read things unless that says otherwise. */
export async function grantKey(cluster: Requests, name: string, spec: Spec = {}): Promise<GrantedKey> {
  const asked = { accessNamespace: 'acme', environment: 'production', permissions: ['thing:read'], ...spec }
  const made = await createApiKey(cluster, name, asked)
  const { secret, key } = aMintedSecret(name, made.metadata.uid)
  await putSecret(cluster, { secret, made })
  const secretPath = `${SECRETS_PATH}/${digestSecretName(secret.keyId)}`
  return { name, uid: made.metadata.uid, key, secret, path: apiKeyPath(name), secretPath }
}

export type MadeKey = { readonly metadata: { readonly uid: string; readonly generation: number }; readonly spec: Spec }

export async function createApiKey(cluster: Requests, name: string, spec: Spec): Promise<MadeKey> {
  const path = apiKeyPath(name)
  const metadata = { name: path.slice(path.lastIndexOf('/') + 1) }
  const body = { apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', metadata, spec }
  return (await expectOk(cluster, 'POST', path.slice(0, path.lastIndexOf('/')), body)) as MadeKey
}

/** A key that was minted and handed over. */
export function aMintedSecret(name: string, uid: string): { readonly secret: KeySecret; readonly key: string } {
  const credential = aCredential()
  const now = Date.now()
  const current = { version: 1, digest: digestOf(credential), issuedAt: now, claimedBy: 'ana', claimedAt: now }
  const secret: KeySecret = {
    ...{ keyId: credential.keyId, uid, name, origin: 'minted', rotations: 0, current },
    previous: undefined,
  }
  return { secret, key: credential.text }
}

/** The people behind it hold what it asks for, everywhere, unless a cap is named. */
export function digestSecretOf(
  secret: KeySecret,
  { metadata, spec }: MadeKey,
  cap = aWholeCap(spec.permissions as string[]),
) {
  const granted = { generation: metadata.generation, spec, cap }
  return writeDigestSecret(
    { secret, granted, claimants: new Map(), handingTo: undefined },
    { namespace: 'keyward-system', over: undefined },
  )
}

type Written = { readonly secret: KeySecret; readonly made: MadeKey; readonly cap?: Cap | undefined }

const putNewSecret = (cluster: Requests, { secret, made, cap }: Written): Promise<unknown> =>
  expectOk(cluster, 'POST', SECRETS_PATH, digestSecretOf(secret, made, cap))

/** Says that what the ApiKey asks for now is granted. */
async function putSecret(cluster: Requests, what: Written): Promise<void> {
  const { secret, made, cap } = what
  const path = `${SECRETS_PATH}/${digestSecretName(secret.keyId)}`
  const { status } = await cluster.request('GET', path)
  if (status === 200) await expectOk(cluster, 'PUT', path, digestSecretOf(secret, made, cap))
  else await putNewSecret(cluster, what)
}

/** What the operator does once it grants an edit, or once the people behind it hold something else. */
export async function grantAsDeclared(cluster: Requests, { path, secret }: GrantedKey, cap?: Cap): Promise<void> {
  await putSecret(cluster, { secret, made: (await expectOk(cluster, 'GET', path)) as MadeKey, cap })
}

/** Changes fields of its spec; null takes one away. */
export const editSpec = (cluster: Requests, { path }: Pick<GrantedKey, 'path'>, spec: Spec): Promise<unknown> =>
  expectOk(cluster, 'PATCH', path, { spec }, 'application/merge-patch+json')

export async function expectOk(cluster: Requests, ...request: Parameters<Cluster['request']>): Promise<unknown> {
  const answer = await cluster.request(...request)
  if (answer.status > 201)
    throw new Error(`${request[0]} ${request[1]}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}
