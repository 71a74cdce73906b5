/** Who made an object is written by us alone, and a stamp is worth nothing on any other object. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { lasting, type Person } from '../../src/core/person.ts'
import { personOf } from '../../src/webhook/person.ts'
import type { StampKeys } from '../../src/webhook/stamp.ts'
import { type JsonPatch, restoreStamp, stampNew, stampOf } from '../../src/webhook/stamped-object.ts'
import { NOON } from './make.ts'

const keyOf = (seed: string) => createHash('sha256').update(seed).digest()
const KEYS: StampKeys = [keyOf('one')]

const ANA: Person = { username: 'ana@example.com', uid: 'u-1', groups: ['devs'], extra: { scopes: ['a'] } }

type Fields = Readonly<Record<string, unknown>>
type Wish = { readonly metadata?: Fields; readonly spec?: Fields }

const anObject = ({ metadata, spec }: Wish = {}) => ({
  metadata: { name: 'main', namespace: 'team-web', creationTimestamp: '2026-11-22T12:00:00Z', ...metadata },
  spec: { accessNamespace: 'acme', environment: 'production', permissions: ['a:b'], ...spec },
})

/** As the API server applies it. */
function patched(object: Fields, patch: JsonPatch): Fields {
  const metadata = { ...(object.metadata as Fields) }
  for (const { op, path, value } of patch) {
    if (path === '/metadata/annotations') metadata.annotations = value
    else {
      const name = path.replace('/metadata/annotations/', '').replaceAll('~1', '/')
      const annotations = { ...(metadata.annotations as Fields) }
      if (op === 'remove') delete annotations[name]
      else annotations[name] = value
      metadata.annotations = annotations
    }
  }
  return { ...object, metadata }
}

function stamped(object: Fields = anObject(), person = ANA, now = NOON): Fields {
  const patch = stampNew('ApiKey', { object, person, namespace: 'team-web', now }, KEYS)
  if (patch === undefined) throw new Error('not stamped')
  return patched(object, patch)
}

const annotations = (object: Fields) => (object.metadata as { annotations?: Record<string, string> }).annotations ?? {}
const on = (stamp: Fields, object: ReturnType<typeof anObject>): Fields => ({
  ...object,
  metadata: { ...object.metadata, annotations: annotations(stamp) },
})
const problemOf = (object: Fields, kind: 'ApiKey' | 'ApiKeyClaim' = 'ApiKey', keys = KEYS) => {
  const found = stampOf(kind, object, keys)
  return found.ok ? 'none' : found.problem
}

describe('a stamp', () => {
  test('says who made the object, and when', () => {
    expect(stampOf('ApiKey', stamped(), KEYS)).toEqual({ ok: true, value: { person: ANA, at: NOON } })
    expect(annotations(stamped())['keyward.dev/creator']).toBe('ana@example.com')
  })

  test('replaces whatever was brought along, the one for claims as well', () => {
    const brought = {
      'keyward.dev/creator': 'root',
      'keyward.dev/creator-stamp': 'v1.x.y',
      'keyward.dev/claimant': 'root',
      team: 'web',
    }
    const object = stamped(anObject({ metadata: { annotations: brought } }))
    expect(annotations(object)).toEqual({
      team: 'web',
      'keyward.dev/creator': 'ana@example.com',
      'keyward.dev/creator-stamp': expect.stringMatching(/^v1\./),
    })
    expect(problemOf(object)).toBe('none')
  })

  test('is still good for a name that the API server made up', () => {
    const object = stamped(anObject({ metadata: { name: undefined, generateName: 'main-' } }))
    expect(problemOf(on(object, anObject({ metadata: { name: 'main-x7k2p' } })))).toBe('none')
    expect(problemOf(on(object, anObject({ metadata: { name: 'main-website' } })))).toBe(
      'its stamp was made for another object',
    )
  })

  test.each([57, 58, 59, 70, 253])('is still good where the API server cut a prefix of %s characters', (length) => {
    const generateName = 'm'.repeat(length)
    const object = stamped(anObject({ metadata: { name: undefined, generateName } }))
    const named = (name: string) => problemOf(on(object, anObject({ metadata: { name } })))
    const kept = 'm'.repeat(Math.min(length, 58))
    expect(named(`${kept}x7k2p`)).toBe('none')
    for (const other of [`${kept}x7k2`, `${kept}x7k2px`, `${kept.slice(1)}x7k2p`, `x${kept.slice(1)}x7k2p`])
      expect(named(other)).toBe('its stamp was made for another object')
  })

  test.each<[string, Wish, string]>([
    ['of another name', { metadata: { name: 'other' } }, 'its stamp was made for another object'],
    ['of another Kubernetes namespace', { metadata: { namespace: 'team-b' } }, 'its stamp was made for another object'],
    ['of another access namespace', { spec: { accessNamespace: 'globex' } }, 'its stamp was made for another spec'],
    ['of another environment', { spec: { environment: 'staging' } }, 'its stamp was made for another spec'],
    [
      'that was made again later',
      { metadata: { creationTimestamp: '2026-11-22T12:01:01Z' } },
      'its stamp was made 61 s away from its creation, for another object of this name',
    ],
  ])('is worth nothing on an object %s', (_what, wish, problem) => {
    expect(problemOf(on(stamped(), anObject(wish)))).toBe(problem)
  })

  test('is worth nothing on a claim', () => {
    const { 'keyward.dev/creator': name, 'keyward.dev/creator-stamp': stamp } = annotations(stamped())
    const claim = anObject({
      metadata: { annotations: { 'keyward.dev/claimant': name, 'keyward.dev/claimant-stamp': stamp } },
    })
    expect(problemOf(claim, 'ApiKeyClaim')).toBe('its stamp was made for another object')
  })

  test('holds while permissions and everything else that may change is changed', () => {
    expect(problemOf(on(stamped(), anObject({ spec: { permissions: ['x:y'], state: 'Suspended' } })))).toBe('none')
  })

  test('is not believed when somebody made it up, or changed a byte of it', () => {
    const other: StampKeys = [keyOf('another operator')]
    expect(problemOf(stamped(), 'ApiKey', other)).toBe('its stamp was not made with the key of this operator')
    const name = 'keyward.dev/creator-stamp'
    const text = annotations(stamped())[name] ?? ''
    const bent = text.replace(/^v1\.(.)/, (_all, first) => `v1.${first === 'e' ? 'f' : 'e'}`)
    for (const stamp of [bent, '', 'v1..', `${text}x`]) {
      const object = anObject({ metadata: { annotations: { ...annotations(stamped()), [name]: stamp } } })
      expect(problemOf(object)).toMatch(/not made with the key|not the right form/)
    }
  })

  test('does not stand beside another name', () => {
    const object = on(stamped(), anObject())
    annotations(object)['keyward.dev/creator'] = 'root'
    expect(problemOf(object)).toBe('the name beside its stamp is another one')
  })

  test('an object without one says so', () => {
    expect(problemOf(anObject())).toBe('it was not stamped: the admission webhook was not there')
  })

  test('is still believed after the key was exchanged, as long as the old one is kept', () => {
    expect(problemOf(stamped(), 'ApiKey', [keyOf('two'), keyOf('one')])).toBe('none')
  })

  test('is refused for a person that does not fit', () => {
    const groups = Array.from({ length: 2000 }, (_, i) => `group-${i}-of-many`)
    expect(
      stampNew('ApiKey', { object: anObject(), person: { ...ANA, groups }, namespace: 'team-web', now: NOON }, KEYS),
    ).toBeUndefined()
  })
})

describe('on an edit', () => {
  test.each<[string, Fields | undefined]>([
    ['changed', { 'keyward.dev/creator': 'root', 'keyward.dev/creator-stamp': 'v1.x.y' }],
    ['dropped with all annotations', undefined],
    ['dropped', { team: 'web' }],
  ])('a stamp that was %s is put back', (_what, edited) => {
    const before = stamped()
    const after = anObject({ metadata: { annotations: edited } })
    const restored = patched(after, restoreStamp(before, after))
    expect(problemOf(restored)).toBe('none')
  })

  test('a stamp that was brought along to an unstamped object is taken off', () => {
    const after = on(stamped(), anObject())
    expect(annotations(patched(after, restoreStamp(anObject(), after)))).toEqual({})
  })

  test('nothing is patched where nothing was touched', () => {
    expect(restoreStamp(stamped(), stamped())).toEqual([])
    expect(restoreStamp(anObject(), anObject())).toEqual([])
  })
})

describe('a person', () => {
  const userInfo = {
    username: 'system:serviceaccount:ci:deployer',
    uid: 'u-2',
    groups: ['b', 'a', 'a', 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': ['JTI=1'], scopes: ['x'] },
  }

  test('is kept with the groups that some binding names, and without what belongs to one token', () => {
    expect(lasting(personOf(userInfo), (group) => group === 'a')).toEqual({
      username: 'system:serviceaccount:ci:deployer',
      uid: 'u-2',
      groups: ['a'],
      extra: { scopes: ['x'] },
    })
  })

  test('keeps all groups while it is not known which are named', () => {
    expect(lasting(personOf(userInfo), undefined).groups).toEqual(['a', 'b', 'system:authenticated'])
  })
})
