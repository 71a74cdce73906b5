/** Operators that are killed at one write after another: who leads, who stands by, and what must be true of what they leave. */
import { randomBytes } from 'node:crypto'
import { composeCredential, composeKeyId, digestOf, parseCredential, RANDOM_BYTES } from '../../src/core/credential.ts'
import type { KeySecret } from '../../src/resources/key-secret.ts'
import { type Claim, claim } from './claimant.ts'
import type { Cluster } from './cluster.ts'
import { applyKey, deleteKey, editKey, getKey, keptKeys, keptOf, untilReady, workloadSecret } from './cluster-keys.ts'
import { type KillProxy, startKillProxy } from './kill-proxy.ts'
import { type Operator, startOperator } from './operator.ts'
import { until } from './until.ts'

export type Standing = { readonly operator: Operator; readonly proxy: KillProxy }

export type Succession = {
  readonly leader: () => Standing
  /** The leader is dead by now: frees its Lease, waits for the next one, and sees to it that there is another behind it. */
  readonly next: () => Promise<Standing>
  /** What all of them wrote to their logs. */
  readonly output: () => string
}

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/keyward-system/leases/keyward-operator'

/** Kept through what a busy machine does to it; a dead leader's is given back by `next`, so that nobody waits for its end. */
const LEASE_MS = 4000

/** One that leads, and two that are ready to. */
export async function startSuccession(cluster: Cluster): Promise<Succession> {
  const all: Standing[] = []
  const start = async (): Promise<Standing> => {
    const proxy = await startKillProxy(cluster)
    const { env, serviceAccount } = proxy
    const standing = { proxy, operator: await startOperator(cluster, { env, serviceAccount, leaseMs: LEASE_MS }) }
    all.push(standing)
    return standing
  }
  const standby = (): Promise<Standing> => {
    const starting = start()
    // at the end of the file whoever is still starting is killed, and nobody waits for it
    starting.catch(() => undefined)
    return starting
  }
  let leader = await start()
  await leader.operator.leads()
  const waiting = [standby(), standby()]

  const whoLeads = async (candidates: readonly Standing[]): Promise<Standing | undefined> => {
    for (const one of candidates) if ((await one.operator.metric('keyward_operator_leading')) === 1) return one
    return undefined
  }
  return {
    leader: () => leader,
    output: () => all.map(({ operator }) => operator.output()).join('\n'),
    next: async () => {
      leader.proxy.close()
      await leader.operator.process.exited
      const candidates = await Promise.all(waiting)
      await cluster.request('PATCH', LEASE, { spec: { holderIdentity: '' } }, 'application/merge-patch+json')
      leader = await until('another one leads', () => whoLeads(candidates), 10_000)
      const place = candidates.indexOf(leader)
      waiting[place] = standby()
      return leader
    },
  }
}

/** What one plan is about, with a key of its own. */
export type Life = {
  readonly name: string
  readonly claims: Claim[]
}

export type Scenario = {
  readonly name: string
  /** What is there before, settled. */
  readonly before: (cluster: Cluster, life: Life) => Promise<void>
  readonly change: (cluster: Cluster, life: Life) => Promise<void>
  /** Resolves when everything is where it belongs. */
  readonly settled: (cluster: Cluster, life: Life) => Promise<unknown>
}

export const digestIn = (text: string): string => {
  const parsed = parseCredential(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}

const nothing = async (): Promise<void> => {}
const declared = async (cluster: Cluster, { name }: Life): Promise<void> => {
  await applyKey(cluster, name)
  await untilReady(cluster, name, 'AwaitingClaim')
}
const claims = async (cluster: Cluster, { name, claims }: Life): Promise<void> => {
  claims.push(await claim(cluster, { apiKey: name }))
}
const active = (cluster: Cluster, { name }: Life) => untilReady(cluster, name, 'Active')
const claimed = async (cluster: Cluster, life: Life): Promise<void> => {
  await declared(cluster, life)
  await claims(cluster, life)
  await active(cluster, life)
}
const forWorkload = async (cluster: Cluster, { name }: Life): Promise<void> => {
  await applyKey(cluster, name, { overlap: '1h', delivery: { secretName: name } })
}
const inSecret =
  (version: number) =>
  (cluster: Cluster, { name }: Life) =>
    until('the Secret holds what is stored, and the status says so', async () => {
      const [key, [kept], secret] = await Promise.all([
        getKey(cluster, name),
        keptOf(cluster, name),
        workloadSecret(cluster, name),
      ])
      const { current } = kept ?? {}
      if (current?.version !== version || current.claimedAt === undefined || secret === undefined) return false
      return current.digest === digestIn(secret.key) && key?.status?.credential?.version === version
    })
const outcome =
  (wanted: string) =>
  async (_cluster: Cluster, { claims }: Life) => {
    const found = await claims.at(-1)?.outcome()
    if (found !== wanted) throw new Error(`the claim came to be ${found}, not ${wanted}`)
  }
const isRetired = async (cluster: Cluster, keyId: string): Promise<boolean> => {
  const path = '/api/v1/namespaces/keyward-system/configmaps?labelSelector=keyward.dev%2Fkind%3Dtombstones'
  const { items } = (await cluster.request('GET', path)).body as { items: { data?: Record<string, string> }[] }
  return items.some(({ data }) => data?.[keyId] !== undefined)
}

const importable = (keyId = composeKeyId('production', randomBytes(RANDOM_BYTES))) => {
  const credential = composeCredential(keyId, randomBytes(RANDOM_BYTES))
  return { keyId, digest: `sha256:${digestOf(credential)}` }
}
const imports = async (cluster: Cluster, { name }: Life): Promise<void> => {
  await applyKey(cluster, name, { delivery: importable() })
}
const importsAgain = async (cluster: Cluster, name: string): Promise<void> => {
  const [kept] = await keptOf(cluster, name)
  await editKey(cluster, name, { delivery: importable(kept?.keyId) })
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a key that is declared',
    before: nothing,
    change: async (cluster, { name }) => void (await applyKey(cluster, name)),
    settled: (cluster, { name }) => untilReady(cluster, name, 'AwaitingClaim'),
  },
  {
    name: 'a claim',
    before: declared,
    change: claims,
    settled: async (cluster, life) => {
      await outcome('Delivered')(cluster, life)
      await active(cluster, life)
    },
  },
  {
    name: 'a claim that comes too late',
    before: claimed,
    change: claims,
    settled: outcome('AlreadyClaimed'),
  },
  { name: 'a Secret for a workload', before: nothing, change: forWorkload, settled: inSecret(1) },
  {
    name: 'another version in the Secret of a workload',
    before: async (cluster, life) => {
      await forWorkload(cluster, life)
      await inSecret(1)(cluster, life)
    },
    change: async (cluster, { name }) => void (await editKey(cluster, name, { regenerate: 1 })),
    settled: inSecret(2),
  },
  {
    name: 'a regeneration without overlap',
    before: claimed,
    change: async (cluster, { name }) => void (await editKey(cluster, name, { regenerate: 1 })),
    settled: (cluster, { name }) => untilReady(cluster, name, 'AwaitingClaim'),
  },
  {
    name: 'an overlap that is cut short',
    before: async (cluster, life) => {
      await forWorkload(cluster, life)
      await inSecret(1)(cluster, life)
      await editKey(cluster, life.name, { regenerate: 1 })
      await inSecret(2)(cluster, life)
      const [kept] = await keptOf(cluster, life.name)
      if (kept?.previous === undefined) throw new Error('the replaced secret does not work any more')
    },
    change: async (cluster, { name }) => void (await editKey(cluster, name, { overlap: '0s' })),
    settled: (cluster, { name }) =>
      until('the replaced secret is dead', async () => {
        const [key, [kept]] = await Promise.all([getKey(cluster, name), keptOf(cluster, name)])
        return kept?.previous === undefined && key?.status?.credential?.previousValidUntil === undefined
      }),
  },
  { name: 'an import', before: nothing, change: (cluster, life) => imports(cluster, life), settled: active },
  {
    name: 'another digest that is imported',
    before: async (cluster, life) => {
      await imports(cluster, life)
      await active(cluster, life)
    },
    change: (cluster, { name }) => importsAgain(cluster, name),
    settled: (cluster, { name }) =>
      until('it is what is stored', async () => {
        const [key, [kept]] = await Promise.all([getKey(cluster, name), keptOf(cluster, name)])
        const { digest } =
          (key?.spec as { readonly delivery?: { readonly digest?: string } } | undefined)?.delivery ?? {}
        return `sha256:${kept?.current?.digest}` === digest && key?.status?.credential?.version === 2
      }),
  },
  {
    name: 'a revocation',
    before: claimed,
    change: async (cluster, { name }) => void (await editKey(cluster, name, { state: 'Revoked' })),
    settled: async (cluster, { name }) => {
      const { status } = await untilReady(cluster, name, 'Revoked')
      await until('its key ID is spent', () => isRetired(cluster, status?.keyId ?? ''))
    },
  },
  {
    name: 'a deletion',
    before: claimed,
    change: (cluster, { name }) => deleteKey(cluster, name),
    settled: async (cluster, { name, claims }) => {
      await until('its digests are gone', async () => (await keptOf(cluster, name)).length === 0)
      const sealed = await claims[0]?.peek()
      await until('its key ID is spent', () => isRetired(cluster, sealed?.id ?? ''))
    },
  },
]

type Given = { readonly name: string; readonly key: string; readonly version: number }

/** What reached its owner: each version of a claim, and what lies in a Secret now, of whichever version. */
async function givenOf(cluster: Cluster, { name, claims }: Life): Promise<readonly Given[]> {
  const sealed = await Promise.all(claims.map((one) => one.peek()))
  const secret = await workloadSecret(cluster, name)
  return [...sealed, secret && { ...secret, version: Number.POSITIVE_INFINITY }].flatMap((one) =>
    one === undefined ? [] : [{ name, key: one.key, version: one.version }],
  )
}

/** What must be true of what is stored at every moment, whoever was killed at whatever. Empty: it is. */
export async function broken(cluster: Cluster, lives: readonly Life[]): Promise<readonly string[]> {
  // what is delivered is read first: it must have been stored by then
  const given = (await Promise.all(lives.map((life) => givenOf(cluster, life)))).flat()
  const kept = await keptKeys(cluster)
  const secrets = kept.flatMap(({ secret }) => (secret === undefined ? [] : [secret]))
  const unreadable = kept.filter(({ secret }) => secret === undefined).map(({ name }) => `${name} can't be read`)
  const byUid = Map.groupBy(secrets, ({ uid }) => uid)
  const twice = [...byUid].filter(([, all]) => all.length > 1).map(([uid]) => `two are kept for ${uid}`)
  return [...unreadable, ...twice, ...given.flatMap((one) => lost(one, secrets))]
}

/** A version that reached its owner and is neither in force nor replaced by a later one. */
function lost({ name, key, version }: Given, secrets: readonly KeySecret[]): readonly string[] {
  const { current, previous } = secrets.find((one) => one.name === `default/${name}`) ?? {}
  // deleted, or retired by a regeneration
  if (current === undefined || current.version > version) return []
  const isGood = [current, previous].some((one) => one?.digest === digestIn(key))
  return isGood ? [] : [`what was delivered of ${name} is not what is stored`]
}
