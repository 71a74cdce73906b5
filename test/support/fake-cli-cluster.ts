/** A fake cluster for the commands on keys: objects in memory, and an operator that seals what a test hands it. */
import { CompactEncrypt } from 'jose'
import type { Choice, Cluster, Draft, Heard, ReadKind, Ref, Rule, Stored } from '../../src/cli/cluster.ts'
import { Refused, Stop } from '../../src/cli/refused.ts'
import type { Person, Terminal } from '../../src/cli/terminal.ts'
import type { Credential } from '../../src/core/credential.ts'
import { secretOf } from '../../src/core/credential.ts'
import type { KubeObject } from '../../src/kube/objects.ts'
import { policyLook } from '../../src/kube/policy-look.ts'
import { aCredential, NOON } from './make.ts'

export type FakeCluster = Cluster & {
  /** `apikeys/team-web/main`, as they are now. */
  readonly objects: Map<string, Stored>
  /** Every write, in order: `create apikeys/team-web/main`. */
  readonly writes: string[]
  /** Every patch of a key. */
  readonly patches: object[]
  readonly secrets: Map<string, Readonly<Record<string, string>>>
}

export type FakeWish = {
  /** What becomes of a claim at the first look; undefined: nothing. */
  readonly answer?: (claim: Stored) => Promise<object | undefined>
  /** Of a write, or of `list protectedapis team-web`. */
  readonly refuse?: (what: string) => Refused | undefined
  readonly grants?: readonly string[]
  readonly rules?: readonly Rule[]
  /** What a pod answers, by its name. */
  readonly pods?: Readonly<Record<string, (path: string) => Heard>>
}

export const theCredential: Credential = aCredential()
/** Whatever of it must not be seen. */
export const hidden = secretOf(theCredential)

/** An operator that delivers. */
export const delivers =
  (credential = theCredential) =>
  async ({ spec }: Stored): Promise<object> => {
    const { publicJwk } = spec as { publicJwk: { kty: string; crv: string; x: string; y: string } }
    const { keyId, text } = credential
    const said = { id: keyId, secret: secretOf(credential), key: text }
    const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(said)))
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
      .encrypt(publicJwk)
    return {
      version: 1,
      jwe,
      conditions: [
        { type: 'Delivered', status: 'True' },
        { type: 'Finished', status: 'True' },
      ],
    }
  }

export const denies = (reason: string, message: string) => async (): Promise<object> => ({
  conditions: [
    { type: 'Denied', status: 'True', reason, message },
    { type: 'Finished', status: 'True' },
  ],
})

export function fakeCluster(wish: FakeWish = {}): FakeCluster {
  const objects = new Map<string, Stored>()
  const writes: string[] = []
  const patches: object[] = []
  const secrets = new Map<string, Readonly<Record<string, string>>>()
  let drawn = 0
  const pathOf = (kind: ReadKind, { namespace, name }: Ref) =>
    `${kind}/${namespace === '' ? '' : `${namespace}/`}${name}`
  const write = (what: string): void => {
    const refused = wish.refuse?.(what)
    if (refused !== undefined) throw refused
    writes.push(what)
  }
  const stored = (draft: Draft, ref: Ref): Stored => {
    drawn += 1
    return {
      ...draft,
      metadata: {
        ...ref,
        uid: `uid-${drawn}`,
        resourceVersion: String(drawn),
        creationTimestamp: '2026-11-22T12:00:00Z',
      },
    }
  }
  const listed = (kind: ReadKind, { namespace, fieldSelector }: Choice): readonly Stored[] =>
    [...objects].flatMap(([path, object]) => {
      const isThere =
        path.startsWith(`${kind}/`) && (namespace ?? object.metadata.namespace) === object.metadata.namespace
      const { keyId } = (object.status ?? {}) as { keyId?: unknown }
      const isMeant = !fieldSelector?.startsWith('status.keyId=') || fieldSelector === `status.keyId=${keyId}`
      return isThere && isMeant ? [object] : []
    })
  return {
    ...{ objects, writes, patches, secrets, namespace: 'team-web' },
    get: async (kind, ref) => {
      const found = objects.get(pathOf(kind, ref))
      if (kind !== 'apikeyclaims' || found === undefined || found.status !== undefined) return found
      const status = await wish.answer?.(found)
      if (status === undefined) return found
      const metadata = { ...found.metadata, resourceVersion: `${found.metadata.resourceVersion}+` }
      objects.set(pathOf(kind, ref), { ...found, metadata, status })
      return objects.get(pathOf(kind, ref))
    },
    list: async (kind, choice) => {
      const refused = wish.refuse?.(`list ${kind} ${choice.namespace ?? 'everywhere'}`)
      if (refused !== undefined) throw refused
      return listed(kind, choice)
    },
    create: async (kind, { namespace }, { dryRun, ...draft }) => {
      const { name, generateName } = draft.metadata as { name?: string; generateName?: string }
      const ref = { namespace, name: name ?? `${generateName}x${drawn}` }
      const object = stored(draft, ref)
      if (dryRun === true) return object
      write(`create ${pathOf(kind, ref)}`)
      objects.set(pathOf(kind, ref), object)
      return object
    },
    patchKey: async (ref, patch, trial) => {
      const found = objects.get(pathOf('apikeys', ref))
      if (found === undefined) throw new Stop('the fake has no such key')
      patches.push(patch)
      const { spec } = patch as { spec?: object }
      const after = { ...found, spec: { ...(found.spec as object), ...spec } }
      if (trial?.dryRun === true) return after
      write(`patch ${pathOf('apikeys', ref)}`)
      objects.set(pathOf('apikeys', ref), after)
      return after
    },
    removeClaim: async (ref, { uid, resourceVersion }) => {
      const found = objects.get(pathOf('apikeyclaims', ref))
      if (found === undefined) return 'absent'
      if (found.metadata.uid !== uid) return 'changed'
      if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion) return 'changed'
      write(`remove ${pathOf('apikeyclaims', ref)}`)
      objects.delete(pathOf('apikeyclaims', ref))
      return 'removed'
    },
    createSecret: async ({ namespace, name }, data, trial) => {
      const refused = wish.refuse?.(`secret ${namespace}/${name}`)
      if (refused !== undefined) throw refused
      if (secrets.has(`${namespace}/${name}`)) throw new Refused({ status: 409, reason: 'AlreadyExists', message: '' })
      if (trial?.dryRun !== true) secrets.set(`${namespace}/${name}`, data)
    },
    mayGrant: async ({ permission }) => (wish.grants ?? []).includes(permission),
    rules: async () => wish.rules ?? [],
    throughPod: async ({ namespace, name, port }, path) => {
      const refused = wish.refuse?.(`proxy ${namespace}/${name}:${port}`)
      if (refused !== undefined) throw refused
      return wish.pods?.[name]?.(path) ?? { status: 404, body: { kind: 'Status' } }
    },
    policyOf: (apis, namespaces) => policyLook(apis as readonly KubeObject[], namespaces as readonly KubeObject[]),
    close: async () => {},
  }
}

/** A key as the API server has it, in team-web. */
export const aStoredKey = (
  name: string,
  {
    spec = {},
    status,
    generation = 1,
  }: { readonly spec?: object; readonly status?: object; readonly generation?: number } = {},
): Stored => ({
  metadata: {
    name,
    namespace: 'team-web',
    uid: `uid of ${name}`,
    resourceVersion: '7',
    generation,
    creationTimestamp: '2026-11-20T12:00:00Z',
  },
  spec: { accessNamespace: 'acme-web-eu', environment: 'production', permissions: ['customer:read'], ...spec },
  ...(status !== undefined && { status }),
})

export type FakeTerminal = Terminal & { readonly said: { out: string; err: string }; readonly interrupt: () => void }

export type TerminalWish = {
  /** What the person there answers, in turn; undefined: there is nobody. */
  readonly answers?: readonly string[]
  readonly colours?: boolean
  readonly onOut?: (text: string) => void
  readonly onPause?: () => void
}

/** A terminal whose time goes by only where a command waits. */
export function fakeTerminal({ answers, colours = false, onOut, onPause }: TerminalWish = {}): FakeTerminal {
  const said = { out: '', err: '' }
  const controller = new AbortController()
  const left = [...(answers ?? [])]
  let passedMs = 0
  const person: Person = {
    ask: async (question) => {
      said.err += question
      const answer = left.shift()
      if (answer === undefined) throw new Stop('the person went')
      return answer
    },
  }
  return {
    ...{ said, colours, self: 'keyward', person: answers === undefined ? undefined : person },
    out: async (text) => {
      onOut?.(text)
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    clock: { nowMs: () => NOON, steadyMs: () => passedMs },
    stop: () => controller.signal,
    pause: async (ms) => {
      passedMs += ms
      onPause?.()
    },
    interrupt: () => controller.abort(),
  }
}
