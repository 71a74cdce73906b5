/** `keyward` on a real API server, with the operator running: as people type it, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeAll, describe, expect, test } from 'vitest'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import { claim } from '../support/claimant.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { applyKey, getKey, keptOf, untilReady } from '../support/cluster-keys.ts'
import { kubeParts } from '../support/control-plane.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/until.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

let cluster: Cluster
let operator: Operator
/** With `keyward`, `kubectl-keyward` and `kubectl_complete-keyward` in it. */
let bin: string
/** Of whoever types the commands. */
let home: string
let tmp: string

type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

function runProgram(program: string, args: readonly string[], started?: (child: ChildProcess) => void): Promise<Ran> {
  const path = [bin, dirname(process.execPath), process.env.PATH].join(delimiter)
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: path, HOME: home, TMPDIR: tmp, KUBECONFIG: cluster.kubeconfig, KUBECTL_KUBERC: 'false' },
  })
  started?.(child)
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return Promise.all([text(child.stdout), text(child.stderr), ended]).then(([out, err, code]) => ({ code, out, err }))
}

const keyward = (...args: string[]): Promise<Ran> => runProgram('keyward', args)

const NEW = [
  '--access-namespace',
  'acme-web-eu',
  '--environment',
  'production',
  '--permissions',
  'customer:read,license:manage',
]

beforeAll(async () => {
  cluster = await startCluster()
  bin = join(cluster.dir, 'bin')
  home = join(cluster.dir, 'home')
  tmp = join(cluster.dir, 'tmp-of-commands')
  for (const folder of [bin, home, tmp]) mkdirSync(folder)
  for (const name of ['keyward', 'kubectl-keyward', 'kubectl_complete-keyward']) {
    // as npm puts an executable of a package there, but for the mode of the source
    symlinkSync(MAIN, join(bin, `${name}.ts`))
    writeFileSync(join(bin, name), `#!/bin/sh\nexec node "${join(bin, name)}.ts" "$@"\n`, { mode: 0o755 })
  }
  await cluster.apply(`
apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: acme}
spec: {type: organization, displayName: Acme}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: grants}
rules:
  - {apiGroups: [keyward.dev], resources: [accessnamespaces/permissions], resourceNames: [acme], verbs: ["customer:read", "license:manage"]}
  - {apiGroups: [keyward.dev], resources: [accessnamespaces], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: grants}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: grants}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: granters}]
`)
  operator = await startOperator(cluster)
  await operator.leads()
})

const shownIn = (out: string) => {
  const [, id = '', secret = '', key = ''] = /^ID {6}(\S+)\nSecret {2}(\S+)\nKey {5}(\S+)\n$/.exec(out) ?? []
  return { id, secret, key }
}

const digestIn = (key: string): string => {
  const parsed = parseCredential(key)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}

const claims = async (): Promise<readonly unknown[]> => {
  const { body } = await cluster.request('GET', '/apis/keyward.dev/v1alpha1/namespaces/default/apikeyclaims')
  return (body as { items: readonly unknown[] }).items
}

describe('create', () => {
  test('shows a credential once whose digest is stored, and acknowledges it', async () => {
    const { code, out, err } = await keyward(
      'create',
      'shop',
      ...NEW,
      '--display-name',
      'Shop',
      '--rate-limit',
      '600/1m',
    )
    expect([code, err]).toEqual([
      0,
      'apikey.keyward.dev/shop created; waiting for its credential\n' +
        'there is no AccessNamespace acme-web-eu: until there is one, every request with this key is refused\n' +
        'Copy it now: it is shown this once and kept nowhere.\n',
    ])
    const { id, secret, key } = shownIn(out)
    expect(key).toBe(`${id}_${secret}`)
    const [kept] = await keptOf(cluster, 'shop')
    expect(kept?.current?.digest).toBe(digestIn(key))
    expect(await claims()).toEqual([])
    await untilReady(cluster, 'shop', 'Active')
  })

  test('into a file of its owner, or into a Secret', async () => {
    const file = join(cluster.dir, 'key.json')
    const first = await keyward('create', 'to-file', ...NEW, '--out', file)
    expect([first.code, first.out]).toEqual([0, expect.stringMatching(/^ID {6}kw_prod_\S+\nKey {5}in the file /)])
    const { key } = JSON.parse(readFileSync(file, 'utf8')) as { key: string }
    expect([statSync(file).mode & 0o777, (await keptOf(cluster, 'to-file'))[0]?.current?.digest]).toEqual([
      0o600,
      digestIn(key),
    ])

    const second = await keyward('create', 'to-secret', ...NEW, '--out-secret', 'mine', '-o', 'json')
    expect([second.code, JSON.parse(second.out)]).toMatchObject([0, { name: 'to-secret', outSecret: 'mine' }])
    const { body } = await cluster.request('GET', '/api/v1/namespaces/default/secrets/mine')
    const { data } = body as { data: Record<string, string> }
    expect((await keptOf(cluster, 'to-secret'))[0]?.current?.digest).toBe(
      digestIn(Buffer.from(data.key ?? '', 'base64').toString()),
    )

    // what is there already is found out before there is a key
    const third = await keyward('create', 'nowhere', ...NEW, '--out-secret', 'mine')
    expect([third.code, third.err]).toEqual([
      1,
      'keyward create: --out-secret: there is a Secret mine in default already, and it is not overwritten: name another one\n',
    ])
    expect((await cluster.request('GET', '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys/nowhere')).status).toBe(
      404,
    )
  })

  test('as a trial changes nothing, and says what the API server says', async () => {
    const tried = await keyward('create', 'tried', ...NEW, '--dry-run=server', '-o', 'yaml')
    expect([tried.code, tried.out]).toEqual([0, expect.stringContaining('kind: ApiKey\n')])
    const taken = await keyward('create', 'shop', ...NEW, '--dry-run=server')
    expect([taken.code, taken.out]).toEqual([1, ''])
    expect(taken.err).toBe(
      'keyward create: apikeys.keyward.dev "shop" already exists\n  choose another name, or see what is there: keyward list -n default\n',
    )
    expect((await cluster.request('GET', '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys/tried')).status).toBe(
      404,
    )
  })

  test('for a workload waits until its Secret is there', async () => {
    const { code, out } = await keyward('create', 'workload', ...NEW, '--secret-name', 'workload-credential')
    expect([code, out]).toEqual([0, 'apikey.keyward.dev/workload created\n'])
    expect((await cluster.request('GET', '/api/v1/namespaces/default/secrets/workload-credential')).status).toBe(200)
  })
})

describe('who may not', () => {
  test('is told which role is missing, and who could give it', async () => {
    const { code, out, err } = await keyward(
      'create',
      'hers',
      ...NEW,
      '--as',
      'ana',
      '--as-group',
      'a',
      '--as-group',
      'b',
    )
    expect([code, out, err]).toEqual([
      1,
      '',
      'keyward create: ana may not create apikeys in the Kubernetes namespace default\n  an administrator can allow it: kubectl create rolebinding keyward-edit-ana -n default --clusterrole=keyward-edit --user=ana\n',
    ])
  })

  test('grant what a key asks for is told the whole of it: what is missing, and the rule that would allow it', async () => {
    await cluster.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: granters, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: keyward-edit}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: granters}]
`)
    await applyKey(cluster, 'theirs')
    const ben = ['--as', 'ben', '--as-group', 'granters']
    await until('the binding counts', async () => (await keyward('list', ...ben)).code === 0)
    const lacking = (verbs: string) =>
      `{apiGroup: rbac.authorization.k8s.io, kind: User, name: "ben"}, would allow it:
- apiGroups: [keyward.dev]
  resources: [accessnamespaces/permissions]
  resourceNames: ["acme-web-eu"]
  verbs: [${verbs}]
`
    const made = await keyward('create', 'hers', ...NEW, ...ben)
    expect([made.code, made.out, made.err]).toEqual([
      1,
      '',
      `keyward create: "ben" may not create ApiKey default/hers, since they may not grant this in access namespace acme-web-eu: customer:read, license:manage.
A ClusterRole with this rule, bound by a ClusterRoleBinding to
${lacking('"customer:read", "license:manage"')}`,
    ])
    const claimed = await keyward('claim', 'theirs', ...ben)
    expect([claimed.code, claimed.out]).toEqual([1, ''])
    expect(claimed.err).toMatch(
      /^waiting for version 1 of theirs\nkeyward claim: "ben" may not claim the credential of ApiKey default\/theirs, since /,
    )
    const again = await keyward('regenerate', 'theirs', '--yes', ...ben)
    expect([again.code, again.err]).toEqual([
      1,
      expect.stringMatching(/^keyward regenerate: "ben" may not widen spec\.regenerate of /),
    ])
    const own = [...NEW.with(1, 'acme'), ...ben]
    expect((await keyward('create', 'hers', ...own, '--dry-run=server')).code).toBe(0)
    expect((await keyward('suspend', 'theirs', ...ben)).code).toBe(0)
  })

  test('two groups arrive as two', async () => {
    await cluster.apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: qa, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: keyward-view}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: qa}]
`)
    const seen = await until('the binding counts', async () => {
      const ran = await keyward('list', '--as', 'ana', '--as-group', 'devs', '--as-group', 'qa', '-o', 'name')
      return ran.code === 0 ? ran : undefined
    })
    expect(seen.out).toContain('apikey.keyward.dev/shop\n')
  })
})

describe('looking', () => {
  test('list reads like the page: a row per key, and no line of it is obeyed by the terminal', async () => {
    await applyKey(cluster, 'spoiled', { displayName: 'red \u202e' })
    await untilReady(cluster, 'spoiled', 'AwaitingClaim')
    const { code, out } = await keyward('list')
    expect([code, out.split('\n')[0]?.split(/ {3,}/)]).toEqual([
      0,
      ['NAME', 'ID', 'ENVIRONMENT', 'ACCESS NAMESPACE', 'PERMISSIONS', 'LIMITS', 'STATUS', 'LAST USED', 'EXPIRES'],
    ])
    expect(out).toMatch(
      /^shop +kw_prod_\S+ +production +acme-web-eu +customer:read, license:manage +600\/1m +Active +never$/m,
    )
    expect(out).toMatch(/^spoiled +kw_\S+ .* Pending +never$/m)
    expect((await keyward('list', '-A', '-o', 'wide')).out).toContain('red \\u202e')
    expect(JSON.parse((await keyward('list', '-o', 'json')).out)).toMatchObject({ kind: 'List', apiVersion: 'v1' })
  })

  test('get says all there is to say, events too', async () => {
    await until('the hand-over is told', async () => (await keyward('get', 'shop')).out.includes('HandedOver'), 15_000)
    const { out } = await keyward('get', 'shop')
    expect(out).toMatch(/^Name: +shop$/m)
    expect(out).toMatch(/^Display name: +Shop$/m)
    expect(out).toMatch(/^Status: +Active$/m)
    expect(out).toMatch(/^ {2}license:manage +held$/m)
    expect(out).toMatch(/^Access namespace: +acme-web-eu \(there is none of this name\)$/m)
    expect(out).toMatch(/^ {2}Ready +True +Active/m)
    const absent = await keyward('get', 'nobody')
    expect([absent.code, absent.err]).toEqual([
      1,
      'keyward get: there is no ApiKey nobody in the Kubernetes namespace default; see: keyward list -n default, or -A for all namespaces\n',
    ])
  })
})

describe('explain', () => {
  const asked = (...more: readonly string[]) =>
    keyward('explain', '--host', 'shop.test', '--path', '/customers', '--key', ...more)

  test('by name and by key ID says which rule answers, and why', async () => {
    await cluster.apply(`
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: shop, namespace: default}
spec:
  environments: [{name: production, hosts: [shop.test]}]
  routes:
    - {methods: [GET], path: /customers, permission: "customer:read"}
    - {methods: [POST], path: /customers, permission: "customer:write"}
---
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: {name: explained, namespace: default}
spec: {accessNamespace: acme, environment: production, permissions: ["customer:read"]}
`)
    expect((await asked('explained')).out).toContain('401 invalid_key\n')
    expect((await keyward('claim', 'explained')).code).toBe(0)
    const { status } = await untilReady(cluster, 'explained', 'Active')
    const allowed = await asked(status?.keyId ?? '')
    expect([allowed.code, allowed.out.split('\n').slice(0, 3)]).toEqual([
      0,
      ['200 allowed', '  api          default/shop (production)', '  route        spec.routes[0] GET /customers'],
    ])
    const denied = JSON.parse((await asked('explained', '--method', 'POST', '-o', 'json')).out) as object
    expect(denied).toMatchObject({ answer: 'missing_permission', status: 403 })
  })

  test('to somebody who may see little says what that leaves open', async () => {
    const viewer = ['--as', 'vera', '--as-group', 'qa']
    const seen = await asked('explained', ...viewer)
    expect([seen.code, seen.out.split('\n')[0]]).toEqual([0, 'undecided'])
    expect(seen.out).toContain('you may not list the AccessNamespaces')
    expect((await asked('explained', ...viewer, '--method', 'POST')).out).toContain('403 missing_permission\n')
    const other = await asked('explained', ...viewer, '--host', 'other.test')
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('you may not list those of others')])
  })
})

describe('the life of a key', () => {
  test('a key that was made by hand is claimed once; a second claim says what to do', async () => {
    await applyKey(cluster, 'by-hand')
    const mine = await keyward('claim', 'by-hand')
    expect([mine.code, (await keptOf(cluster, 'by-hand'))[0]?.current?.digest]).toEqual([
      0,
      digestIn(shownIn(mine.out).key),
    ])
    const second = await keyward('claim', 'by-hand')
    expect([second.code, second.out]).toEqual([1, ''])
    expect(second.err).toContain('the claim was denied (AlreadyClaimed): version 1 was claimed before')
    expect(second.err).toContain('keyward regenerate by-hand -n default\n')
    expect(await claims()).toEqual([])
  })

  test('a key whose name is longer than what the API server keeps of a prefix is claimed like any other', async () => {
    const name = 'n'.repeat(70)
    const mine = await keyward('create', name, ...NEW)
    expect([mine.code, (await keptOf(cluster, name))[0]?.current?.digest]).toEqual([0, digestIn(shownIn(mine.out).key)])
    await applyKey(cluster, 'm'.repeat(58))
    const path = '/apis/keyward.dev/v1alpha1/namespaces/default/apikeys'
    const { spec } = await applyKey(cluster, 'm'.repeat(70))
    const made = await cluster.request('POST', path, {
      ...{ apiVersion: 'keyward.dev/v1alpha1', kind: 'ApiKey', spec },
      metadata: { generateName: `${'o'.repeat(70)}-` },
    })
    const { name: drawn } = (made.body as { metadata: { name: string } }).metadata
    for (const apiKey of ['m'.repeat(58), 'm'.repeat(70), drawn]) {
      // named after the whole key, as people do by hand
      const theirs = await claim(cluster, { apiKey })
      expect(await theirs.outcome()).toBe('Delivered')
      await theirs.acknowledge()
    }
  })

  test('regenerate gives another secret of the same ID, and the overlap is what was asked for', async () => {
    const before = await getKey(cluster, 'by-hand')
    const { code, out } = await keyward('regenerate', 'by-hand', '--overlap', '1h', '-o', 'json')
    const { id, key } = JSON.parse(out) as { id: string; key: string }
    expect([code, id]).toEqual([0, before?.status?.keyId])
    const [kept] = await keptOf(cluster, 'by-hand')
    expect(kept?.current).toMatchObject({ version: 2, digest: digestIn(key) })
    expect(kept?.previous).toBeDefined()
  })

  test('suspend, resume and revoke: what is for good is asked for, and can not be undone', async () => {
    expect(await keyward('suspend', 'by-hand', '--wait')).toMatchObject({
      code: 0,
      out: 'apikey.keyward.dev/by-hand suspended\n',
    })
    expect((await getKey(cluster, 'by-hand'))?.status?.phase).toBe('Inactive')
    expect((await keyward('list')).out).toMatch(/^by-hand .* Inactive \(suspended\)/m)
    expect(await keyward('resume', 'by-hand', '--wait')).toMatchObject({
      code: 0,
      out: 'apikey.keyward.dev/by-hand resumed\n',
    })
    expect((await getKey(cluster, 'by-hand'))?.status?.phase).toBe('Active')
    const unasked = await keyward('revoke', 'by-hand')
    expect([unasked.code, unasked.err]).toEqual([
      2,
      'keyward revoke: --yes is needed where nobody can be asked: a key that is revoked stays revoked\n',
    ])
    expect(await keyward('revoke', 'by-hand', '--yes')).toMatchObject({
      code: 0,
      out: 'apikey.keyward.dev/by-hand revoked\n',
    })
    expect((await keyward('resume', 'by-hand')).err).toContain('is revoked, and that is for good')
  })
})

describe('as a plugin of kubectl', () => {
  test('it is found, speaks of itself by that name, and takes the flags behind it', async () => {
    const [kubectl] = kubeParts('kubectl')
    const { code, out } = await runProgram(kubectl, ['keyward', 'list', '-n=default', '-o=name'])
    expect([code, out]).toEqual([0, expect.stringContaining('apikey.keyward.dev/shop\n')])
    const absent = await runProgram(kubectl, ['keyward', 'get', 'nobody'])
    expect(absent.err).toContain('see: kubectl keyward list -n default')
  })

  test('completes names of keys, access namespaces, and the permissions that one may grant there', async () => {
    const completed = async (...words: string[]) => (await runProgram('kubectl_complete-keyward', words)).out
    expect(await completed('get', 'sh')).toMatch(/^shop\tActive, production, Shop\n:4\n$/)
    expect(await completed('create', 'x', '--access-namespace', 'a')).toBe('acme\torganization, Acme\n:4\n')
    expect(await completed('list', '-n', 'keyward-s')).toBe('keyward-system\n:4\n')
    const granting = ['--as', 'ana', '--as-group', 'granters', '--access-namespace', 'acme']
    expect(await completed('create', 'x', ...granting, '--permissions', 'customer:read,')).toBe(
      'customer:read,license:manage\n:6\n',
    )
  })
})

describe('without an operator', () => {
  test('a claim is taken back in time, nothing is lost, and the key can be claimed later', async () => {
    await operator.stop()
    const waiting = await keyward('create', 'patient', ...NEW, '--timeout', '2s')
    expect([waiting.code, waiting.out, await claims()]).toEqual([1, '', []])
    expect(waiting.err).toContain("nobody handed over the credential within 2 s: is Keyward's operator running?")
    expect(waiting.err).toContain('keyward claim patient -n default')
    expect((await keyward('revoke', 'shop', '--yes')).code).toBe(0)

    let child: ChildProcess | undefined
    const interrupted = runProgram('keyward', ['claim', 'patient'], (started) => {
      child = started
    })
    await until('it is claimed', async () => (await claims()).length === 1)
    child?.kill('SIGINT')
    expect(await interrupted).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('interrupted: the key patient is there'),
    })
    expect(await claims()).toEqual([])
    operator = await startOperator(cluster)
    const later = await keyward('claim', 'patient')
    expect([later.code, (await keptOf(cluster, 'patient'))[0]?.current?.digest]).toEqual([
      0,
      digestIn(shownIn(later.out).key),
    ])
  })
})

test('no secret was ever in a log, a temporary file, or a claim that is left', async () => {
  const secret = /kw_prod_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/
  expect(cluster.auditLog()).not.toMatch(secret)
  expect(operator.output()).not.toMatch(secret)
  expect(await claims()).toEqual([])
  expect(readdirSync(tmp)).toEqual([])
  const left = readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(home, path)).isFile(),
  )
  // what our code and kubectl keep to be faster: of all keys above, nothing
  expect(left.filter((path) => !/^\.(cache\/keyward\/compiled|kube\/cache)\//.test(path))).toEqual([])
  expect(left.filter((path) => secret.test(readFileSync(join(home, path), 'latin1')))).toEqual([])
})
