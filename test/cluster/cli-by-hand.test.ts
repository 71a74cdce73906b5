/** A key is claimed with kubectl and a JOSE library alone: the very lines of docs/cli.md are run. */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeAll, expect, test } from 'vitest'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { applyKey, keptOf } from '../support/cluster-keys.ts'
import { kubeParts } from '../support/control-plane.ts'
import { startOperator } from '../support/operator.ts'

const ROOT = join(import.meta.dirname, '../..')
const page = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8')
const byHand = page.slice(page.indexOf('## By hand'))
const blockOf = (language: string): string => byHand.split(`\`\`\`${language}\n`)[1]?.split('```\n')[0] ?? ''

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster()
  await (await startOperator(cluster)).leads()
})

test('by hand, as the docs say it', async () => {
  await applyKey(cluster, 'storefront')
  const folder = join(cluster.dir, 'by-hand')
  mkdirSync(folder)
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'claim.mjs'), blockOf('js'))
  const [kubectl] = kubeParts('kubectl')
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', blockOf('sh')], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: [dirname(kubectl), dirname(process.execPath), process.env.PATH].join(delimiter),
      HOME: folder,
      KUBECONFIG: cluster.kubeconfig,
      KUBECTL_KUBERC: 'false',
    },
  })
  const [out, err] = await Promise.all([text(shell.stdout), text(shell.stderr)])
  expect(err).toBe('')
  const line = out.split('\n').find((one) => one.startsWith('{')) ?? '{}'
  const { id, secret, key } = JSON.parse(line) as Record<string, string>
  expect(key).toBe(`${id}_${secret}`)
  const parsed = parseCredential(key ?? '')
  if (!parsed.ok) throw new Error(parsed.problem)
  expect((await keptOf(cluster, 'storefront'))[0]?.current?.digest).toBe(digestOf(parsed.value))
  const { body } = await cluster.request('GET', '/apis/keyward.dev/v1alpha1/apikeyclaims')
  expect((body as { items: readonly unknown[] }).items).toEqual([])
})
