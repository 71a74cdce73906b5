import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { type Authz, startAuthz } from '../support/authz.ts'
import { type Authority, makeAuthority, type ServerCertificate } from '../support/certificates.ts'
import { grpcClient, outcomeOf } from '../support/grpc-check.ts'
import { type Standalone, startStandalone } from '../support/standalone.ts'
import { until } from '../support/until.ts'

const MANIFESTS = {
  'all.yaml': `apiVersion: keyward.dev/v1alpha1
kind: AccessNamespace
metadata: {name: acme}
spec: {type: organization}
---
apiVersion: keyward.dev/v1alpha1
kind: ProtectedApi
metadata: {name: things, namespace: team}
spec:
  environments: [{name: production, hosts: [api.test]}]
  routes: [{methods: [GET], path: /things, permission: "thing:read"}]
---
apiVersion: keyward.dev/v1alpha1
kind: ApiKey
metadata: {name: main, namespace: team}
spec: {accessNamespace: acme, environment: production, permissions: ["thing:read"]}
`,
}

const SERVER = ['localhost', '127.0.0.1']

let standalone: Standalone
let authority: Authority
let credential = ''
const folders: string[] = []
beforeAll(async () => {
  standalone = await startStandalone({ manifests: MANIFESTS })
  authority = await makeAuthority()
  credential = (await standalone.key('team/main')).key
})
afterAll(async () => {
  await standalone.stop()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-tls-'))
  folders.push(folder)
  return folder
}

const started = (tls: { readonly certFile: string; readonly keyFile: string }, clientCa?: string): Promise<Authz> =>
  startAuthz({
    home: standalone.home,
    args: [
      ...['--tls-cert', tls.certFile, '--tls-key', tls.keyFile],
      ...(clientCa === undefined ? [] : ['--client-ca', clientCa]),
    ],
  })

type Client = { readonly ca: string; readonly by?: ServerCertificate; readonly agent?: Agent }

/** The status that an HTTPS check answers with; rejects where there is no TLS between the two. */
function overHttps({ ports }: Authz, { ca, by, agent }: Client): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: '127.0.0.1',
      port: ports.check,
      path: '/check/forwarded',
      ca,
      ...(by && { cert: by.cert, key: by.key }),
      agent: agent ?? false,
      headers: {
        'x-api-key': credential,
        'x-forwarded-method': 'GET',
        'x-forwarded-uri': '/things',
        'x-forwarded-host': 'api.test',
      },
    })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      incoming.resume()
      incoming.on('end', () => resolve(incoming.statusCode ?? 0))
    })
    outgoing.end()
  })
}

const overGrpc = async ({ ports }: Authz, { ca, by }: Client): Promise<string> => {
  const secured = credentials.createSsl(Buffer.from(ca), by && Buffer.from(by.key), by && Buffer.from(by.cert))
  const client = grpcClient(`localhost:${ports.grpc}`, secured)
  return outcomeOf(await client.check({ host: 'api.test', path: '/things', key: credential }))
}

/** The serial number of the certificate that a server shows. */
const shown = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.ca, ALPNProtocols: ['h2', 'http/1.1'] }, () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? '')
      socket.destroy()
    })
    socket.on('error', reject)
  })

describe('with --tls-cert and --tls-key', () => {
  test('both checks speak TLS 1.2 and later only, and metrics stay plain', async () => {
    const authz = await started(await authority.issue(SERVER))
    const { ca } = authority
    expect(await overHttps(authz, { ca })).toBe(200)
    expect(await overGrpc(authz, { ca })).toBe('200')
    await expect(ask(`${authz.checkUrl}/check/nginx`)).rejects.toThrow()
    expect((await ask(`${authz.adminUrl}/metrics`)).text).toMatch(
      /keyward_tls_certificate_expiry_timestamp_seconds \d{10}/,
    )
    for (const port of [authz.ports.check, authz.ports.grpc]) {
      const old = new Promise((_, reject) => {
        const options = { host: '127.0.0.1', port, ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const
        connect({ ...options, ciphers: 'DEFAULT@SECLEVEL=0' }).on('error', reject)
      })
      await expect(old).rejects.toThrow(/alert protocol version|unsupported protocol|no protocols/)
    }
    expect(await authz.stop()).toBe(0)
  })

  test('standalone has the same flags', async () => {
    const tls = await authority.issue(SERVER)
    const own = await startStandalone({
      manifests: MANIFESTS,
      args: ['--tls-cert', tls.certFile, '--tls-key', tls.keyFile],
    })
    const port = Number(new URL(own.checkUrl).port)
    expect(await shown(port)).toBe(await shown(port + 1))
    await own.stop()
  })
})

describe('with --client-ca', () => {
  test('only a client with a certificate of that CA may ask', async () => {
    const clients = await makeAuthority('Clients')
    const authz = await started(await authority.issue(SERVER), clients.caFile)
    const { ca } = authority
    const [proxy, stranger] = [await clients.issue(['envoy']), await authority.issue(['envoy'])]
    const late = await clients.issue(['envoy'], { notAfter: new Date(Date.now() - 60_000) })
    expect(await overHttps(authz, { ca, by: proxy })).toBe(200)
    expect(await overGrpc(authz, { ca, by: proxy })).toBe('200')
    for (const by of [undefined, stranger, late]) {
      const client = { ca, ...(by && { by }) }
      await expect(overHttps(authz, client)).rejects.toThrow()
      await expect(overGrpc(authz, client)).rejects.toThrow()
    }
    await authz.stop()
  })
})

describe('a certificate that changes', () => {
  test('is taken over without a restart, and connections that are open go on', async () => {
    const folder = newFolder()
    const authz = await started(await authority.issue(SERVER, { folder }))
    const { ca } = authority
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const grpc = grpcClient(`localhost:${authz.ports.grpc}`, credentials.createSsl(Buffer.from(ca)))
    const asked = { host: 'api.test', path: '/things', key: credential }
    expect([await overHttps(authz, { ca, agent }), outcomeOf(await grpc.check(asked))]).toEqual([200, '200'])
    const before = await shown(authz.ports.check)
    await authority.issue(SERVER, { folder })
    await until('the new one is shown', async () => (await shown(authz.ports.check)) !== before)
    expect(await shown(authz.ports.grpc)).not.toBe(before)
    expect([await overHttps(authz, { ca, agent }), outcomeOf(await grpc.check(asked))]).toEqual([200, '200'])
    expect(await overHttps(authz, { ca })).toBe(200)
    await until('it is said', () => authz.output().includes('certificate exchanged'))
    agent.destroy()
    await authz.stop()
  })

  test('behind links that are swapped, as a Secret in a pod is', async () => {
    const folder = newFolder()
    for (const version of ['..1', '..2']) mkdirSync(join(folder, version))
    await authority.issue(SERVER, { folder: join(folder, '..1') })
    await authority.issue(SERVER, { folder: join(folder, '..2') })
    symlinkSync('..1', join(folder, '..data'))
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name))
    const authz = await started({ certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') })
    const before = await shown(authz.ports.check)
    symlinkSync('..2', join(folder, '..next'))
    renameSync(join(folder, '..next'), join(folder, '..data'))
    await until('the new one is shown', async () => (await shown(authz.ports.check)) !== before)
    await authz.stop()
  })

  test('and can not be used leaves the one before at work, and that is said', async () => {
    const folder = newFolder()
    const certificate = await authority.issue(SERVER, { folder })
    const authz = await started(certificate)
    const before = await shown(authz.ports.check)
    const other = await authority.issue(SERVER)
    const told = () => authz.output().split('certificate not exchanged').length - 1

    // at once: a file that is read while it is written would be told of as well
    const replace = (bytes: Buffer) => {
      writeFileSync(`${certificate.certFile}.new`, bytes)
      renameSync(`${certificate.certFile}.new`, certificate.certFile)
    }

    // half of the pair
    replace(readFileSync(other.certFile))
    await until('the mismatch is said', () => told() === 1)
    expect(authz.output()).toContain('it is not the key of the certificate')
    // half of the file
    replace(readFileSync(other.certFile).subarray(0, 200))
    await until('the half file is said', () => told() === 2)
    rmSync(certificate.keyFile)
    await until('the missing file is said', () => told() === 3)
    expect(await shown(authz.ports.check)).toBe(before)
    expect(await overHttps(authz, { ca: authority.ca })).toBe(200)

    copyFileSync(other.certFile, certificate.certFile)
    copyFileSync(other.keyFile, certificate.keyFile)
    await until('the whole pair is shown', async () => (await shown(authz.ports.check)) !== before)
    expect(authz.output()).not.toContain('PRIVATE')
    await authz.stop()
  })

  test('of clients counts for whoever connects from then on', async () => {
    const folder = newFolder()
    const caFile = join(folder, 'ca.crt')
    const [first, second] = [await makeAuthority('First'), await makeAuthority('Second')]
    copyFileSync(first.caFile, caFile)
    const authz = await started(await authority.issue(SERVER), caFile)
    const { ca } = authority
    const [old, young] = [await first.issue(['envoy']), await second.issue(['envoy'])]
    expect(await overHttps(authz, { ca, by: old })).toBe(200)
    copyFileSync(second.caFile, caFile)
    await until('the new CA counts', () => overHttps(authz, { ca, by: young }).catch(() => undefined))
    await expect(overHttps(authz, { ca, by: old })).rejects.toThrow()
    await authz.stop()
  })
})
