/** A small API of things at api.test, for tests in which it does not matter what is protected, and keys for it. */

export const THINGS = `apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: acme}
spec: {type: organization}
---
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: things, namespace: team}
spec:
  environments: [{name: production, hosts: [api.test]}]
  routes:
    - {methods: [GET], path: /healthz, public: true}
    - {methods: [GET], path: /things, permission: "thing:read"}
    - {methods: [POST], path: /things, permission: "thing:write"}
`

/** `team/<name>`, which may read things; more: further lines of its spec, indented by two. */
export const thingsKey = (name: string, more = '') => `apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: {name: ${name}, namespace: team}
spec:
  accessNamespace: acme
  environment: production
  permissions: ["thing:read"]
${more}`
