/** How often the API server is asked what people may do, and what is done with its answers. */
import { describe, expect, test } from 'vitest'
import type { Person } from '../../src/core/person.ts'
import { Trouble } from '../../src/core/trouble.ts'
import type { ReviewSpec } from '../../src/webhook/review-spec.ts'
import { type Asking, type Lane, makeReviews, type ReviewParts } from '../../src/webhook/reviews.ts'

const aPerson = (username: string, groups: readonly string[] = []): Person => ({ username, uid: '', groups, extra: {} })
const ANA = aPerson('ana@example.com', ['devs'])

const NOW = { lane: 'admission', maxAgeMs: 1000 } as const

const named = ({ user, resourceAttributes: { verb, name } }: ReviewSpec) => `${user} ${verb} ${name ?? '*'}`
const everywhere = ({ user, resourceAttributes: { verb } }: ReviewSpec) => `${user} ${verb} *`

/** Answers yes to what `allowed` names, and to every name where it says so of `*`, as RBAC does. */
function setUp(allowed: readonly string[] = [], parts: Partial<ReviewParts> = {}) {
  const asked: string[] = []
  const state = { now: 0, allowed: new Set(allowed), paused: 0 }
  const reviews = makeReviews({
    review: async (spec) => {
      asked.push(named(spec))
      return state.allowed.has(named(spec)) || state.allowed.has(everywhere(spec))
    },
    steadyMs: () => state.now,
    pause: async (ms) => {
      state.paused += ms
    },
    counted: () => undefined,
    ...parts,
  })
  return { reviews, asked, state }
}

const on = (accessNamespace: string, ...permissions: readonly string[]) => ({ accessNamespace, permissions })

describe('the API server is asked', () => {
  test('by name alone while somebody waits for it, unless it is known to be granted without one', async () => {
    const { reviews, asked, state } = setUp(['ana@example.com a:read *', 'ana@example.com b:read acme'])
    const abc = on('acme', 'a:read', 'b:read', 'c:read')
    expect(await reviews.missing(ANA, abc, NOW)).toEqual(['c:read'])
    expect(asked).toEqual(['ana@example.com a:read acme', 'ana@example.com b:read acme', 'ana@example.com c:read acme'])
    await reviews.missing(ANA, abc, { lane: 'change', maxAgeMs: 1000 })
    asked.length = 0
    expect(await reviews.missing(ANA, on('globex', 'a:read', 'b:read'), NOW)).toEqual(['b:read'])
    expect(asked).toEqual(['ana@example.com b:read globex'])
    state.now = 1001
    await reviews.missing(ANA, on('globex', 'a:read'), NOW)
    expect(asked.at(-1), 'an old yes is none').toBe('ana@example.com a:read globex')
  })

  test('for a cap without a name first, and by name only where that is not granted', async () => {
    const { reviews, asked } = setUp(['ana@example.com a:read *', 'ana@example.com b:read acme'])
    const cap = { lane: 'change', maxAgeMs: 1000 } as const
    expect(await reviews.missing(ANA, on('acme', 'a:read', 'b:read', 'c:read'), cap)).toEqual(['c:read'])
    expect(asked.toSorted()).toEqual([
      'ana@example.com a:read *',
      'ana@example.com b:read *',
      'ana@example.com b:read acme',
      'ana@example.com c:read *',
      'ana@example.com c:read acme',
    ])
  })

  test('for the permission as verb on a subresource that managing access namespaces does not give', async () => {
    const specs: ReviewSpec[] = []
    const review = async (spec: ReviewSpec) => {
      specs.push(spec)
      return spec.resourceAttributes.name !== undefined
    }
    const { reviews } = setUp([], { review })
    await reviews.missing({ ...ANA, uid: 'u-1', extra: { scopes: ['x'] } }, on('acme', 'a:read'), NOW)
    await reviews.may(aPerson('ben'), { kind: 'serve', host: 'api.example.com' }, NOW)
    expect(specs.filter(({ resourceAttributes: { name } }) => name !== undefined)).toEqual([
      {
        user: 'ana@example.com',
        uid: 'u-1',
        groups: ['devs'],
        extra: { scopes: ['x'] },
        resourceAttributes: {
          group: 'keyward.dev',
          version: 'v1alpha1',
          resource: 'accessnamespaces',
          subresource: 'permissions',
          verb: 'a:read',
          name: 'acme',
        },
      },
      {
        user: 'ben',
        resourceAttributes: {
          group: 'keyward.dev',
          version: 'v1alpha1',
          resource: 'hosts',
          verb: 'serve',
          name: 'api.example.com',
        },
      },
    ])
  })

  test('once for every distinct question, however many keys ask it', async () => {
    const { reviews, asked } = setUp()
    const twice = Array.from({ length: 50 }, () => reviews.missing(ANA, on('acme', 'a:read', 'b:read'), NOW))
    await Promise.all(twice)
    expect(asked).toHaveLength(2)
    await reviews.missing(ANA, on('globex', 'a:read'), NOW)
    expect(asked.at(-1)).toBe('ana@example.com a:read globex')
    expect(asked).toHaveLength(3)
  })

  test('anew for another person of the same name with other groups', async () => {
    const { reviews, asked } = setUp()
    await reviews.missing(ANA, on('acme', 'a:read'), NOW)
    await reviews.missing(aPerson('ana@example.com', ['admins']), on('acme', 'a:read'), NOW)
    expect(asked).toHaveLength(2)
  })

  test('anew once the answer is older than the asker takes', async () => {
    const { reviews, asked, state } = setUp()
    await reviews.missing(ANA, on('acme', 'a:read'), NOW)
    state.now = 1000
    await reviews.missing(ANA, on('acme', 'a:read'), NOW)
    expect(asked).toHaveLength(1)
    state.now = 1001
    state.allowed.add('ana@example.com a:read acme')
    expect(await reviews.missing(ANA, on('acme', 'a:read'), NOW)).toEqual([])
    expect(asked).toHaveLength(2)
  })

  test('anew about what may have changed, and about nothing else', async () => {
    const { reviews, asked, state } = setUp(['ana@example.com a:read *'])
    const long = { lane: 'renewal', maxAgeMs: 600_000 } as const
    await reviews.missing(ANA, on('acme', 'a:read', 'b:read'), long)
    await reviews.missing(aPerson('ben'), on('acme', 'a:read'), long)
    asked.length = 0
    state.allowed.clear()
    reviews.forget(
      ({ person, question, said }) =>
        person.username === 'ana@example.com' &&
        question.kind === 'grant' &&
        question.permission === 'a:read' &&
        said === true,
    )
    expect(await reviews.missing(ANA, on('acme', 'a:read', 'b:read'), long)).toEqual(['a:read', 'b:read'])
    await reviews.missing(aPerson('ben'), on('acme', 'a:read'), long)
    expect(asked).toEqual(['ana@example.com a:read *', 'ana@example.com a:read acme'])
  })

  test('again after it could not answer: no failure is kept as a no', async () => {
    let fails = true
    const review = async () => {
      if (fails) throw new Trouble('kube_unreachable', 'retry')
      return true
    }
    const { reviews } = setUp([], { review })
    await expect(reviews.missing(ANA, on('acme', 'a:read'), NOW)).rejects.toThrow('kube_unreachable')
    fails = false
    expect(await reviews.missing(ANA, on('acme', 'a:read'), NOW)).toEqual([])
  })

  test('at most so many times at once', async () => {
    let [running, most] = [0, 0]
    const review = async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return false
    }
    const { reviews } = setUp([], { review, concurrency: 3 })
    await reviews.missing(ANA, on('acme', ...Array.from({ length: 20 }, (_, i) => `a:x${i}`)), NOW)
    expect(most).toBe(3)
    expect(running).toBe(0)
  })

  test('at a pace where it is only a renewal, while admission does not wait', async () => {
    const { reviews, state } = setUp([], { perSecond: 100 })
    const permissions = Array.from({ length: 50 }, (_, i) => `a:x${i}`)
    await reviews.missing(ANA, on('acme', ...permissions), NOW)
    expect(state.paused).toBe(0)
    await reviews.missing(aPerson('ben'), on('acme', ...permissions), { lane: 'renewal', maxAgeMs: 0 })
    expect(state.paused).toBeGreaterThan(10_000)
  })

  test('first for whoever waits, then for what changed, then for what is only old', async () => {
    const asked: string[] = []
    let answer: () => void = () => undefined
    const first = new Promise<void>((resolve) => {
      answer = resolve
    })
    const review = async ({ user }: ReviewSpec) => {
      asked.push(user)
      await first
      return true
    }
    const { reviews } = setUp([], { review, concurrency: 1 })
    const ask = (name: string, lane: Lane) =>
      reviews.missing(aPerson(name), on('acme', 'a:read'), { lane, maxAgeMs: 0 })
    const all = [ask('before', 'change'), ask('old', 'renewal'), ask('changed', 'change'), ask('waiting', 'admission')]
    await new Promise((resolve) => setImmediate(resolve))
    answer()
    await Promise.all(all)
    expect(asked).toEqual(['before', 'waiting', 'changed', 'old'])
  })

  test('by a renewal for which nobody else waits while it keeps to its pace', async () => {
    let goOn: () => void = () => undefined
    const paused = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { reviews, asked } = setUp(['ana@example.com a:read *'], { pause: () => paused, perSecond: 1 })
    const renewal = { lane: 'renewal', maxAgeMs: 0 } as const
    const renewed = reviews.missing(ANA, on('acme', 'a:read'), renewal)
    expect(await reviews.missing(ANA, on('acme', 'a:read'), { lane: 'change', maxAgeMs: 0 })).toEqual([])
    goOn()
    await renewed
    expect(asked, 'what was asked meanwhile is taken over').toEqual(['ana@example.com a:read *'])
  })

  test('so that what is kept stays bounded', async () => {
    const { reviews, asked } = setUp([], { keep: 10 })
    for (let i = 0; i < 100; i++) await reviews.missing(ANA, on(`acme-${i}`, 'a:read'), NOW)
    expect(reviews.size()).toBe(10)
    expect(asked.length).toBeLessThan(220)
  })
})

/** Answers only when it is told to. A fake: what waits behind it is what is looked at. */
function slow(parts: Partial<ReviewParts> = {}) {
  const asked: string[] = []
  const answers: (() => void)[] = []
  const { reviews } = setUp([], {
    review: (spec) => {
      asked.push(spec.user)
      return new Promise((resolve) => answers.push(() => resolve(true)))
    },
    ...parts,
  })
  const ask = (name: string, permissions: number, asking: Partial<Asking> = {}) =>
    reviews.missing(aPerson(name), on('acme', ...Array.from({ length: permissions }, (_, i) => `a:x${i}`)), {
      ...NOW,
      ...asking,
    })
  const answerAll = async () => {
    while (answers.length > 0) {
      for (const answer of answers.splice(0)) answer()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const times = (name: string) => asked.filter((one) => one === name).length
  return { reviews, asked, ask, answerAll, times }
}

describe('somebody who asks for very much', () => {
  test('has at most eight of their admissions asked at once, and all of them together leave four turns', async () => {
    const { asked, ask, answerAll, times } = slow()
    const all = [ask('greedy', 64), ask('too', 64)]
    expect([times('greedy'), times('too'), asked.length]).toEqual([8, 4, 12])
    all.push(ask('lost', 10, { lane: 'change' }))
    expect(times('lost'), 'what changed is asked at once').toBe(4)
    await answerAll()
    await Promise.all(all)
    expect(asked).toHaveLength(138)
  })

  test('waits in turn with the others', async () => {
    const { asked, ask, answerAll } = slow({ concurrency: 1 })
    const all = [ask('greedy', 64), ask('ana', 2), ask('ben', 1)]
    await answerAll()
    await Promise.all(all)
    expect(asked.slice(0, 6)).toEqual(['greedy', 'greedy', 'ana', 'ben', 'greedy', 'ana'])
  })

  test('is not asked about any more once they were told that it takes too long', async () => {
    const { reviews, ask, answerAll, times } = slow()
    const late = new AbortController()
    const gone = ask('greedy', 64, { gone: late.signal })
    const told = expect(gone).rejects.toThrow('review_not_waited_for')
    late.abort()
    await answerAll()
    await told
    expect([times('greedy'), reviews.size()], 'only what was on its way').toEqual([8, 8])
    await expect(ask('greedy', 1, { gone: late.signal, maxAgeMs: -1 })).rejects.toThrow('review_not_waited_for')
    expect(times('greedy')).toBe(8)
  })

  test('is asked about what somebody else waits for too', async () => {
    const { ask, answerAll, times } = slow({ concurrency: 1 })
    const late = new AbortController()
    const all = [ask('first', 1), ask('both', 1, { gone: late.signal }), ask('both', 1)]
    late.abort()
    await answerAll()
    await Promise.all(all)
    expect(times('both')).toBe(1)
  })

  test('does not have their own losses wait behind it', async () => {
    const { ask, answerAll, asked } = slow({ concurrency: 1 })
    const all = [ask('busy', 1, { lane: 'change' }), ask('ana', 3), ask('ana', 3, { lane: 'change' })]
    await answerAll()
    await Promise.all(all)
    expect(asked, 'what waits for admission is not what a cap waits for').toHaveLength(1 + 3 + 3)
  })

  test('leaves nothing behind after a few seconds, but what a cap goes by', async () => {
    const { reviews, state } = setUp()
    await reviews.missing(ANA, on('acme', 'a:read', 'b:read'), NOW)
    for (let i = 0; i < 10; i++) await reviews.missing(aPerson(`greedy-${i}`), on('acme', 'a:read'), NOW)
    expect(reviews.size()).toBe(12)
    state.now = 900
    await reviews.missing(ANA, on('acme', 'a:read'), { lane: 'change', maxAgeMs: 1000 })
    state.now = 5001
    await reviews.missing(aPerson('ben'), on('acme', 'a:read'), NOW)
    expect(reviews.size(), "two of ana's, one of ben's").toBe(3)
  })

  test('fills no memory with long names, nor with many', async () => {
    const { reviews } = setUp()
    const long = 'x'.repeat(100_000)
    for (let i = 0; i < 200; i++) await reviews.missing(aPerson(`${i}`, [long]), on('acme', 'a:read'), NOW)
    expect(reviews.size(), 'of 83 people: 8 MiB of them').toBe(83)
    for (let i = 0; i < 21_000; i++) await reviews.may(aPerson(`many-${i}`), { kind: 'serve', host: 'a.example' }, NOW)
    expect(reviews.size()).toBe(20_000)
  })

  test('pushes out no answer that a cap goes by', async () => {
    const { reviews, asked } = setUp([], { keep: 10 })
    const cap = { lane: 'change', maxAgeMs: 600_000 } as const
    await reviews.missing(ANA, on('acme', 'a:read'), NOW)
    await reviews.missing(ANA, on('acme', 'a:read', 'b:read'), cap)
    for (let i = 0; i < 100; i++) await reviews.missing(aPerson('greedy'), on(`acme-${i}`, 'a:read'), NOW)
    asked.length = 0
    await reviews.missing(ANA, on('acme', 'a:read', 'b:read'), cap)
    expect([asked, reviews.size()]).toEqual([[], 10])
  })
})
