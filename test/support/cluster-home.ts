/** Keys kept on an API server by the cluster's port, real or fake; a kill is another port with nothing in memory. */
import { randomUUID } from 'node:crypto'
import { compactDecrypt, exportJWK, generateKeyPair } from 'jose'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import type { KeyRef } from '../../src/core/key-ref.ts'
import { isNotFound } from '../../src/kube/api-error.ts'
import { create, get, replace } from '../../src/kube/calls.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { keyIdOfName, readDigestSecret } from '../../src/kube/digest-secret.ts'
import { type KeyCaches, openKeyCaches } from '../../src/kube/key-caches.ts'
import { makeClusterKeyPort } from '../../src/kube/key-port.ts'
import { API_KEYS, CLAIMS, type KubeObject, pathOf, SECRETS } from '../../src/kube/objects.ts'
import { observedKey } from '../../src/kube/observed-key.ts'
import type { PeoplePort } from '../../src/kube/people.ts'
import type { reflect } from '../../src/kube/reflector.ts'
import type { KeyPort } from '../../src/operator/key-port.ts'
import type { Declared, World } from '../../src/operator/world.ts'
import type { ApiKey, ApiKeySpec } from '../../src/resources/api-key.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import type { Home, Line } from '../contract/key-port.contract.ts'
import { anApiKey } from '../operator/make.ts'
import { MAKER, trustedPeople } from './fake-people.ts'
import { aWholeCap } from './make.ts'

/** Where the objects are. */
export type Api = {
  /** As an administrator. */
  readonly client: KubeClient
  /** As the operator. */
  readonly operator: KubeClient
  readonly reflect: typeof reflect
  readonly nowMs: () => number
  /** Of the operator; people who are never in doubt unless given. */
  readonly people?: PeoplePort | undefined
  /** Where ApiKeys and claims are: what tests call `default`. */
  readonly inNamespace: string
  /** Keyward's own. */
  readonly ownNamespace: string
  readonly close: () => Promise<void>
}

export type ClusterHome = Home & {
  /** Another process on the same API server, whose requests go through `around`. */
  readonly leader: (around?: (client: KubeClient) => KubeClient) => Promise<Leader>
  readonly claim: (ref: KeyRef, version?: number) => Promise<string>
  readonly claimsOf: (ref: KeyRef) => Promise<readonly KubeObject[]>
  readonly digestSecrets: () => Promise<readonly KubeObject[]>
  /** Objects that are not claims and not digests, by name. */
  readonly secret: (ref: KeyRef) => Promise<KubeObject | undefined>
}

export type Leader = { readonly port: KeyPort; readonly caches: KeyCaches; readonly stop: () => Promise<void> }

const PAIR = generateKeyPair('ECDH-ES+A256KW', { crv: 'P-256', extractable: true })

/** The public key of everybody who claims in these tests. */
export async function testJwk() {
  const { kty, crv, x, y } = await exportJWK((await PAIR).publicKey)
  return { kty, crv, x, y }
}

export function unsealed(jwe: string): Promise<Unsealed> {
  const known = opened.get(jwe) ?? unseal(jwe)
  opened.set(jwe, known)
  return known
}

type Unsealed = Omit<Line, 'namespace' | 'name'>
/** They are asked for again and again. */
const opened = new Map<string, Promise<Unsealed>>()

async function unseal(jwe: string): Promise<Unsealed> {
  const { plaintext } = await compactDecrypt(jwe, (await PAIR).privateKey)
  return JSON.parse(Buffer.from(plaintext).toString('utf8'))
}

/** As it is written in a manifest. */
export function specOf(spec: ApiKeySpec): Readonly<Record<string, unknown>> {
  const { delivery, overlapMs, rotation, expiresAt, state, regenerate } = spec
  return {
    accessNamespace: spec.accessNamespace,
    environment: spec.environment,
    permissions: spec.permissions,
    state,
    regenerate,
    overlap: `${overlapMs / 1000}s`,
    ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
    ...(rotation && { rotation: { every: `${rotation.everyMs / 1000}s` } }),
    ...(delivery.kind === 'workloadSecret' && { delivery: { secretName: delivery.secretName } }),
    ...(delivery.kind === 'imported' && { delivery: { digest: `sha256:${delivery.digest}`, keyId: delivery.keyId } }),
  }
}

const nameOf = ({ namespace, name }: KeyRef): string => `${namespace}/${name}`

/** @param receives whether a claim is made for every version that is due */
export async function clusterHome(api: Api, receives: 'everything' | 'nothing'): Promise<ClusterHome> {
  const { client } = api
  const uids = new Map<string, string>()
  const nowhere = new Map<string, string>()
  const declared = new Map<string, ApiKey>()
  const claimed = new Set<string>()
  const inSecrets: Line[] = []
  let receiving = receives
  let claims = 0

  const outward = (uid: string): string => uids.get(uid) ?? `${uid}-of-nobody`
  const inward = (uid: string): string => nowhere.get(uid) ?? uid
  const placed = ({ name }: KeyRef): KeyRef => ({ namespace: api.inNamespace, name })
  const outName = (name: string): string => name.replace(/^default\//, `${api.inNamespace}/`)
  const inName = (name: string): string => name.replace(`${api.inNamespace}/`, 'default/')
  const out = (secret: KeySecret): KeySecret => ({ ...secret, uid: outward(secret.uid), name: outName(secret.name) })
  const into = (secret: KeySecret): KeySecret => ({ ...secret, uid: inward(secret.uid), name: inName(secret.name) })
  const seenAs = (world: World): World => ({
    ...world,
    declared: world.declared && {
      ...world.declared,
      uid: inward(world.declared.uid),
      apiKey: { ...world.declared.apiKey, namespace: 'default' },
    },
    held: world.held?.kind === 'read' ? { ...world.held, secret: into(world.held.secret) } : world.held,
    orphans: world.orphans.map((orphan) => ({ ...orphan, uid: inward(orphan.uid) })),
  })

  /** Tests name uids and the namespace themselves; the API server has its own. */
  const translated = (port: KeyPort): KeyPort => ({
    observe: async (ref) => seenAs(await port.observe(placed(ref))),
    writeSecret: (next, over, grant) => port.writeSecret(out(next), over, grant),
    openAttempt: async (opening) => {
      const attempt = await port.openAttempt({ ...opening, ref: placed(opening.ref), uid: outward(opening.uid) })
      return {
        storeDigest: (stored) => attempt.storeDigest(out(stored)),
        deliver: attempt.deliver,
        confirm: (arrived) => attempt.confirm(out(arrived)),
      }
    },
    tombstone: (keyId, uid) => port.tombstone(keyId, outward(uid)),
    remove: (uid, keyId) => port.remove(outward(uid), keyId),
    denyClaim: (ref, denied) => port.denyClaim(placed(ref), denied),
    report: (ref, uid, status) => port.report(placed(ref), outward(uid), status),
  })

  const leader = async (around = (one: KubeClient) => one): Promise<Leader> => {
    const stop = new AbortController()
    const caches = openKeyCaches({
      client: api.operator,
      namespace: api.ownNamespace,
      reflect: api.reflect,
      wake: () => {},
      onTrouble: () => {},
      steadyMs: () => performance.now(),
      jitter: () => 0.5,
    })
    const running = caches.run(stop.signal)
    await caches.whenSynced()
    const port = makeClusterKeyPort({
      client: around(api.operator),
      namespace: api.ownNamespace,
      caches,
      people: api.people ?? trustedPeople,
      events: { note: () => {} },
      nowMs: api.nowMs,
      uuid: randomUUID,
    })
    return {
      port: translated(port),
      caches,
      stop: async () => {
        stop.abort()
        await running
      },
    }
  }

  let now = await leader()

  const listOf = async (resource: typeof CLAIMS, namespace: string): Promise<readonly KubeObject[]> => {
    const { items } = (await client.send({ method: 'GET', path: pathOf(resource, { namespace }) })) as {
      items: readonly KubeObject[]
    }
    return items
  }
  const digestSecrets = async (): Promise<readonly KubeObject[]> =>
    (await listOf(SECRETS, api.ownNamespace)).filter(({ metadata }) => keyIdOfName(metadata.name) !== undefined)

  const claim = async (ref: KeyRef, version?: number): Promise<string> => {
    claims += 1
    const name = `${ref.name}-${claims}`
    const spec = { apiKey: ref.name, ...(version !== undefined && { version }), publicJwk: await testJwk() }
    const { namespace } = placed(ref)
    await create(client, CLAIMS, { namespace, object: { metadata: { name, namespace }, spec } })
    return name
  }

  /** A claim for every version that is due, as soon as it can be had. */
  const claimAll = async (): Promise<void> => {
    if (receiving === 'nothing') return
    for (const { spec, ...ref } of declared.values()) {
      if (spec.delivery.kind !== 'claim' || spec.state !== 'Active') continue
      const what = `${nameOf(ref)} ${(await find(ref))?.uid} ${spec.regenerate}`
      if (claimed.has(what)) continue
      claimed.add(what)
      await claim(ref, 1 + spec.regenerate)
    }
  }

  const find = async (ref: KeyRef): Promise<Declared | undefined> => {
    const object = await get(client, API_KEYS, placed(ref))
    if (object === undefined) return undefined
    const { declared } = observedKey(object)
    return { ...declared, uid: inward(declared.uid), apiKey: { ...declared.apiKey, namespace: 'default' } }
  }

  const lookIntoSecrets = async (): Promise<void> => {
    for (const { spec, ...ref } of declared.values()) {
      if (spec.delivery.kind !== 'workloadSecret') continue
      const object = await get(client, SECRETS, placed({ ...ref, name: spec.delivery.secretName }))
      const { id, secret, key } = (object?.data ?? {}) as Record<string, string | undefined>
      if (id === undefined || secret === undefined || key === undefined) continue
      const line = { namespace: 'default', name: ref.name, id: atob(id), secret: atob(secret), key: atob(key) }
      if (!inSecrets.some((one) => one.key === line.key)) inSecrets.push(line)
    }
  }

  const sealedLines = async (): Promise<readonly Line[]> => {
    const objects = await listOf(CLAIMS, api.inNamespace)
    const sealed = objects.flatMap(({ metadata, spec, status }) => {
      const { jwe } = (status ?? {}) as { jwe?: string }
      const { apiKey } = spec as { apiKey: string }
      return jwe === undefined ? [] : [{ jwe, apiKey, at: Number(metadata.resourceVersion) }]
    })
    const lines = sealed
      .sort((a, b) => a.at - b.at)
      .map(async ({ jwe, apiKey: name }) => ({
        namespace: 'default',
        name,
        ...(await unsealed(jwe)),
      }))
    return await Promise.all(lines)
  }

  return {
    port: () => now.port,
    leader,
    claim,
    claimsOf: async (ref) =>
      (await listOf(CLAIMS, api.inNamespace)).filter(({ spec }) => (spec as { apiKey: string }).apiKey === ref.name),
    digestSecrets,
    secret: (ref) => get(client, SECRETS, placed(ref)),
    find,
    secretOf: async (uid) => {
      const read = (await digestSecrets()).map(readDigestSecret).find(({ apiKeyUid }) => apiKeyUid === outward(uid))
      return read?.read.ok ? into(read.read.value.secret) : undefined
    },
    declare: async (apiKey, uid) => {
      const ref = placed(apiKey)
      const before = await get(client, API_KEYS, ref)
      const object =
        before === undefined
          ? await create(client, API_KEYS, {
              namespace: ref.namespace,
              object: { metadata: ref, spec: specOf(apiKey.spec) },
            })
          : await replace(client, API_KEYS, { object: { ...before, spec: specOf(apiKey.spec) } })
      uids.set(uid, object.metadata.uid)
      nowhere.set(object.metadata.uid, uid)
      declared.set(nameOf(apiKey), apiKey)
      await claimAll()
    },
    withdraw: async (ref) => {
      declared.delete(nameOf(ref))
      try {
        await client.send({ method: 'DELETE', path: pathOf(API_KEYS, placed(ref)) })
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    },
    receive: async (what) => {
      receiving = what
      await claimAll()
    },
    recipient: async (ref) => {
      const [open] = (await listOf(CLAIMS, api.inNamespace)).filter(({ spec, status }) => {
        const isFinished = (status as { conditions?: unknown } | undefined)?.conditions !== undefined
        return !isFinished && (spec as { apiKey: string }).apiKey === ref.name
      })
      return { kind: 'claim', claim: open?.metadata.name ?? (await claim(ref)), claimant: MAKER }
    },
    shows: {
      people: { createdBy: MAKER, cap: aWholeCap(anApiKey().spec.permissions), lost: [], unattested: undefined },
      granting: { asked: { generation: 1, spec: specOf(anApiKey().spec) }, last: undefined },
    },
    lines: async () => {
      await lookIntoSecrets()
      return [...(await sealedLines()), ...inSecrets]
    },
    premature: () => [],
    bytes: async () => {
      const claims = await listOf(CLAIMS, api.inNamespace)
      const keys = await listOf(API_KEYS, api.inNamespace)
      return Buffer.from(JSON.stringify([claims, keys, await digestSecrets()]))
    },
    kill: async () => {
      await now.stop()
      now = await leader()
    },
    close: async () => {
      await now.stop()
      await api.close()
    },
  }
}

/** The digest of a line that was handed out. */
export function digestOfLine({ key }: Pick<Line, 'key'>): string {
  const parsed = parseCredential(key)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}
