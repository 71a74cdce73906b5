/** What counts as "there is none", and where the kinds lie. */
import { expect, test } from 'vitest'
import { ApiError, isAbsent, isNotFound, refusalFrom } from '../../src/kube/api-error.ts'
import { get, remove } from '../../src/kube/calls.ts'
import type { KubeClient } from '../../src/kube/client.ts'
import { ACCESS_NAMESPACES, API_KEYS, PROTECTED_APIS, pathOf, TOKEN_ISSUERS } from '../../src/kube/objects.ts'

/** A fake, so that a server that does not know a kind can be had at will. */
const answering = (status: number, body: unknown): KubeClient => ({
  send: () => Promise.reject(new ApiError(refusalFrom(status, body, undefined))),
  watch: () => Promise.reject(new Error('not asked for here')),
  close: async () => {},
})

const ref = { namespace: 'team', name: 'main' }
const ABSENT = { kind: 'Status', reason: 'NotFound', code: 404 }

test('an object is gone where the server says so of it, and not where it says 404 and no more', async () => {
  expect(await get(answering(404, ABSENT), API_KEYS, ref)).toBeUndefined()
  expect(await remove(answering(404, ABSENT), API_KEYS, { ref })).toBe('absent')
  for (const bare of ['404 page not found', undefined, { kind: 'Status', code: 404 }]) {
    await expect(get(answering(404, bare), API_KEYS, ref)).rejects.toThrow('kube_not_found')
    await expect(remove(answering(404, bare), API_KEYS, { ref })).rejects.toThrow('kube_not_found')
    const error = new ApiError(refusalFrom(404, bare, undefined))
    expect([isNotFound(error), isAbsent(error)]).toEqual([true, false])
  }
})

test('kinds of the whole cluster lie in no namespace, the others in one', () => {
  expect(pathOf(ACCESS_NAMESPACES, { name: 'acme' })).toBe('/apis/keyward.dev/v1alpha1/accessnamespaces/acme')
  expect(pathOf(TOKEN_ISSUERS, { name: 'sso' })).toBe('/apis/keyward.dev/v1alpha1/tokenissuers/sso')
  expect(pathOf(PROTECTED_APIS, ref)).toBe('/apis/keyward.dev/v1alpha1/namespaces/team/protectedapis/main')
  expect(pathOf(PROTECTED_APIS, {})).toBe('/apis/keyward.dev/v1alpha1/protectedapis')
  for (const resource of [ACCESS_NAMESPACES, TOKEN_ISSUERS]) expect(() => pathOf(resource, ref)).toThrow(TypeError)
  expect(() => pathOf(API_KEYS, { name: 'main' })).toThrow(TypeError)
})
