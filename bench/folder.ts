/** A folder of manifests with many keys whose credentials are known: imported by digest, nothing has to be minted. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { composeCredential, composeKeyId, digestOf, formatDigest } from '../src/core/credential.ts'
import { bytes } from './population.ts'

const AROUND = `apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: acme}
spec: {type: organization}
---
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: bench, namespace: default}
spec:
  environments:
    - {name: production, hosts: [api.example.com]}
  routes:
    - {path: /healthz, public: true}
    - {methods: [GET], path: /v1/licenses, permission: "license:read"}
    - {methods: [GET, PUT], path: "/v1/licenses/{id}", permissionByMethod: {GET: "license:read", "*": "license:manage"}}
    - {methods: [POST], path: "/v1/customers/{customer}/**", permission: "customer:write", customer: customer}
`

const LIMIT = '\n  rateLimit: {requests: 60000000, per: 1m}'

export type FolderShape = {
  /** All of them in one file where it is not said. */
  readonly perFile?: number
  /** Every key has a rate limit that no load reaches. */
  readonly limited?: boolean
}

/** Writes the folder and gives the credentials back. */
export function writeFolder(
  dir: string,
  count: number,
  { perFile = count, limited = false }: FolderShape = {},
): readonly string[] {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'around.yaml'), AROUND)
  const credentials = Array.from({ length: count }, (_, i) =>
    composeCredential(composeKeyId('production', bytes(i)), bytes(i + 0x40000000)),
  )
  const manifests = credentials.map(
    (credential, i) => `apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata:
  name: key-${i}
  namespace: team-${i % 100}
spec:
  displayName: Key ${i}
  accessNamespace: acme
  environment: production
  permissions: [license:read, license:manage]${limited ? LIMIT : ''}
  delivery:
    keyId: ${credential.keyId}
    digest: "${formatDigest(digestOf(credential))}"
`,
  )
  for (let from = 0; from < count; from += perFile) {
    writeFileSync(join(dir, `keys-${from}.yaml`), manifests.slice(from, from + perFile).join('---\n'))
  }
  return credentials.map(({ text }) => text)
}
