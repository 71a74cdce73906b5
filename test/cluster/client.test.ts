import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { Trouble } from '../../src/core/trouble.ts'
import { ApiError, isAlreadyExists, isConflict, isInvalid, isNotFound } from '../../src/kube/api-error.ts'
import { create, get, list, METADATA_ONLY, mergePatch, remove, replace } from '../../src/kube/calls.ts'
import { fenced, makeClient } from '../../src/kube/client.ts'
import { type KubeOptionValues, openKube } from '../../src/kube/config.ts'
import { inCluster } from '../../src/kube/in-cluster.ts'
import { CONFIG_MAPS, pathOf, SECRETS } from '../../src/kube/objects.ts'
import { steadyMs } from '../../src/runtime/system.ts'
import { type Authority, makeAuthority } from '../support/certificates.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { accessOf, almightyFolder, clientOf, configMap } from '../support/kube-client.ts'
import { type KubeFaultProxy, startKubeFaultProxy } from '../support/kube-fault-proxy.ts'
import { temporaryFolder } from '../support/process.ts'

const NAMESPACE = 'default'
const MARKED = 'marked-value-that-must-not-show'

let cluster: Cluster
let authority: Authority
let folder: string
let proxy: KubeFaultProxy
beforeAll(async () => {
  authority = await makeAuthority('people')
  cluster = await startCluster({ deploy: false, apiServerFlags: [`--client-ca-file=${authority.caFile}`] })
  folder = await almightyFolder(cluster)
  proxy = await startKubeFaultProxy(cluster)
})

const direct = () => clientOf(accessOf(folder, cluster))
const faulty = () => clientOf(accessOf(folder, proxy))

const failureOf = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}
const codeOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await failureOf(work)
  return error instanceof Trouble ? error.code : String(error)
}

describe('calls', () => {
  test('make, read, change and remove an object, and each refusal has its own code', async () => {
    const client = direct()
    const ref = { namespace: NAMESPACE, name: 'one' }
    expect(await get(client, CONFIG_MAPS, ref)).toBeUndefined()
    const made = await create(client, CONFIG_MAPS, { namespace: NAMESPACE, object: configMap('one', { a: '1' }) })
    expect(made).toMatchObject({ kind: 'ConfigMap', apiVersion: 'v1', data: { a: '1' } })
    const again = await failureOf(
      create(client, CONFIG_MAPS, { namespace: NAMESPACE, object: configMap('one', { a: '1' }) }),
    )
    expect([isAlreadyExists(again), isConflict(again)]).toEqual([true, false])

    const replaced = await replace(client, CONFIG_MAPS, { object: { ...made, data: { a: '2' } } })
    expect(replaced.data).toEqual({ a: '2' })
    const late = await failureOf(replace(client, CONFIG_MAPS, { object: { ...made, data: { a: '3' } } }))
    expect([isConflict(late), isAlreadyExists(late)]).toEqual([true, false])

    const patched = await mergePatch(client, CONFIG_MAPS, { ref, patch: { data: { a: null, b: '4' } } })
    expect(patched.data).toEqual({ b: '4' })
    const { resourceVersion } = made.metadata
    const stale = mergePatch(client, CONFIG_MAPS, { ref, patch: { metadata: { resourceVersion }, data: { b: '5' } } })
    expect(isConflict(await failureOf(stale))).toBe(true)

    expect(isConflict(await failureOf(remove(client, CONFIG_MAPS, { ref, uid: 'another' })))).toBe(true)
    expect(await remove(client, CONFIG_MAPS, { ref, uid: made.metadata.uid })).toBe('removed')
    expect(await remove(client, CONFIG_MAPS, { ref })).toBe('absent')
    expect(isNotFound(await failureOf(mergePatch(client, CONFIG_MAPS, { ref, patch: {} })))).toBe(true)
  })

  test('an empty patch that asks for metadata only shows no data of a Secret', async () => {
    const client = direct()
    const object = { ...configMap('hidden'), data: undefined, stringData: { word: MARKED } }
    await create(client, SECRETS, { namespace: NAMESPACE, object })
    const ref = { namespace: NAMESPACE, name: 'hidden' }
    const seen = await mergePatch(client, SECRETS, { ref, patch: {}, accept: METADATA_ONLY })
    expect(seen.metadata.name).toBe('hidden')
    expect(Object.keys(seen).sort()).toEqual(['apiVersion', 'kind', 'metadata'])
  })

  test('a list is read page by page, all of it', async () => {
    const client = direct()
    const names = Array.from({ length: 7 }, (_, i) => `page-${i}`)
    for (const name of names) {
      await create(client, CONFIG_MAPS, {
        namespace: NAMESPACE,
        object: { metadata: { name, labels: { of: 'pages' } } },
      })
    }
    const { items, resourceVersion } = await list(client, CONFIG_MAPS, {
      namespace: NAMESPACE,
      labelSelector: 'of=pages',
    })
    expect(items.map(({ metadata }) => metadata.name)).toEqual(names)
    expect(resourceVersion).toMatch(/^\d+$/)
  })

  test('a refusal names the fields that are wrong, and quotes nothing', async () => {
    const object = { metadata: { name: 'bad', labels: { 'keyward.dev/x': `${MARKED}!` } } }
    const error = await failureOf(create(direct(), CONFIG_MAPS, { namespace: NAMESPACE, object }))
    expect(isInvalid(error)).toBe(true)
    if (!(error instanceof ApiError)) throw error
    expect(error.fields).toEqual(['metadata.labels'])
    expect(error.cause).toEqual(new Error('the API server answered 422 Invalid for metadata.labels'))
    expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(MARKED)
  })

  test('what may write no more writes nothing, and may still read', async () => {
    let may = true
    const client = fenced(direct(), () => may)
    await create(client, CONFIG_MAPS, { namespace: NAMESPACE, object: configMap('fenced') })
    may = false
    const ref = { namespace: NAMESPACE, name: 'fenced' }
    expect(await codeOf(remove(client, CONFIG_MAPS, { ref }))).toBe('not_leading')
    expect((await get(client, CONFIG_MAPS, ref))?.metadata.name).toBe('fenced')
  })
})

describe('a server that answers badly', () => {
  const REFUSED = JSON.stringify({ kind: 'Status', code: 429, reason: 'TooManyRequests', message: MARKED })

  const answeredFirst = (times: number, status: number, headers: Record<string, string> = {}) => {
    let left = times
    proxy.fault(() => (left-- > 0 ? { kind: 'answer', status, body: REFUSED, headers } : undefined))
  }

  test('is asked again to read, not before the time that it names', async () => {
    answeredFirst(1, 429, { 'retry-after': '1' })
    const begun = steadyMs()
    expect(await get(faulty(), CONFIG_MAPS, { namespace: NAMESPACE, name: 'absent' })).toBeUndefined()
    expect(steadyMs() - begun).toBeGreaterThanOrEqual(1000)
    answeredFirst(3, 500)
    expect(await get(faulty(), CONFIG_MAPS, { namespace: NAMESPACE, name: 'absent' })).toBeUndefined()
  })

  test('is never asked twice to write', async () => {
    const before = proxy.asked().length
    for (const [status, code] of [
      [429, 'kube_throttled'],
      [500, 'kube_unavailable'],
    ] as const) {
      answeredFirst(1, status)
      const object = configMap('not-twice')
      expect(await codeOf(create(faulty(), CONFIG_MAPS, { namespace: NAMESPACE, object }))).toBe(code)
    }
    proxy.fault(() => ({ kind: 'reset' }))
    const reset = create(faulty(), CONFIG_MAPS, { namespace: NAMESPACE, object: configMap('not-twice') })
    expect(await codeOf(reset)).toBe('kube_unreachable')
    expect(proxy.asked().length - before).toBe(3)
  })

  test('with an answer that is no JSON is not believed, and not quoted', async () => {
    const client = faulty()
    proxy.fault(() => ({ kind: 'answer', status: 200, body: `{"data": "${MARKED}` }))
    const error = await failureOf(get(client, CONFIG_MAPS, { namespace: NAMESPACE, name: 'any' }))
    expect(error).toMatchObject({ code: 'kube_not_understood', cause: undefined })
    proxy.fault(() => ({ kind: 'answer', status: 200, body: '{"kind":"ConfigMapList"}' }))
    expect(await codeOf(list(client, CONFIG_MAPS, { namespace: NAMESPACE }))).toBe('kube_not_understood')
  })

  test('that cuts its answers is asked again to read', async () => {
    let left = 2
    proxy.fault(() => (left-- > 0 ? { kind: 'truncate', bytes: 40 } : undefined))
    const { items } = await list(faulty(), CONFIG_MAPS, { namespace: NAMESPACE })
    expect(items.length).toBeGreaterThan(0)
  })

  test('that says nothing is given up in time, or as soon as nobody wants it any more', async () => {
    proxy.fault(() => ({ kind: 'hang' }))
    const client = faulty()
    const path = pathOf(CONFIG_MAPS, { namespace: NAMESPACE })
    const begun = steadyMs()
    expect(await codeOf(client.send({ method: 'GET', path, timeoutMs: 300 }))).toBe('kube_timeout')
    const signal = AbortSignal.timeout(300)
    expect(await codeOf(client.send({ method: 'GET', path, signal }))).toBe('kube_aborted')
    expect(steadyMs() - begun).toBeLessThan(2000)
  })

  test('many requests at once share a bounded number of connections', async () => {
    proxy.fault(() => undefined)
    const counting = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const client = clientOf(accessOf(folder, counting))
    const path = pathOf(CONFIG_MAPS, { namespace: NAMESPACE })
    const all = Array.from({ length: 200 }, () => client.send({ method: 'GET', path }))
    await Promise.race(all)
    const most = counting.connections()
    await Promise.all(all)
    expect(most).toBeGreaterThan(1)
    expect(Math.max(most, counting.connections())).toBeLessThanOrEqual(32)
  })
})

describe('credentials', () => {
  const path = pathOf(CONFIG_MAPS, { namespace: NAMESPACE })

  /** A folder of its own, with a clock that can be put forward. */
  const podWith = () => {
    const own = temporaryFolder()
    for (const file of ['token', 'ca.crt', 'namespace']) copyFileSync(join(folder, file), join(own, file))
    let ahead = 0
    const clock = () => steadyMs() + ahead
    const client = (port: number) =>
      makeClient({
        access: inCluster({ folder: own, host: '127.0.0.1', port: String(port), steadyMs: clock }),
        steadyMs,
        jitter: () => 0,
      })
    const pass = (ms: number) => {
      ahead += ms
    }
    return { own, client, pass }
  }

  test('a token that is refused is read anew at once, and a file that is gone leaves the last one in force', async () => {
    const { own, client: make, pass } = podWith()
    const client = make(cluster.port)
    const good = readFileSync(join(own, 'token'), 'utf8')
    writeFileSync(join(own, 'token'), 'not-a-token')
    expect(await codeOf(client.send({ method: 'GET', path }))).toBe('kube_unauthorized')
    writeFileSync(join(own, 'token'), good)
    expect(await client.send({ method: 'GET', path })).toMatchObject({ kind: 'ConfigMapList' })
    writeFileSync(join(own, 'token'), 'not-a-token')
    expect(await client.send({ method: 'GET', path })).toMatchObject({ kind: 'ConfigMapList' })
    writeFileSync(join(own, 'token'), '')
    pass(61_000)
    expect(await client.send({ method: 'GET', path })).toMatchObject({ kind: 'ConfigMapList' })
    await client.close()
  })

  test('an authority that was exchanged counts for new connections within a minute', async () => {
    const { own, client: make, pass } = podWith()
    const client = make(proxy.port)
    proxy.fault(() => undefined)
    expect(await codeOf(client.send({ method: 'GET', path, once: true }))).toBe('kube_unreachable')
    copyFileSync(proxy.caFile, join(own, 'ca.crt'))
    pass(61_000)
    expect(await client.send({ method: 'GET', path })).toMatchObject({ kind: 'ConfigMapList' })
    await client.close()
  })

  const kubeconfig = (user: object, server = cluster.server) => {
    const file = join(temporaryFolder(), 'config')
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'it', cluster: { server, 'certificate-authority': cluster.caFile } }],
      users: [{ name: 'me', user }],
      contexts: [{ name: 'here', context: { cluster: 'it', user: 'me', namespace: 'mine' } }],
      'current-context': 'here',
    }
    writeFileSync(file, JSON.stringify(config))
    return file
  }
  const options = { kubeconfig: undefined, context: undefined, serviceAccount: '/nowhere', namespace: undefined }
  const opened = async (given: Partial<KubeOptionValues>) => {
    const result = await openKube({ ...options, ...given }, { env: cluster.podEnv, steadyMs })
    if (!result.ok) throw new Error(result.problems.join('\n'))
    return result.kube
  }
  const reviewed = { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1' }
  const whoAmI = async (file: string): Promise<unknown> => {
    const { access } = await opened({ kubeconfig: file })
    const review = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    const body = await clientOf(access).send({ method: 'POST', path: review, body: reviewed })
    return (body as { status: { userInfo: { username: string } } }).status.userInfo.username
  }

  test('of a kubeconfig: a token, a client certificate, or what a plugin prints', async () => {
    const token = readFileSync(join(folder, 'token'), 'utf8')
    expect(await whoAmI(kubeconfig({ token }))).toBe('system:serviceaccount:default:almighty')
    const { certFile, keyFile } = await authority.issue(['ada'])
    expect(await whoAmI(kubeconfig({ 'client-certificate': certFile, 'client-key': keyFile }))).toBe('ada')
    const plugin = join(temporaryFolder(), 'plugin')
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token },
    }
    writeFileSync(plugin, `#!/bin/sh\ncat <<'END'\n${JSON.stringify(credential)}\nEND\n`)
    chmodSync(plugin, 0o755)
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' }
    expect(await whoAmI(kubeconfig({ exec }))).toBe('system:serviceaccount:default:almighty')
    writeFileSync(plugin, `#!/bin/sh\necho ${MARKED} >&2\nexit 1\n`)
    const failure = await failureOf(whoAmI(kubeconfig({ exec })))
    expect(failure).toMatchObject({ code: 'kube_credentials_unavailable', cause: undefined })
  })

  test('of a kubeconfig are used over connections that stay', async () => {
    const counting = await startFaultProxy({ host: '127.0.0.1', port: cluster.port })
    const token = readFileSync(join(folder, 'token'), 'utf8')
    const { access } = await opened({ kubeconfig: kubeconfig({ token }, `https://127.0.0.1:${counting.port}`) })
    const client = clientOf(access)
    for (let i = 0; i < 20; i++) await client.send({ method: 'GET', path })
    expect(counting.connections()).toBeLessThanOrEqual(2)
  })

  test('are those of the pod, unless a kubeconfig is named', async () => {
    const inPod = await opened({ serviceAccount: folder })
    expect([inPod.access.server, inPod.namespace]).toEqual([cluster.server, 'default'])
    const named = await opened({ serviceAccount: folder, kubeconfig: cluster.kubeconfig })
    expect(named.namespace).toBe('keyward-system')
  })

  test('that are not there are named with what to do about it', async () => {
    const problems = async (given: object) => {
      const result = await openKube({ ...options, ...given }, { env: {}, steadyMs })
      return result.ok ? [] : result.problems
    }
    expect(await problems({ kubeconfig: '/nowhere/config' })).toEqual([
      "--kubeconfig (KEYWARD_KUBECONFIG): /nowhere/config can't be read as a kubeconfig (ENOENT)",
    ])
    expect(await problems({ kubeconfig: cluster.kubeconfig, context: 'other' })).toEqual([
      '--context (KEYWARD_CONTEXT): there is no context other with a cluster',
    ])
  })
})
