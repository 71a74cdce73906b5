/** `keyward create`: a credential is shown once and then acknowledged, and nothing is lost on the way. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Cluster, Stored } from '../../src/cli/cluster.ts'
import { type CreateOptions, createKey } from '../../src/cli/create-key.ts'
import { Refused, Unreachable } from '../../src/cli/refused.ts'
import { delivers, denies, fakeCluster, fakeTerminal, theCredential } from '../support/fake-cli-cluster.ts'
import { leaksOf } from '../support/leaks.ts'
import { aCredential } from '../support/make.ts'

const asked = (more: Partial<CreateOptions> = {}): CreateOptions => ({
  name: 'main',
  namespace: 'team-web',
  placed: () => {},
  flags: { accessNamespace: 'acme-web-eu', environment: 'production', permissions: ['customer:read'] },
  ...{ dryRun: false, wait: true, out: undefined, outSecret: undefined, output: 'text', timeoutMs: 10_000 },
  ...more,
})

function aFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'keyward-create-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const shown = `ID      ${theCredential.keyId}\nSecret  ${theCredential.text.slice(theCredential.keyId.length + 1)}\nKey     ${theCredential.text}\n`

const leaks = (text: string) => leaksOf(theCredential, Buffer.from(text))

test('makes the key, claims version 1, shows it once, and acknowledges: in this order', async () => {
  const cluster = fakeCluster({ answer: delivers() })
  const order: string[] = []
  const terminal = fakeTerminal({ onOut: () => order.push(...cluster.writes, 'shown') })
  expect(await createKey(cluster, asked(), terminal)).toBe(0)
  const [, claim = ''] = cluster.writes
  expect(order).toEqual(['create apikeys/team-web/main', claim, 'shown'])
  expect(cluster.writes.at(-1)).toBe(claim.replace('create', 'remove'))
  expect(terminal.said.out).toBe(shown)
  expect(leaks(terminal.said.err)).toEqual([])
})

test('the claim holds a public key and nothing private, and pins the version', async () => {
  let seen: unknown
  const cluster = fakeCluster({
    answer: (claim) => {
      seen = claim.spec
      return delivers()(claim)
    },
  })
  await createKey(cluster, asked(), fakeTerminal())
  expect(seen).toEqual({
    apiKey: 'main',
    version: 1,
    publicJwk: { kty: 'EC', crv: 'P-256', x: expect.stringMatching(/^.{43}$/), y: expect.stringMatching(/^.{43}$/) },
  })
})

describe('where it goes', () => {
  test('as JSON, with the name of the key', async () => {
    const terminal = fakeTerminal()
    await createKey(fakeCluster({ answer: delivers() }), asked({ output: 'json' }), terminal)
    expect(JSON.parse(terminal.said.out)).toMatchObject({
      namespace: 'team-web',
      name: 'main',
      key: theCredential.text,
    })
  })

  test('into a file, and nothing of it to the terminal', async () => {
    const out = join(aFolder(), 'key.json')
    const terminal = fakeTerminal()
    await createKey(fakeCluster({ answer: delivers() }), asked({ out }), terminal)
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ key: theCredential.text })
    expect(leaks(terminal.said.out + terminal.said.err)).toEqual([])
  })

  test('what is in the file has arrived, whether or not anybody reads that it is there', async () => {
    const out = join(aFolder(), 'key.json')
    const terminal = fakeTerminal({
      onOut: () => {
        throw new Error('EPIPE')
      },
    })
    const cluster = fakeCluster({ answer: delivers() })
    expect(await createKey(cluster, asked({ out }), terminal)).toBe(0)
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ key: theCredential.text })
    expect(cluster.writes.at(-1)).toMatch(/^remove apikeyclaims/)
  })

  test('a file that is there already is found out before there is a key', async () => {
    const out = join(aFolder(), 'key.json')
    writeFileSync(out, 'mine')
    const cluster = fakeCluster({ answer: delivers() })
    await expect(createKey(cluster, asked({ out }), fakeTerminal())).rejects.toMatchObject({
      exitCode: 1,
      message: `--out: ${out} exists already, and is not overwritten`,
    })
    expect([cluster.writes, readFileSync(out, 'utf8')]).toEqual([[], 'mine'])
  })

  test('a file for a key that is refused is not left behind', async () => {
    const out = join(aFolder(), 'key.json')
    const refuse = (): Refused => new Refused({ status: 403, reason: 'Forbidden', message: 'no' })
    await expect(createKey(fakeCluster({ refuse }), asked({ out }), fakeTerminal())).rejects.toBeInstanceOf(Refused)
    expect(existsSync(out)).toBe(false)
  })

  test.each(['json', 'yaml'] as const)(
    'a Secret is named in %s as what it is, and not as the part of a key',
    async (output) => {
      const terminal = fakeTerminal()
      const cluster = fakeCluster({ answer: delivers() })
      expect(await createKey(cluster, asked({ outSecret: 'mine', output }), terminal)).toBe(0)
      expect(terminal.said.out).toMatch(output === 'json' ? /"outSecret": "mine"\n/ : /^outSecret: mine$/m)
      expect(terminal.said.out).not.toMatch(/\bsecret\b/)
    },
  )

  test('a Secret that may not be made is found out before there is a key', async () => {
    const refuse = (write: string) =>
      write.startsWith('secret') ? new Refused({ status: 403, reason: 'Forbidden', message: '' }) : undefined
    const cluster = fakeCluster({ answer: delivers(), refuse })
    await expect(createKey(cluster, asked({ outSecret: 'mine' }), fakeTerminal())).rejects.toThrow(
      '--out-secret: you may not create Secrets in team-web',
    )
    expect(cluster.writes).toEqual([])
  })

  test.each([
    [{ out: 'a', outSecret: 'b' }, '--out and --out-secret: one of them'],
    [
      { output: 'name' as const },
      '--output name shows no credential: say with --out or --out-secret where it is to go',
    ],
  ])('%j is said to be wrong', async (more, words) => {
    await expect(createKey(fakeCluster(), asked(more), fakeTerminal())).rejects.toMatchObject({
      exitCode: 2,
      message: words,
    })
  })
})

describe('nothing is lost', () => {
  test('when nobody answers: the claim is taken back, and how to claim it later is said', async () => {
    const cluster = fakeCluster()
    await expect(createKey(cluster, asked(), fakeTerminal())).rejects.toThrow('keyward claim main -n team-web')
    expect([...cluster.objects.keys()]).toEqual(['apikeys/team-web/main'])
  })

  test('when somebody interrupts', async () => {
    const cluster = fakeCluster()
    const terminal = fakeTerminal({ onPause: () => terminal.interrupt() })
    await expect(createKey(cluster, asked(), terminal)).rejects.toThrow(
      'interrupted: the key main is there, and nobody has version 1 of its credential. Claim it: keyward claim main -n team-web',
    )
    expect([...cluster.objects.keys()]).toEqual(['apikeys/team-web/main'])
  })

  test('when somebody interrupts before there is a claim: then there will be none', async () => {
    const cluster = fakeCluster({ answer: delivers() })
    const terminal = fakeTerminal()
    terminal.interrupt()
    await expect(createKey(cluster, asked(), terminal)).rejects.toThrow('Claim it: keyward claim main -n team-web')
    expect(cluster.writes).toEqual(['create apikeys/team-web/main'])
  })

  test('when the API server goes: it is waited for, and where it does not come back, what is left there is said', async () => {
    const away = { ...fakeCluster(), get: () => Promise.reject(new Unreachable('away')) }
    const gone = { ...away, removeClaim: () => Promise.reject(new Unreachable('away')) }
    await expect(createKey(gone, asked(), fakeTerminal())).rejects.toThrow(
      /^the API server is away, so the claim main-x\d could not be taken back\. Once it is there again: keyward claim main -n team-web; where that says AlreadyClaimed: keyward regenerate main -n team-web$/,
    )
  })

  test('what was delivered at the last moment is shown after all', async () => {
    let looks = 0
    const cluster = fakeCluster({
      answer: async (claim) => {
        looks += 1
        // the look behind the first pause finds nothing; the interruption comes; then it is there
        return looks < 2 ? undefined : delivers()(claim)
      },
    })
    const { removeClaim } = cluster
    const terminal = fakeTerminal({ onPause: () => terminal.interrupt() })
    const racing = {
      ...cluster,
      removeClaim: async (...[ref, was]: Parameters<typeof removeClaim>) => {
        await cluster.get('apikeyclaims', ref)
        return removeClaim(ref, was)
      },
    }
    expect(await createKey(racing, asked(), terminal)).toBe(0)
    expect(terminal.said.out).toBe(shown)
  })

  test('what nobody reads is not acknowledged', async () => {
    const cluster = fakeCluster({ answer: delivers() })
    const terminal = fakeTerminal({
      onOut: () => {
        throw new Error('EPIPE')
      },
    })
    await expect(createKey(cluster, asked(), terminal)).rejects.toThrow('keyward regenerate main -n team-web')
    expect(cluster.writes.some((write) => write.startsWith('remove'))).toBe(false)
  })

  test('a denial says what to do, and the claim is gone', async () => {
    const cluster = fakeCluster({ answer: denies('AlreadyClaimed', 'version 1 was claimed before') })
    await expect(createKey(cluster, asked(), fakeTerminal())).rejects.toThrow(
      'the claim was denied (AlreadyClaimed): version 1 was claimed before\nsomebody else claimed it first (keyward get main -n team-web says who; a standalone with --new-keys does, and writes it there). For a new one: keyward regenerate main -n team-web',
    )
    expect([...cluster.objects.keys()]).toEqual(['apikeys/team-web/main'])
  })

  test('a claim of which nobody is known to have made it is to be made again', async () => {
    const cluster = fakeCluster({
      answer: denies('NotPermitted', 'nobody is known to have made this claim (no stamp)'),
    })
    await expect(createKey(cluster, asked(), fakeTerminal())).rejects.toThrow(
      'the claim was denied (NotPermitted): nobody is known to have made this claim (no stamp)\nwhen that is mended and the operator runs, make the claim again: keyward claim main -n team-web',
    )
  })

  test.each([
    ['for somebody else', async () => ({ jwe: (await sealedElsewhere()) ?? '' })],
    ['that is no text of ours', async () => ({ jwe: 'not.a.jwe' })],
  ])('something sealed %s is no credential, and is not quoted', async (_what, jwe) => {
    const answer = async () => ({ ...(await jwe()), conditions: [{ type: 'Finished', status: 'True' }] })
    await expect(createKey(fakeCluster({ answer }), asked(), fakeTerminal())).rejects.toThrow(
      'what was handed over is no credential sealed to this command',
    )
  })
})

async function sealedElsewhere(): Promise<string | undefined> {
  let jwe: string | undefined
  const answer = delivers(aCredential())
  await createKey(
    fakeCluster({
      answer: async (claim) => {
        const status = await answer(claim)
        jwe = (status as { jwe: string }).jwe
        return status
      },
    }),
    asked(),
    fakeTerminal(),
  )
  return jwe
}

test('every problem is named at once, by its flag, before anything is asked of the server', async () => {
  const cluster = fakeCluster()
  const flags = { environment: 'prod', permissions: ['Customer'], rateLimit: '600', burst: '7', expiresIn: 'soon' }
  const failed = createKey(cluster, asked({ name: 'Main', flags }), fakeTerminal())
  await expect(failed).rejects.toMatchObject({ exitCode: 2 })
  const { message } = (await failed.catch((error: unknown) => error)) as Error
  const named = message.split('\n').map((line) => line.split(':', 1)[0])
  expect(named.toSorted()).toEqual([
    '--access-namespace',
    '--environment',
    '--expires-in',
    '--permissions',
    '--rate-limit',
    'NAME',
  ])
  expect(cluster.writes).toEqual([])
})

test.each([
  ['that is not there: until it is, the key opens nothing', [], true],
  ['that is there', ['acme-web-eu'], false],
])('an access namespace %s', async (_what, there, isSaid) => {
  const cluster = fakeCluster({ answer: delivers() })
  for (const name of there) cluster.objects.set(`accessnamespaces/${name}`, named(name))
  const terminal = fakeTerminal()
  expect(await createKey(cluster, asked(), terminal)).toBe(0)
  const words = 'there is no AccessNamespace acme-web-eu: until there is one, every request with this key is refused\n'
  expect(terminal.said.err.includes(words)).toBe(isSaid)
})

const named = (name: string): Stored => ({
  metadata: { name, uid: 'u', resourceVersion: '1', creationTimestamp: '' },
})

describe('without a name', () => {
  test('and nobody to ask, it is called wrongly', async () => {
    await expect(createKey(fakeCluster(), asked({ name: undefined }), fakeTerminal())).rejects.toMatchObject({
      exitCode: 2,
    })
  })

  test('a person is asked for everything, and chooses from what they may grant', async () => {
    const rules = [
      {
        apiGroups: ['keyward.dev'],
        resources: ['accessnamespaces/permissions'],
        resourceNames: ['acme-web-eu'],
        verbs: ['customer:read', 'license:manage', 'of:one-namespace-only'],
      },
    ]
    const cluster = fakeCluster({ answer: delivers(), rules, grants: ['customer:read', 'license:manage'] })
    cluster.objects.set('accessnamespaces/acme-web-eu', {
      ...named('acme-web-eu'),
      spec: { type: 'workspace', displayName: 'Acme Web EU' },
    })
    const terminal = fakeTerminal({
      answers: ['shop', 'Shop', '1', 'staging', '1-2', 'soon', '90d', 'many', '600/1m', 'y'],
    })
    expect(await createKey(cluster, asked({ name: undefined, flags: {} }), terminal)).toBe(0)
    expect(terminal.said.err).toContain('   1) acme-web-eu  workspace, Acme Web EU\n')
    expect(terminal.said.err).toContain('   2) license:manage\n')
    expect(terminal.said.err).not.toContain('of:one-namespace-only')
    expect(terminal.said.err).toContain('never): a number of s, m, h or d, such as 90d\n')
    expect(terminal.said.err).toContain(
      'keyward create shop -n team-web --access-namespace acme-web-eu --environment staging --permissions customer:read,license:manage --display-name Shop --expires-at 2027-02-20T12:00:00Z --rate-limit 600/1m\n',
    )
    expect(cluster.objects.get('apikeys/team-web/shop')?.spec).toEqual({
      displayName: 'Shop',
      accessNamespace: 'acme-web-eu',
      environment: 'staging',
      permissions: ['customer:read', 'license:manage'],
      expiresAt: '2027-02-20T12:00:00Z',
      rateLimit: { requests: 600, per: '1m' },
    })
  })

  test('the command line that is shown holds every flag that was given', async () => {
    const flags = {
      ...{ displayName: "Shop's", accessNamespace: 'acme', environment: 'staging', permissions: ['a:b', 'c:d'] },
      ...{ customers: ['globex', 'initech'], expiresAt: '2027-02-20T12:00:00Z', rateLimit: '600/1m', burst: '10' },
      ...{ quota: '1000/day', allowedCidrs: ['203.0.113.0/24', '2001:db8::/32'], overlap: '1h', rotateEvery: '720h' },
      secretName: 'shop-key',
    }
    const terminal = fakeTerminal({ answers: ['shop', 'y'] })
    await createKey(fakeCluster(), asked({ name: undefined, flags, wait: false }), terminal)
    expect(terminal.said.err).toContain(
      "  keyward create shop -n team-web --access-namespace acme --environment staging --permissions a:b,c:d --display-name 'Shop'\\''s' --customers globex,initech --expires-at 2027-02-20T12:00:00Z --rate-limit 600/1m --burst 10 --quota 1000/day --allowed-cidrs 203.0.113.0/24,2001:db8::/32 --overlap 1h --rotate-every 720h --secret-name shop-key\n",
    )
  })

  const answering = (...answers: readonly string[]) => ({
    terminal: fakeTerminal({ answers: [...answers, 'acme', '1', 'a:b', '', '', 'y'] }),
    placed: [] as string[],
  })

  const createdBy = async (cluster: Cluster, { terminal, placed }: ReturnType<typeof answering>) => {
    const options = asked({ name: undefined, namespace: undefined, flags: { displayName: 'Shop' } })
    await createKey(cluster, { ...options, placed: (namespace) => placed.push(namespace) }, terminal)
    return placed
  }

  test('and no Kubernetes namespace, that of the context is offered, and another must be there', async () => {
    const cluster = fakeCluster({ answer: delivers() })
    cluster.objects.set('namespaces/team-shop', named('team-shop'))
    const person = answering('shop', 'Team', 'team-shoe', 'team-shop')
    expect(await createdBy(cluster, person)).toEqual(['team-shop'])
    expect(person.terminal.said.err).toContain(
      'Kubernetes namespace (empty: team-web): lower-case letters, digits and - only, at most 63, beginning and ending with a letter or digit\n' +
        'Kubernetes namespace (empty: team-web): there is no Kubernetes namespace team-shoe\n',
    )
    expect(person.terminal.said.err).toContain('  keyward create shop -n team-shop --access-namespace acme ')
    expect(cluster.writes[0]).toBe('create apikeys/team-shop/shop')
  })

  test('Enter takes that of the context, also where one may not look at it', async () => {
    const cluster = fakeCluster({ answer: delivers() })
    const forbidden = new Refused({ status: 403, reason: 'Forbidden', message: '' })
    const hiding: Cluster = {
      ...cluster,
      get: (kind, ref) => (kind === 'namespaces' ? Promise.reject(forbidden) : cluster.get(kind, ref)),
    }
    expect(await createdBy(hiding, answering('shop', ''))).toEqual(['team-web'])
    expect(cluster.writes[0]).toBe('create apikeys/team-web/shop')
  })

  test('and a no, nothing is made', async () => {
    const cluster = fakeCluster()
    const terminal = fakeTerminal({ answers: ['shop', '', 'acme', '1', 'a:b', '', '', 'n'] })
    await expect(createKey(cluster, asked({ name: undefined, flags: {} }), terminal)).rejects.toThrow(
      'nothing was created',
    )
    expect(cluster.writes).toEqual([])
  })
})
