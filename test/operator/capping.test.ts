/** Which keys are woken by what changes among people, roles, access namespaces and routes, and how much is asked for it. */
import { describe, expect, test } from 'vitest'
import type { Cap } from '../../src/core/cap.ts'
import type { Attested } from '../../src/core/person.ts'
import { Trouble } from '../../src/core/trouble.ts'
import { type Capping, makeCapping } from '../../src/operator/capping.ts'
import { grantRules, type Rights } from '../../src/resources/rights.ts'
import { type Lane, makeReviews } from '../../src/webhook/reviews.ts'
import { composeStamp } from '../../src/webhook/stamp.ts'
import { placeOf } from '../../src/webhook/stamped-object.ts'
import { type FakeTime, fakeTime } from '../support/fake-time.ts'
import { anApiKey } from './make.ts'

const HOUR = 3_600_000
const RENEWAL = 4 * 60_000

/** `permission place`, `*` for all places. */
type Grants = readonly string[]

const NO_RIGHTS: Rights = new Set()

/** Rights that are the same object as long as the grants are. */
function rightsBy() {
  const known = new Map<string, Rights>()
  return (grants: Grants): Rights => {
    const rules = grants.map((grant) => {
      const [verb, name] = grant.split(' ')
      const resourceNames = name === '*' ? [] : [name]
      return { apiGroups: ['*'], resources: ['*'], verbs: [verb], resourceNames }
    })
    const rights = known.get(grants.join()) ?? (rules.length === 0 ? NO_RIGHTS : new Set([grantRules(rules)]))
    known.set(grants.join(), rights)
    return rights
  }
}

const by = (username: string, more: Partial<Attested['person']> & { readonly at?: number } = {}): Attested => {
  const { at = 0, ...person } = more
  return { person: { username, uid: '', groups: [], extra: {}, ...person }, at }
}

type State = {
  /** What the API server goes by, by user or group. */
  granted: Record<string, Grants>
  /** What is seen of it here; undefined: the same. */
  seen: Record<string, Grants> | undefined
  accounts: Record<string, string>
  inside: Record<string, readonly string[]>
  revision: number
  synced: boolean
  fails: boolean
  /** Places of which no answer comes. */
  hangs: readonly string[]
}

async function running(granted: State['granted'], more: Partial<State> & { readonly maxAge?: number } = {}) {
  const { maxAge, ...rest } = more
  const state: State = {
    ...{ granted, seen: undefined, accounts: {}, inside: {}, revision: 1, synced: true, fails: false, hangs: [] },
    ...rest,
  }
  const time: FakeTime = fakeTime()
  const asked: string[] = []
  const lanes: Lane[] = []
  const woken: string[] = []
  const troubles: unknown[] = []
  /** About whom something was to be known, whether it had to be asked or not. */
  const looked: string[] = []
  const rightsOf = rightsBy()
  const grantsOf = (all: State['granted'], { username, groups }: Pick<Attested['person'], 'username' | 'groups'>) =>
    [username, ...groups].flatMap((who) => all[who] ?? [])
  const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      time.after(ms, resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  const reviews = makeReviews({
    review: async ({ user, groups = [], resourceAttributes: { verb, name = '*' } }) => {
      if (state.fails) throw new Trouble('kube_unreachable', 'retry')
      asked.push(`${user} ${verb} ${name}`)
      if (state.hangs.includes(name)) await new Promise(() => {})
      const grants = grantsOf(state.granted, { username: user, groups })
      return grants.includes(`${verb} ${name}`) || grants.includes(`${verb} *`)
    },
    steadyMs: time.nowMs,
    pause,
    counted: (lane) => lanes.push(lane),
  })
  const capping: Capping = makeCapping({
    reviews: {
      ...reviews,
      may: (person, ...about) => {
        looked.push(person.username)
        return reviews.may(person, ...about)
      },
    },
    rbac: {
      rightsOf: (person) => rightsOf(grantsOf(state.seen ?? state.granted, person)),
      serviceAccountUid: (namespace, name) => state.accounts[`${namespace}/${name}`],
      synced: () => state.synced,
    },
    reach: {
      revision: () => state.revision,
      insideOf: (at, permissions) => {
        const inside = at === 'acme' ? state.inside : {}
        return new Map(permissions.flatMap((one) => (inside[one] === undefined ? [] : [[one, inside[one]]])))
      },
    },
    stampKeys: () => [new Uint8Array(32)],
    wake: ({ name }) => woken.push(name),
    ...{ steadyMs: time.nowMs, nowMs: time.nowMs, pause },
    maxAttestationAgeMs: maxAge,
    onTrouble: (error) => troubles.push(error),
  })
  const stop = new AbortController()
  void capping.run(stop.signal)
  /** As a reconcile does, which reads what it is woken for. */
  const look = (name: string, people: readonly Attested[], last?: Cap, accessNamespace = 'acme') =>
    capping.people.capOf({
      ref: { namespace: 'team', name },
      apiKey: anApiKey({ accessNamespace, permissions: ['a:read', 'b:read'] }),
      people,
      last,
    })
  const change = async (edit: () => void, ms = 200) => {
    asked.length = 0
    woken.length = 0
    edit()
    capping.changed()
    await time.pass(ms)
  }
  return { state, time, asked, looked, lanes, woken, troubles, capping, look, change }
}

const heldOf = async (work: ReturnType<Awaited<ReturnType<typeof running>>['look']>) => (await work).cap.held

describe('a change of roles', () => {
  test('wakes the keys of whom it concerns, with what differs asked and nothing else', async () => {
    const { look, change, asked, woken, state } = await running({
      ana: ['a:read acme', 'b:read acme'],
      ben: ['a:read *', 'b:read *'],
    })
    await look('one', [by('ana')])
    await look('two', [by('ana'), by('ben')])
    await look('three', [by('ben')])
    await change(() => {
      state.granted = { ...state.granted, ana: ['a:read acme'] }
    })
    expect(woken).toEqual(['one', 'two'])
    expect(asked).toEqual(['ana b:read acme'])
    expect(await look('one', [by('ana')])).toEqual({
      cap: { held: ['a:read'], within: {} },
      lost: [{ username: 'ana', permissions: ['b:read'], why: 'notHeld' }],
    })
    expect(asked, 'what was asked is known').toHaveLength(1)
    await change(() => {
      state.granted = { ...state.granted, ana: ['a:read acme', 'b:read acme'] }
    })
    expect(woken, 'the other one was not looked at since').toEqual(['one'])
    expect(await heldOf(look('one', [by('ana')]))).toEqual(['a:read', 'b:read'])
  })

  test('that gives the same by another way wakes nobody and asks nothing', async () => {
    const { look, change, asked, woken, state } = await running({ ana: ['a:read acme', 'b:read acme'] })
    await look('one', [by('ana')])
    await change(() => {
      state.granted = { ana: ['b:read acme', 'a:read acme', 'c:read acme'] }
    })
    expect([woken, asked]).toEqual([[], []])
  })

  test('through a group concerns all who were in it', async () => {
    const { look, change, woken, state } = await running({ devs: ['a:read *', 'b:read *'] })
    await look('one', [by('ana', { groups: ['devs'] })])
    await look('two', [by('ben', { groups: ['devs'] })])
    await look('three', [by('eve')])
    await change(() => {
      state.granted = {}
    })
    expect(woken).toEqual(['one', 'two'])
    expect(await heldOf(look('one', [by('ana', { groups: ['devs'] })]))).toEqual([])
  })

  test('that the API server sees later than we do is asked about until it does', async () => {
    const { look, change, time, woken, state } = await running({ ana: ['a:read acme', 'b:read acme'] })
    await look('one', [by('ana')])
    await change(() => {
      state.seen = { ana: ['a:read acme'] }
    })
    expect(woken, 'it says the same as before').toEqual([])
    state.granted = { ana: ['a:read acme'] }
    await time.pass(400)
    expect(woken).toEqual(['one'])
  })

  test('that the API server does not go by is asked about three times, and then as everything is', async () => {
    const { look, change, time, asked, woken, state } = await running({ ana: ['a:read acme', 'b:read acme'] })
    await look('one', [by('ana')])
    await change(() => {
      state.seen = { ana: [] }
    })
    await time.pass(60_000)
    expect([woken, asked.filter((one) => one === 'ana b:read acme')]).toEqual([[], Array(4).fill('ana b:read acme')])
  })

  test('that comes while a key is being asked about is not missed', async () => {
    const { look, change, state } = await running({ ana: ['a:read acme', 'b:read acme'] })
    await look('one', [by('ana')])
    const before = look('two', [by('ana')])
    await change(() => {
      state.granted = { ana: [] }
    })
    await before
    expect(await heldOf(look('two', [by('ana')]))).toEqual([])
  })

  test('is caught up with where it could not be asked about', async () => {
    const { look, change, time, woken, troubles, state } = await running({ ana: ['a:read acme', 'b:read acme'] })
    await look('one', [by('ana')])
    state.fails = true
    await change(() => {
      state.granted = { ana: [] }
    })
    expect([woken, troubles.length]).toEqual([[], 1])
    state.fails = false
    await time.pass(1000)
    expect(woken).toEqual(['one'])
  })

  test('concerns nobody whose keys are gone', async () => {
    const { look, change, capping, asked, woken, state } = await running({ ana: ['a:read acme'] })
    await look('one', [by('ana')])
    capping.people.forget({ namespace: 'team', name: 'one' })
    await change(() => {
      state.granted = {}
    })
    expect([woken, asked]).toEqual([[], []])
  })

  test('while nobody had a key of theirs is seen when they have one again', async () => {
    const { look, change, capping, time, state } = await running({ ana: ['a:read acme'] })
    await look('one', [by('ana')])
    capping.people.forget({ namespace: 'team', name: 'one' })
    await change(() => {
      state.granted = {}
    })
    await time.pass(10)
    expect(await heldOf(look('two', [by('ana')]))).toEqual([])
  })
})

describe('a ServiceAccount', () => {
  const DEPLOYER = by('system:serviceaccount:ci:deployer', { uid: 'u-1' })
  const GRANTED = { 'system:serviceaccount:ci:deployer': ['a:read acme', 'b:read acme'] }

  test('that is deleted, or made again, takes its keys along until it is itself again', async () => {
    const { look, change, asked, woken, state } = await running(GRANTED, { accounts: { 'ci/deployer': 'u-1' } })
    expect(await heldOf(look('one', [DEPLOYER]))).toEqual(['a:read', 'b:read'])
    for (const accounts of [{}, { 'ci/deployer': 'u-2' }]) {
      await change(() => {
        state.accounts = accounts
      })
      const { cap, lost } = await look('one', [DEPLOYER])
      expect([cap.held, lost.map(({ why }) => why)]).toEqual([[], ['gone']])
    }
    await change(() => {
      state.accounts = { 'ci/deployer': 'u-1' }
    })
    expect([woken, asked]).toEqual([['one'], []])
    expect(await heldOf(look('one', [DEPLOYER]))).toEqual(['a:read', 'b:read'])
  })

  test('that was not read yet is not one that is gone', async () => {
    const { look, state } = await running(GRANTED, { synced: false, accounts: { 'ci/deployer': 'u-1' } })
    await expect(look('one', [DEPLOYER])).rejects.toThrow('service_accounts_unknown')
    state.synced = true
    expect(await heldOf(look('one', [DEPLOYER]))).toEqual(['a:read', 'b:read'])
  })

  test('is in the groups of its name at any age', async () => {
    const granted = { 'system:serviceaccounts:ci': ['a:read *'] }
    const { look, time } = await running(granted, { accounts: { 'ci/deployer': 'u-1' }, maxAge: HOUR })
    await time.pass(2 * HOUR)
    expect(await heldOf(look('one', [DEPLOYER]))).toEqual(['a:read'])
  })
})

test('groups of a user count no longer than they may, and what is bound to the name goes on', async () => {
  const ana = by('ana', { groups: ['devs'] })
  const { look, time, woken } = await running({ devs: ['a:read *'], ana: ['b:read *'] }, { maxAge: HOUR })
  expect(await heldOf(look('one', [ana]))).toEqual(['a:read', 'b:read'])
  await time.pass(HOUR + RENEWAL)
  expect(woken).toContain('one')
  expect(await heldOf(look('one', [ana]))).toEqual(['b:read'])
})

/** An ApiKey that was made two minutes after the clock began. */
function stamped(key: Uint8Array, { person } = by('ana')) {
  const at = 120_000
  const object = {
    apiVersion: 'keyward.dev/v1alpha1',
    kind: 'ApiKey',
    metadata: {
      ...{ name: 'main', namespace: 'team', uid: 'u-1', resourceVersion: '1' },
      creationTimestamp: new Date(at).toISOString(),
    },
    spec: { accessNamespace: 'acme', environment: 'production' },
  }
  const stamp = composeStamp({ person, at }, placeOf('ApiKey', object, 'team'), [key]) ?? ''
  const annotations = { 'keyward.dev/creator': person.username, 'keyward.dev/creator-stamp': stamp }
  return { at, object: { ...object, metadata: { ...object.metadata, annotations } } }
}

describe('a stamp with another key', () => {
  test('may be proven yet for half a minute, and is not after that', async () => {
    const { capping, time } = await running({})
    const { at, object } = stamped(new Uint8Array(32).fill(1))
    await time.pass(at + 29_999 - time.nowMs())
    const undecided = { code: 'stamp_key_unknown', until: at + 30_000 }
    expect(capping.people.creatorOf(object)).toMatchObject({ ok: false, undecided })
    await time.pass(1)
    expect(capping.people.creatorOf(object)).toEqual({
      ok: false,
      problem: 'its stamp was not made with the key of this operator',
    })
  })

  test('is not what one is for somebody else', async () => {
    const { capping, time } = await running({})
    const { at, object } = stamped(new Uint8Array(32))
    await time.pass(at - time.nowMs())
    expect(capping.people.creatorOf(object).ok).toBe(true)
    const copy = { ...object, metadata: { ...object.metadata, name: 'copy' } }
    expect(capping.people.creatorOf(copy)).toEqual({ ok: false, problem: 'its stamp was made for another object' })
  })
})

describe('the stamp of a ServiceAccount', () => {
  const DEPLOYER = by('system:serviceaccount:ci:deployer', { uid: 'u-1' })
  const setUp = async (accounts: State['accounts'] = {}) => {
    const all = await running({ 'system:serviceaccounts:ci': ['a:read *', 'b:read *'] }, { accounts })
    const { at, object } = stamped(new Uint8Array(32), DEPLOYER)
    await all.time.pass(at + 5000 - all.time.nowMs())
    return { ...all, at, proof: () => all.capping.people.creatorOf(object) }
  }

  test('that was not shown yet decides nothing for half a minute, and is looked at again each second', async () => {
    const { at, proof, time, state } = await setUp()
    const undecided = { code: 'service_account_unknown', until: at + 6000 }
    expect(proof()).toEqual({ ok: false, problem: 'its ServiceAccount was not seen yet', undecided })
    state.accounts = { 'ci/deployer': 'u-1' }
    expect(proof()).toMatchObject({ ok: true, value: { person: { uid: 'u-1' } } })
    state.accounts = {}
    await time.pass(24_500)
    expect(proof()).toMatchObject({ undecided: { until: at + 30_000 } })
    await time.pass(500)
    expect(proof().ok, 'and it counts as gone').toBe(true)
  })

  test('that is behind a key and not there any more is gone at once', async () => {
    const { proof, look, state } = await setUp({ 'ci/deployer': 'u-1' })
    expect(await heldOf(look('one', [DEPLOYER]))).toEqual(['a:read', 'b:read'])
    state.accounts = {}
    expect(proof().ok).toBe(true)
    expect((await look('one', [DEPLOYER])).lost).toMatchObject([{ why: 'gone' }])
  })

  test('whose name another one has is gone at once', async () => {
    const { proof, look } = await setUp({ 'ci/deployer': 'u-2' })
    expect(proof().ok).toBe(true)
    expect((await look('one', [DEPLOYER])).lost).toMatchObject([{ why: 'gone' }])
  })
})

describe('within the access namespace of a key', () => {
  test('a new place wakes the keys whose people hold something there', async () => {
    const granted = { ana: ['a:read acme', 'b:read acme', 'a:read eu', 'a:read us'], ben: ['a:read acme'] }
    const { look, change, woken, state } = await running(granted, { inside: { 'a:read': ['eu'] } })
    expect((await look('one', [by('ana')])).cap.within).toEqual({ 'a:read': ['eu'] })
    await look('two', [by('ben')])
    await change(() => {
      state.inside = { 'a:read': ['eu', 'us'] }
      state.revision += 1
    })
    expect(woken).toEqual(['one'])
    expect((await look('one', [by('ana')])).cap.within).toEqual({ 'a:read': ['eu', 'us'] })
  })

  test('a place where nothing is held is asked about once, and not at each change elsewhere', async () => {
    const granted = { ana: ['a:read acme', 'b:read acme'] }
    const { look, change, asked, looked, woken, state } = await running(granted, { inside: { 'a:read': ['eu'] } })
    await look('one', [by('ana')])
    const grow = (inside: readonly string[]) =>
      change(() => {
        looked.length = 0
        state.inside = { 'a:read': inside }
        state.revision += 1
      })
    await grow(['eu', 'us'])
    expect([woken, asked]).toEqual([[], ['ana a:read us']])
    await grow(['eu', 'us'])
    expect([woken, looked]).toEqual([[], []])
  })

  test('places that come while a key is asked about for the first time are not missed', async () => {
    const { look, change, state } = await running({ ana: ['a:read acme', 'a:read eu', 'a:read us'] })
    const first = look('one', [by('ana')])
    await change(() => {
      state.inside = { 'a:read': ['eu', 'us'] }
      state.revision += 1
    })
    expect((await first).cap.within).toEqual({ 'a:read': ['eu', 'us'] })
  })

  test('a key that comes to many places holds up nobody else from then on', async () => {
    const places = Array.from({ length: 500 }, (_, i) => `w-${String(i).padStart(3, '0')}`)
    const granted = { ana: ['a:read acme', 'b:read acme'], ben: ['a:read *', 'b:read *'] }
    const { look, change, woken, state } = await running(granted, { inside: { 'a:read': ['w-000'] } })
    const ofAna = Array.from({ length: 64 }, (_, i) => `ana-${i}`)
    for (const name of ofAna) await look(name, [by('ana')])
    await look('of-ben', [by('ben')], undefined, 'globex')
    state.hangs = places
    await change(() => {
      state.inside = { 'a:read': places }
      state.revision += 1
    })
    await change(() => {
      state.granted = { ...granted, ben: ['a:read *'] }
    })
    expect(woken).toEqual(['of-ben'])
  })

  test('a role on a place alone wakes the key', async () => {
    const { look, change, asked, woken, state } = await running(
      { ana: ['a:read acme', 'a:read eu'] },
      { inside: { 'a:read': ['eu', 'us'] } },
    )
    await look('one', [by('ana')])
    await change(() => {
      state.granted = { ana: ['a:read acme', 'a:read us'] }
    })
    expect([woken, asked]).toEqual([['one'], ['ana a:read eu', 'ana a:read us']])
  })

  test('many places of one key hold up nobody else, and few of them are asked about at a time', async () => {
    const places = Array.from({ length: 500 }, (_, i) => `w-${String(i).padStart(3, '0')}`)
    const ana = ['a:read acme', ...places.map((place) => `a:read ${place}`)]
    const { look, change, asked, woken, state } = await running(
      { ana, ben: ['a:read *', 'b:read *'] },
      { inside: { 'a:read': places } },
    )
    expect((await look('one', [by('ana')])).cap.within).toEqual({ 'a:read': places })
    await look('two', [by('ben')])
    state.hangs = places
    await change(() => {
      state.granted = { ...state.granted, ana: ['a:read acme'] }
    })
    expect([woken, asked]).toEqual([[], places.slice(0, 8).map((place) => `ana a:read ${place}`)])
    await change(() => {
      state.granted = { ...state.granted, ben: ['a:read *'] }
    })
    expect(woken).toEqual(['two'])
  })

  test('a route that reaches nobody asks nothing', async () => {
    const { look, change, asked, woken, state } = await running({ ana: ['a:read acme'] })
    await look('one', [by('ana')])
    await change(() => {
      state.revision += 1
    })
    expect([woken, asked]).toEqual([[], []])
  })
})

describe('a claimant', () => {
  test('counts before anything is handed over, and from then on by being one of the people', async () => {
    const { look, capping } = await running({ ana: ['a:read *', 'b:read *'], ben: ['b:read acme'] })
    const asked = {
      ref: { namespace: 'team', name: 'one' },
      apiKey: anApiKey({ accessNamespace: 'acme', permissions: ['a:read', 'b:read'] }),
      people: [by('ana')],
      last: undefined,
    }
    expect(await capping.people.capWith(asked, by('ben'))).toEqual({ held: ['b:read'], within: {} })
    expect(await heldOf(look('one', [by('ana'), by('ben')]))).toEqual(['b:read'])
  })
})

describe('a claimant of whom a no is known', () => {
  test('is asked about once more, since admission may just have heard a yes', async () => {
    const { look, capping, time, asked, state } = await running({ ana: ['a:read *', 'b:read *'], ben: ['b:read acme'] })
    await look('two', [by('ben')])
    await time.pass(10)
    state.granted = { ...state.granted, ben: ['a:read acme', 'b:read acme'] }
    const wanted = {
      ref: { namespace: 'team', name: 'one' },
      apiKey: anApiKey({ accessNamespace: 'acme', permissions: ['a:read', 'b:read'] }),
      people: [by('ana')],
      last: undefined,
    }
    asked.length = 0
    expect((await capping.people.capWith(wanted, by('ben'))).held).toEqual(['a:read', 'b:read'])
    expect(asked).toContain('ben a:read acme')
  })
})

describe('whoever begins to lead', () => {
  const GRANTED = { ana: ['a:read acme', 'b:read acme'] }
  const ALL: Cap = { held: ['a:read', 'b:read'], within: {} }

  test('need not ask at once what was granted as the roles have it', async () => {
    const { look, asked, lanes, time } = await running(GRANTED)
    expect(await look('one', [by('ana')], ALL)).toEqual({ cap: ALL, lost: [] })
    await look('two', [by('ana')], ALL)
    expect(asked).toEqual([])
    await time.pass(3000)
    expect(asked.toSorted()).toEqual(['ana a:read *', 'ana a:read acme', 'ana b:read *', 'ana b:read acme'])
    expect(new Set(lanes)).toEqual(new Set(['renewal']))
  })

  test('asks again each second about what could not be asked', async () => {
    const { look, time, lanes, woken, troubles, state } = await running({ ana: [] }, { seen: GRANTED, fails: true })
    await look('one', [by('ana')], ALL)
    await time.pass(3500)
    expect([troubles.length, woken]).toEqual([3, []])
    state.fails = false
    await time.pass(1500)
    expect(woken).toContain('one')
    await time.pass(5000)
    lanes.length = 0
    await time.pass(20_000)
    expect(lanes, 'and no more then').toEqual([])
  })

  test('asks at once where the roles say something else by now', async () => {
    const { look, asked } = await running({ ana: ['a:read acme'] })
    expect(await heldOf(look('one', [by('ana')], ALL))).toEqual(['a:read'])
    expect(asked).toHaveLength(4)
  })

  test('sees by itself where the API server goes by something else', async () => {
    const { look, time, woken } = await running({ ana: [] }, { seen: GRANTED })
    await look('one', [by('ana')], ALL)
    await time.pass(3000)
    expect(woken).toContain('one')
  })
})

test('everything is asked again every four minutes, each question once, at a pace', async () => {
  const { look, time, asked, woken, state } = await running({ ana: ['a:read acme', 'b:read acme'] })
  for (const name of ['one', 'two', 'three']) await look(name, [by('ana')])
  await time.pass(RENEWAL - 1000)
  asked.length = 0
  state.seen = state.granted
  state.granted = { ana: ['a:read acme'] }
  await time.pass(2000)
  expect(asked.toSorted().slice(0, 4)).toEqual(['ana a:read *', 'ana a:read acme', 'ana b:read *', 'ana b:read acme'])
  expect(asked.slice(4), 'in doubt').toEqual(['ana b:read acme'])
  expect(new Set(woken)).toEqual(new Set(['one', 'two', 'three']))
})
