/** Trouble on the way to an API server: which flag leads elsewhere, and whether waiting may help. */
import { expect, test } from 'vitest'
import { passes } from '../../src/cli/refused.ts'
import { stopOf, strangerStop } from '../../src/cli/trouble-words.ts'
import { Trouble } from '../../src/core/trouble.ts'

const server = 'https://127.0.0.1:6443'
const trouble = (code: string, cause?: string): Trouble =>
  new Trouble(code, 'retry', cause === undefined ? undefined : new Error(cause))

test.each([
  [
    false,
    'ECONNREFUSED',
    `the API server ${server} can't be reached (ECONNREFUSED): is it the right --context or --kubeconfig?`,
  ],
  [true, 'ECONNREFUSED', `the API server ${server} can't be reached (ECONNREFUSED): is it the right --server?`],
  [
    true,
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    `the API server ${server} can't be reached (UNABLE_TO_VERIFY_LEAF_SIGNATURE): its certificate is not trusted; --certificate-authority names the file with its CA`,
  ],
])('named by --server: %s, %s', (isNamed, cause, words) => {
  const stop = stopOf(trouble('kube_unreachable', cause), { server, isNamed })
  expect([stop.message, stop.exitCode, passes(stop)]).toEqual([words, 1, true])
})

test('an answer that is not understood does not pass by waiting', () => {
  const stop = stopOf(trouble('kube_not_understood'), { server, isNamed: false })
  expect([stop.message, passes(stop)]).toEqual([
    `what answers at ${server} is no API server: nothing of Kubernetes is in its answer; is it the right --context or --kubeconfig?`,
    false,
  ])
})

test('who refuses and says nothing of Kubernetes is no API server, unless those are as short', () => {
  const named = { server: 'http://127.0.0.1:6443', isNamed: true }
  expect(strangerStop({ status: 400 }, undefined, named)?.message).toBe(
    'what answers at http://127.0.0.1:6443 is no API server: it answered 400, and nothing of Kubernetes; is it the right --server? The address of one with TLS begins with https',
  )
  for (const status of [302, 403, 405, 409, 422]) {
    expect(strangerStop({ status }, { error: 'no' }, named)?.message).toContain(`it answered ${status}, and nothing`)
    expect(strangerStop({ status }, { kind: 'Status', message: 'no' }, named)).toBeUndefined()
  }
  for (const status of [401, 404, 429, 500, 503]) expect(strangerStop({ status }, undefined, named)).toBeUndefined()
})
