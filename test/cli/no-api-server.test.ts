/** What answers is no API server: that is what is said, and where else to look. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Stop } from '../../src/cli/refused.ts'
import { openCluster } from '../../src/cli/run.ts'

const opening = {
  ...{ kubeconfig: undefined, context: undefined, tokenFile: undefined, certificateAuthority: undefined },
  ...{ as: undefined, asGroups: [], requestTimeoutMs: 5000 },
}

/** A cluster at a server that answers everything so. */
async function clusterAt(status: number, text: string) {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'text/html' }).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const cluster = await openCluster({ ...opening, server: url }, { env: {}, steadyMs: () => 0, jitter: () => 0 })
  onTestFinished(async () => {
    await cluster.close()
    server.close()
  })
  return { cluster, url }
}

const stopOf = (asked: Promise<unknown>): Promise<Stop> =>
  asked.then(
    () => Promise.reject(new Error('no stop')),
    (stop) => stop,
  )

test.each([
  [
    400,
    'Client sent an HTTP request to an HTTPS server.\n',
    'it answered 400, and nothing of Kubernetes; is it the right --server? The address of one with TLS begins with https',
  ],
  [302, '', 'it answered 302, and nothing of Kubernetes; is it the right --server?'],
  [200, '<html>hello', 'nothing of Kubernetes is in its answer; is it the right --server?'],
  [200, '{"items":{}}', 'nothing of Kubernetes is in its answer; is it the right --server?'],
])('%i %j', async (status, text, words) => {
  const { cluster, url } = await clusterAt(status, text)
  for (const asked of [cluster.list('apikeys', {}), cluster.get('apikeys', { namespace: 'team', name: 'main' })])
    expect(await stopOf(asked)).toMatchObject({
      exitCode: 1,
      message: `what answers at ${url} is no API server: ${words}`,
    })
})

test('with no kubeconfig at all, that is said, and what can be said instead', async () => {
  const around = { env: { HOME: '/home/of/nobody' }, steadyMs: () => 0, jitter: () => 0 }
  expect(await stopOf(openCluster({ ...opening, server: undefined }, around))).toMatchObject({
    exitCode: 2,
    message:
      'there is no kubeconfig (/home/of/nobody/.kube/config), and this is no pod: name one with --kubeconfig or with KUBECONFIG\nor name an API server, or a standalone, with --server',
  })
})

test('of what a pod answers nothing is concluded about the API server', async () => {
  const pod = { namespace: 'team', name: 'authz', port: 9090 }
  expect(await (await clusterAt(200, '<html>hello')).cluster.throughPod(pod, '/')).toEqual({
    status: 200,
    body: undefined,
  })
  expect(await stopOf((await clusterAt(400, 'no')).cluster.throughPod(pod, '/'))).toMatchObject({
    name: 'Refused',
    status: 400,
  })
})
