/** Who claims a key: a key pair whose private half never leaves the test, a claim, and what was sealed for it. */
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose'
import type { Cluster } from './cluster.ts'
import { until } from './until.ts'

export type Sealed = { readonly id: string; readonly secret: string; readonly key: string }

export type ClaimOf = {
  /** Its Kubernetes namespace, and the name of the ApiKey that is claimed. */
  readonly namespace?: string
  readonly apiKey: string
  /** Of the claim; drawn by the API server unless given. */
  readonly name?: string
  readonly version?: number
}

export type Claim = {
  readonly namespace: string
  readonly name: string
  /** `Delivered`, or the reason of its denial, as soon as the claim is finished. */
  readonly outcome: (withinMs?: number) => Promise<string>
  /** What was sealed for it; throws where it was denied. */
  readonly open: (withinMs?: number) => Promise<Sealed>
  /** What is sealed for it by now; undefined: nothing. */
  readonly peek: () => Promise<(Sealed & { readonly version: number }) | undefined>
  readonly isFinished: () => Promise<boolean>
  /** Deletes the claim: the acknowledgement. */
  readonly acknowledge: () => Promise<void>
}

type Condition = { readonly type: string; readonly status: string; readonly reason: string }
type ClaimObject = {
  readonly metadata: { readonly name: string }
  readonly status?: { readonly jwe?: string; readonly version?: number; readonly conditions?: readonly Condition[] }
}

/** Creates a claim, as `kubectl keyward claim` does. */
export async function claim(cluster: Pick<Cluster, 'request'>, wanted: ClaimOf): Promise<Claim> {
  const { namespace = 'default', apiKey, name, version } = wanted
  const pair = await generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: true })
  const { kty, crv, x, y } = await exportJWK(pair.publicKey)
  const folder = `/apis/keyward.dev/v1alpha1/namespaces/${namespace}/apikeyclaims`
  const created = await cluster.request('POST', folder, {
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ApiKeyClaim',
    metadata: name === undefined ? { generateName: `${apiKey}-` } : { name },
    spec: { apiKey, ...(version === undefined ? {} : { version }), publicJwk: { kty, crv, x, y } },
  })
  if (created.status !== 201) throw new Error(`the claim was refused: ${JSON.stringify(created.body)}`)
  const path = `${folder}/${(created.body as ClaimObject).metadata.name}`
  const look = async (): Promise<ClaimObject | undefined> => {
    const { status, body } = await cluster.request('GET', path)
    return status === 200 ? (body as ClaimObject) : undefined
  }
  const isFinished = (found: ClaimObject | undefined): boolean =>
    found?.status?.conditions?.some(({ type, status }) => type === 'Finished' && status === 'True') === true
  const finished = (withinMs = 10_000) =>
    until(
      `the claim ${path} is finished`,
      async () => {
        const found = await look()
        return isFinished(found) ? found : undefined
      },
      withinMs,
    )
  const unsealed = async (jwe: string): Promise<Sealed> => {
    const { plaintext } = await compactDecrypt(jwe, pair.privateKey)
    return JSON.parse(Buffer.from(plaintext).toString('utf8')) as Sealed
  }
  return {
    namespace,
    name: (created.body as ClaimObject).metadata.name,
    outcome: async (withinMs) => {
      const { status } = await finished(withinMs)
      const told = status?.conditions?.find(({ type, status: is }) => type !== 'Finished' && is === 'True')
      return told?.type === 'Denied' ? told.reason : (told?.type ?? 'nothing')
    },
    open: async (withinMs) => {
      const { status } = await finished(withinMs)
      if (status?.jwe === undefined) throw new Error(`nothing was sealed: ${JSON.stringify(status)}`)
      return unsealed(status.jwe)
    },
    isFinished: async () => isFinished(await look()),
    peek: async () => {
      const { jwe, version } = (await look())?.status ?? {}
      return jwe === undefined || version === undefined ? undefined : { ...(await unsealed(jwe)), version }
    },
    acknowledge: async () => {
      await cluster.request('DELETE', path)
    },
  }
}
