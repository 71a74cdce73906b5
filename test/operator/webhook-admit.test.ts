/** What is refused at admission, and in which words: all of it at once, for whom, and what would allow it. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { externalKey, type AccessNamespace as Place } from '../../src/core/namespace.ts'
import type { Person } from '../../src/core/person.ts'
import { Trouble } from '../../src/core/trouble.ts'
import type { ApiKey } from '../../src/resources/api-key.ts'
import { hostClaims } from '../../src/resources/host-claims.ts'
import { type Manifest, parseManifest } from '../../src/resources/manifest.ts'
import { type AdmissionRequest, parseReview } from '../../src/webhook/admission-request.ts'
import { type AdmitParts, admit, stamp } from '../../src/webhook/admit.ts'
import { aClaim, aKey, aNamespace, anApi } from '../resources/cases.ts'
import { NOON } from './make.ts'

type Fields = Readonly<Record<string, unknown>>

const parsed = (value: unknown): Manifest => {
  const read = parseManifest(value)
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.manifest
}

type World = {
  readonly granted?: readonly string[]
  readonly keys?: readonly Fields[]
  readonly beside?: readonly Fields[]
  readonly now?: number
  readonly hasSomething?: boolean
  /** Who alone is granted it. */
  readonly toGroup?: string
  /** Groups that a binding names. */
  readonly bound?: readonly string[]
  /** Of what the keys of stamps are made, as this replica has read them, and as they are. */
  readonly stampKeys?: { readonly read: readonly [string, ...string[]]; readonly there: readonly [string, ...string[]] }
}

const keyOf = (seed: string) => createHash('sha256').update(seed).digest()

/** `granted`: `permission@place`, `permission@*`, `serve@host`. */
function parts({ keys = [], beside = [], now = NOON, hasSomething = true, ...world }: World): AdmitParts {
  const { toGroup, bound } = world
  const grantedTo = ({ groups }: Person) =>
    toGroup === undefined || groups.includes(toGroup) ? (world.granted ?? []) : []
  const others = beside.map(parsed)
  const places = others.flatMap((one) => (one.kind === 'AccessNamespace' ? [{ name: one.name, ...one.spec }] : []))
  const lineage = (name: string): readonly Place[] => {
    const place = places.find((one) => one.name === name)
    if (place === undefined) return []
    return [...(place.parent === undefined ? [] : lineage(place.parent)), place]
  }
  let { read, there } = world.stampKeys ?? { read: ['key'], there: ['key'] }
  return {
    reviews: {
      missing: async (person, { accessNamespace, permissions }) => {
        const granted = grantedTo(person)
        return permissions.filter(
          (one) => !granted.includes(`${one}@${accessNamespace}`) && !granted.includes(`${one}@*`),
        )
      },
      may: async (person, question) =>
        question.kind === 'serve' && grantedTo(person).includes(`serve@${question.host}`),
    },
    beside: {
      lineage: async (name) => lineage(name),
      heldIds: () => new Map(places.map((one) => [externalKey(one.type, one.externalId), one])),
      hostHolder: (host) => {
        const apis = others.filter((one) => one.kind === 'ProtectedApi')
        const holder = apis.find(({ spec }) => hostClaims(spec).some((claim) => claim.host === host))
        return holder && `${holder.namespace}/${holder.name}`
      },
    },
    apiKey: async (namespace, name) => {
      if (name === 'garbled') throw new Trouble('api_key_unreadable', 'stop')
      return keys
        .map(parsed)
        .find((one): one is ApiKey => one.kind === 'ApiKey' && one.name === name && one.namespace === namespace)
    },
    stampKeys: () => {
      const [first, ...others] = read
      return [keyOf(first), ...others.map(keyOf)]
    },
    newerKeys: async () => {
      read = there
    },
    isNamedGroup: bound && ((group) => bound.includes(group)),
    grantsAnything: () => hasSomething,
    now: () => now,
  }
}

function request(object: Fields, over: Fields = {}): AdmissionRequest {
  const metadata = object.metadata as Fields
  const read = parseReview({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'r-1',
      kind: { group: 'keyward.dev', version: 'v1alpha1', kind: object.kind },
      namespace: metadata.namespace,
      name: metadata.name,
      operation: 'CREATE',
      userInfo: { username: 'ana@example.com', groups: ['devs'] },
      object,
      ...over,
    },
  })
  if (!read.ok) throw new Error(read.problem)
  return read.value
}

type By = { readonly creationTimestamp?: string; readonly userInfo?: object }

/** As the API server goes on with it: stamped, and with the time of its creation. */
function stamped(object: Fields, world: World = {}, { creationTimestamp = '2026-11-22T12:00:00Z', userInfo }: By = {}) {
  const answer = stamp(request(object, { ...(userInfo && { userInfo }) }), parts(world))
  if (!answer.allowed) throw new Error(answer.message)
  const annotations = Object.fromEntries(
    (answer.patch ?? []).flatMap(({ path, value }) =>
      typeof value === 'string' ? [[path.replace('/metadata/annotations/', '').replaceAll('~1', '/'), value]] : [],
    ),
  )
  return { ...object, metadata: { ...(object.metadata as Fields), annotations, creationTimestamp } }
}

async function said(request: AdmissionRequest, world: World): Promise<string> {
  const answer = await admit(request, parts(world))
  return answer.allowed ? 'allowed' : `${answer.code} ${answer.message}`
}

const created = (object: Fields, world: World = {}) => said(request(stamped(object, world)), world)
const edited = (before: Fields, after: Fields, world: World = {}) =>
  said(request(after, { operation: 'UPDATE', oldObject: before }), world)

const ANA = { username: 'ana@example.com', groups: ['devs'] }
const ALL = ['license:manage@acme-web-eu', 'customer:read@*']

describe('a key', () => {
  test('that its creator may grant whole is allowed', async () => {
    expect(await created(aKey(), { granted: ALL })).toBe('allowed')
  })

  test('that is more than its creator is refused in one piece', async () => {
    const key = aKey({ expiresAt: '2001-01-01T00:00:00Z' })
    expect((await created(key, { granted: ['customer:read@*'], hasSomething: false })).split('\n')).toEqual([
      '403 spec.expiresAt: Invalid value: "2001-01-01T00:00:00.000Z": it lies in the past',
      '"ana@example.com" may not create ApiKey team-web/main-website, since they may not grant this in access namespace acme-web-eu: license:manage (1 of the 2 permissions of this key).',
      'A ClusterRole with this rule, bound by a ClusterRoleBinding to',
      '{apiGroup: rbac.authorization.k8s.io, kind: User, name: "ana@example.com"}, would allow it:',
      '- apiGroups: [keyward.dev]',
      '  resources: [accessnamespaces/permissions]',
      '  resourceNames: ["acme-web-eu"]',
      '  verbs: ["license:manage"]',
    ])
  })

  test('of somebody with access to nothing is refused with just that', async () => {
    const refusal = await created(aKey(), { hasSomething: false })
    expect(refusal).toContain(
      '"ana@example.com" has access to no access namespace at all: no role gives them anything to grant.',
    )
  })

  test('of a ServiceAccount is refused with the subject that a binding needs', async () => {
    const userInfo = { username: 'system:serviceaccount:ci:deployer' }
    const world = {}
    const made = request(aKey(), { userInfo })
    const answer = stamp(made, parts(world))
    expect(answer.allowed).toBe(true)
    const refusal = await said(request(stamped(aKey()), { userInfo }), world)
    expect(refusal).toContain('{kind: ServiceAccount, namespace: ci, name: deployer}, would allow it:')
  })

  test.each([
    ['with its uid is let through', { uid: 'u-1' }, 'allowed'],
    ['without one is refused: it could not be told from a later one', {}, '422 metadata.annotations: Forbidden'],
  ])('of somebody who acts as a ServiceAccount %s', async (_what, more, answer) => {
    const userInfo = { username: 'system:serviceaccount:ci:deployer', ...more }
    const made = request(stamped(aKey(), {}, { userInfo }), { userInfo })
    expect((await said(made, { granted: ALL })).split(': it names')[0]).toBe(answer)
  })

  test('whose stamp is of another moment is refused, since it could never get a credential', async () => {
    const late = request(stamped(aKey(), {}, { creationTimestamp: '2026-11-22T12:05:00Z' }))
    expect(await said(late, { granted: ALL })).toBe(
      '422 metadata.annotations: Forbidden: its stamp was made 300 s away from its creation, for another object of this name',
    )
  })

  test.each<[string, Fields, string]>([
    ['is of another name', { username: 'ben@example.com', groups: ['devs'] }, "it is somebody else's"],
    ['is of another uid', { ...ANA, uid: 'u-2' }, "it is somebody else's"],
    ['has other extra fields', { ...ANA, extra: { scopes: ['all'] } }, "it is somebody else's"],
    ['names groups that are not theirs', { ...ANA, groups: ['guests'] }, 'it names groups that are not theirs'],
  ])('whose stamp %s is refused', async (_what, userInfo, problem) => {
    const others = request(stamped(aKey()), { userInfo })
    expect(await said(others, { granted: ALL })).toBe(`422 metadata.annotations: Forbidden: ${problem}`)
  })

  test('that came with the token of one pod is that of its ServiceAccount all the same', async () => {
    const userInfo = { ...ANA, extra: { 'authentication.kubernetes.io/pod-name': ['a-1'] } }
    expect(await said(request(stamped(aKey()), { userInfo }), { granted: ALL })).toBe('allowed')
  })
})

describe('a stamp by a key that this replica has not read yet', () => {
  const made = request(stamped(aKey(), { stampKeys: { read: ['new', 'key'], there: ['new', 'key'] } }))

  test('is believed once it is read', async () => {
    const world: World = { granted: ALL, stampKeys: { read: ['key'], there: ['new', 'key'] } }
    expect(await said(made, world)).toBe('allowed')
  })

  test('and that is not to be found is worth another try', async () => {
    const world: World = { granted: ALL, stampKeys: { read: ['key'], there: ['key'] } }
    await expect(said(made, world)).rejects.toMatchObject({ code: 'stamp_key_unknown', fate: 'retry' })
  })
})

describe('a stamp of a replica that knows other bindings', () => {
  const granted = { granted: ALL, toGroup: 'devs' }
  const made = (bound: readonly string[]) => request(stamped(aKey(), { bound }))

  test('is what counts: without the group of the grant the key would never get a credential, and is refused at once', async () => {
    const refusal = await said(made([]), { ...granted, bound: ['devs'], hasSomething: false })
    expect(refusal.split('\n').slice(0, 3)).toEqual([
      '403 "ana@example.com" may not create ApiKey team-web/main-website, since they may not grant this in access namespace acme-web-eu: license:manage, customer:read.',
      'Keyward has only just heard of a binding for their group "devs", too late for this object: try again in a moment.',
      'A ClusterRole with this rule, bound by a ClusterRoleBinding to',
    ])
  })

  test('is good where it names more groups of theirs than this one would', async () => {
    expect(await said(made(['devs']), { ...granted, bound: [] })).toBe('allowed')
  })

  test('is good without a group that nothing hangs on', async () => {
    expect(await said(made([]), { granted: ALL, bound: ['devs'] })).toBe('allowed')
  })

  test('makes no difference to an edit', async () => {
    const world = { ...granted, bound: ['devs'] }
    expect(await edited(stamped(aKey(), { bound: [] }), aKey({ overlap: '1h' }), world)).toBe('allowed')
  })
})

describe('an edit', () => {
  test('that takes away is allowed to anybody', async () => {
    expect(await edited(aKey(), aKey({ permissions: ['customer:read'], state: 'Revoked' }))).toBe('allowed')
  })

  test('that widens is refused with the fields that do', async () => {
    expect(
      await edited(aKey({ customers: ['a'] }), aKey({ overlap: '1h' }), { granted: ['customer:read@*'] }),
    ).toContain('"ana@example.com" may not widen spec.customers, spec.overlap of ApiKey team-web/main-website')
  })

  test('of something that can not be read is asked about as a new one', async () => {
    expect(await edited(aKey({ permissions: ['wrong'] }), aKey({ state: 'Suspended' }))).toContain(
      '403 "ana@example.com" may not create',
    )
  })

  test('that regenerates an expired key is refused though nobody forbids it', async () => {
    const key = { expiresAt: '2026-11-01T00:00:00Z' }
    expect(await edited(aKey(key), aKey({ ...key, regenerate: 1 }), { granted: ALL })).toBe(
      '422 spec.regenerate: Forbidden: an expired key gets no new secret',
    )
  })
})

describe('a claim', () => {
  test.each<[string, World, string]>([
    ['of a key that the claimant could have made is allowed', { granted: ALL, keys: [aKey()] }, 'allowed'],
    [
      'of a key that is more than they are is refused',
      { granted: [ALL[1] ?? ''], keys: [aKey()] },
      'may not claim the credential of ApiKey team-web/main-website, since they may not grant this in access namespace acme-web-eu: license:manage',
    ],
    [
      'of no key is refused',
      {},
      '422 spec.apiKey: Invalid value: "main-website": there is no such ApiKey in team-web: make it first',
    ],
  ])('%s', async (_what, world, words) => {
    expect(await created(aClaim(), world)).toContain(words)
  })

  test('of a key that can not be read says so, since trying again would not help', async () => {
    const claim = aClaim()
    const unreadable = { ...claim, spec: { ...(claim.spec as Fields), apiKey: 'garbled' } }
    expect(await created(unreadable)).toBe(
      '422 spec.apiKey: Invalid value: "garbled": this version of Keyward can\'t read that ApiKey: its conditions say why',
    )
  })
})

describe('beside the others', () => {
  const org = aNamespace({ type: 'organization', externalId: 'x' }, 'org')
  const app = (spec: Fields) => aNamespace({ type: 'application', ...spec }, 'app')
  const api = (name: string, ...hosts: readonly string[]): Fields => ({
    ...anApi({ environments: [{ name: 'production', hosts }] }),
    metadata: { name, namespace: 'team-web' },
  })

  test.each<[string, Fields, readonly Fields[], string]>([
    ['a parent of the right type', app({ parent: 'org' }), [org], 'allowed'],
    [
      'no parent there',
      app({ parent: 'org' }),
      [],
      '422 spec.parent: Invalid value: "org": there is no AccessNamespace org',
    ],
    [
      'a parent of another type',
      app({ parent: 'app2' }),
      [org, aNamespace({ type: 'application', parent: 'org' }, 'app2')],
      '422 spec.parent: Invalid value: "app2": app2 is of type application; above type application stands type organization',
    ],
    [
      'an id that is taken',
      aNamespace({ type: 'organization', externalId: 'x' }, 'new'),
      [org],
      '422 spec.externalId: Invalid value: "x": x is already the organization org',
    ],
    ['a host that is free and granted', api('new', 'a.example.com'), [api('old', '*.example.com')], 'allowed'],
    [
      'a host that is taken',
      api('new', 'a.example.com'),
      [api('old', 'a.example.com')],
      '422 spec.environments[0].hosts[0]: Invalid value: "a.example.com": it already belongs to ProtectedApi team-web/old, which goes on serving it',
    ],
  ])('%s', async (_what, object, beside, words) => {
    expect(await created(object, { beside, granted: ['serve@a.example.com'] })).toBe(words)
  })

  test('an edit is asked only about the hosts that come', async () => {
    const world = { beside: [api('main', 'a.example.com'), api('old', 'c.example.com')] }
    expect(await edited(api('main', 'a.example.com'), api('main', 'a.example.com'), world)).toBe('allowed')
    const refusal = await edited(api('main', 'a.example.com'), api('main', 'a.example.com', '*.b.example.com'), world)
    expect(refusal.split('\n').slice(0, 1).concat(refusal.split('\n').slice(-4))).toEqual([
      '403 "ana@example.com" may not serve this host: *.b.example.com.',
      '- apiGroups: [keyward.dev]',
      '  resources: [hosts]',
      '  resourceNames: ["*.b.example.com"]',
      '  verbs: ["serve"]',
    ])
  })

  test('a host that goes to another environment is asked about, and that others have it since is no matter of this edit', async () => {
    const at = (name: string): Fields => ({
      ...anApi({ environments: [{ name, hosts: ['a.example.com'] }] }),
      metadata: { name: 'main', namespace: 'team-web' },
    })
    const world = { beside: [api('old', 'a.example.com')] }
    const refusal = await edited(at('production'), at('development'), world)
    expect(refusal.split('\n')[0]).toBe('403 "ana@example.com" may not serve this host: a.example.com.')
    const granted = ['serve@a.example.com']
    expect(await edited(at('production'), at('development'), { ...world, granted })).toBe('allowed')
  })

  test('an access namespace keeps the id that it has', async () => {
    const before = aNamespace({ type: 'organization', externalId: 'x' }, 'younger')
    const after = aNamespace({ type: 'organization', externalId: 'x', displayName: 'Y' }, 'younger')
    expect(await edited(before, after, { beside: [org, before] })).toBe('allowed')
  })
})
