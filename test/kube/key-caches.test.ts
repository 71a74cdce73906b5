/** Who is woken by what others did. A fake API server. */
import { expect, test } from 'vitest'
import { openKeyCaches } from '../../src/kube/key-caches.ts'
import { aRun, once, REF } from '../operator/crash-scenarios.ts'
import { anApiKey, IMPORTED } from '../operator/make.ts'
import { fakeClusterHome } from '../support/fake-cluster-home.ts'

const OWN = 'keyward-system'

test('a revoked key whose tombstone was taken away is woken and puts it there again; that of a deleted key is gone', async () => {
  const home = await fakeClusterHome()
  const run = aRun(home)
  const spent = () =>
    home.server
      .all()
      .flatMap(({ metadata, data }) =>
        metadata.name.startsWith('keyward-tombstones-') ? Object.keys(data as object) : [],
      )
  await home.declare(anApiKey(), 'uid-1')
  await once(run)
  await home.withdraw(REF)
  await once(run)
  await home.declare(anApiKey({ delivery: IMPORTED }), 'uid-2')
  await once(run)
  await home.declare(anApiKey({ delivery: IMPORTED, state: 'Revoked' }), 'uid-2')
  await once(run)
  expect(spent().length).toBe(2)

  const woken: string[] = []
  openKeyCaches({
    client: home.server.client,
    namespace: OWN,
    reflect: home.server.reflect,
    wake: ({ name }) => woken.push(name),
    onTrouble: () => {},
    steadyMs: () => 0,
    jitter: () => 0,
  })
  woken.length = 0
  for (const { metadata } of home.server.all()) {
    if (!metadata.name.startsWith('keyward-tombstones-')) continue
    await home.server.client.send({ method: 'DELETE', path: `/api/v1/namespaces/${OWN}/configmaps/${metadata.name}` })
  }
  expect([woken, spent()]).toEqual([['main'], []])
  await once(run)
  expect(spent()).toEqual([IMPORTED.keyId])
})
