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

/** Writes the folder, `perFile` keys to a file, and gives the credentials back. */
export function writeFolder(dir: string, count: number, perFile = count): readonly string[] {
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
  permissions: [license:read, license:manage]
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
