/** The programs and helpers that tests on real parts stand on. */
import { existsSync, readFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, createServer } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { makeAuthority } from '../support/certificates.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type Part, part } from '../support/parts.ts'
import { freePort, startProcess } from '../support/process.ts'
import { startRedis, startRedisCluster, startSentinels } from '../support/redis.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

const PARTS: readonly (readonly [Part, string, RegExp])[] = [
  ['envoy', '--version', /version: \w+\/1\.40\.0/],
  ['nginx', '-V', /nginx\/1\.[\s\S]*--with-http_auth_request_module/],
  ['caddy', 'version', /^v?2\./],
  ['haproxy', '-vv', /^HAProxy version 2\.[\s\S]*\+LUA/],
  ['redis-server', '--version', /^Redis server v=[78]\./],
  ['redis-cli', '--version', /^redis-cli [78]\./],
  ['h2load', '--version', /^h2load nghttp2\/1\./],
  ['ghz', '--version', /^(dev|v?0\.)/],
]

/** A zombie, which an init that does not care may leave behind, does not run. */
function runs(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false
  return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
}

describe('programs', () => {
  test.each(PARTS)('%s says its version', async (name, argument, expected) => {
    const asked = startProcess(part(name), [argument])
    expect(await asked.exited).toBe(0)
    expect(asked.output()).toMatch(expected)
  })

  test('a process that is killed takes its children with it', async () => {
    const parent = startProcess('/bin/sh', ['-c', 'sleep 600 & echo $!; wait'])
    const child = await until('the child runs', () => Number(parent.output()))
    await parent.kill()
    await until('the child is gone', () => !runs(child))
  })

  test('a process ends by SIGTERM even while it is stopped, and gives its exit code', async () => {
    const started = startProcess('/bin/sh', ['-c', 'trap "exit 7" TERM; echo up; while :; do sleep 0.05; done'])
    await until('it is up', () => started.output() === 'up\n')
    started.signal('SIGSTOP')
    expect(await started.stop()).toBe(7)
    expect(await started.stop()).toBe(7)
  })

  test('a command that is not there is told at once', () => {
    expect(() => startProcess('/nowhere/keyward', [])).toThrow("/nowhere/keyward can't be started")
  })

  test('no port is given twice', async () => {
    const ports = await Promise.all(Array.from({ length: 130 }, freePort))
    expect(new Set(ports).size).toBe(130)
  })
})

describe('Redis', () => {
  test('answers, says nothing while it is paused, and goes on', THREE_TRIALS, async () => {
    const redis = await startRedis()
    expect(await redis.cli('PING')).toBe('PONG')
    redis.pause()
    let answered = false
    const late = redis.cli('INCR', 'n').then((text) => {
      answered = true
      return text
    })
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(answered).toBe(false)
    redis.resume()
    expect(await late).toBe('1')
  })

  test('comes back on its port, with its data only where they were kept', async () => {
    const [kept, lost] = await Promise.all([startRedis({ persist: true }), startRedis()])
    for (const redis of [kept, lost]) {
      await redis.cli('SET', 'a', 'b')
      await redis.kill()
    }
    const [again, empty] = await Promise.all([kept.restart(), lost.restart()])
    expect([again.port, await again.cli('GET', 'a')]).toEqual([kept.port, 'b'])
    expect([empty.port, await empty.cli('GET', 'a')]).toEqual([lost.port, ''])
  })

  test('speaks TLS, and knows users', async () => {
    const authority = await makeAuthority()
    const redis = await startRedis({
      tls: await authority.issue(['localhost', '127.0.0.1']),
      clientCertificates: true,
      args: [...['--user', 'default', 'off'], ...['--user', 'keyward', 'on', '>secret', '~keyward:*', '+@all']],
    })
    expect(redis.url).toBe(`rediss://127.0.0.1:${redis.port}`)
    expect(await redis.cli('GET', 'keyward:a')).toBe('NOAUTH Authentication required.')
    const asUser = ['--user', 'keyward', '--pass', 'secret', '--no-auth-warning']
    expect(await redis.cli(...asUser, 'SET', 'keyward:a', 'b')).toBe('OK')
    expect(await redis.cli(...asUser, 'SET', 'b', 'b')).toMatch(/^NOPERM/)
  })

  test('fails over to a replica where Sentinels miss the master', THREE_TRIALS, async () => {
    const { master, replicas, masterPort } = await startSentinels()
    expect(await masterPort()).toBe(master.port)
    await master.kill()
    const port = await until(
      'another is the master',
      async () => {
        const named = await masterPort()
        return named === master.port ? undefined : named
      },
      60_000,
    )
    const next = replicas.find((replica) => replica.port === port)
    await until('it takes writes', async () => (await next?.cli('SET', 'a', 'b')) === 'OK')
  })

  test('shares the slots of a cluster', async () => {
    const { nodes } = await startRedisCluster()
    const answers = await Promise.all(nodes.map(({ cli }) => cli('SET', 'a', 'b')))
    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1)
    expect(answers.filter((answer) => answer.startsWith('MOVED 15495 127.0.0.1:'))).toHaveLength(2)
  })
})

describe('the fault proxy', () => {
  type Spoken = {
    readonly socket: Socket
    readonly ask: () => void
    readonly heard: () => string
    readonly gone: () => string
  }

  async function spoken(port: number): Promise<Spoken> {
    const socket = connectTcp(port, '127.0.0.1')
    let [heard, gone] = ['', '']
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      gone = error.code ?? error.message
    })
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve).once('error', () => resolve())
    })
    return { socket, ask: () => socket.write('PING\r\n'), heard: () => heard, gone: () => gone }
  }

  test('passes, delays, stalls, cuts, refuses and heals', THREE_TRIALS, async () => {
    const redis = await startRedis()
    const proxy = await startFaultProxy({ host: '127.0.0.1', port: redis.port })
    const first = await spoken(proxy.port)
    const answered = (times: number) => until(`answer ${times}`, () => first.heard() === '+PONG\r\n'.repeat(times))
    first.ask()
    await answered(1)

    proxy.delay(300)
    const asked = performance.now()
    first.ask()
    await answered(2)
    expect(performance.now() - asked).toBeGreaterThan(290)

    proxy.heal()
    proxy.stall()
    first.ask()
    const second = await spoken(proxy.port)
    second.ask()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect([first.heard(), second.heard(), proxy.connections()]).toEqual(['+PONG\r\n'.repeat(2), '', 2])
    proxy.heal()
    await answered(3)
    await until('the other is answered too', () => second.heard() === '+PONG\r\n')

    proxy.cut()
    await until('both are reset', () => first.gone() === 'ECONNRESET' && second.gone() === 'ECONNRESET')
    const third = await spoken(proxy.port)
    third.ask()
    await until('a new one works', () => third.heard() === '+PONG\r\n')

    proxy.refuse()
    expect((await spoken(proxy.port)).gone()).toBe('ECONNREFUSED')
    await until('the open one is reset', () => third.gone() === 'ECONNRESET')
    proxy.heal()
    const fourth = await spoken(proxy.port)
    fourth.ask()
    await until('it is let in again', () => fourth.heard() === '+PONG\r\n')

    await proxy.stop()
    await until('the end', () => fourth.gone() === 'ECONNRESET')
    expect((await spoken(proxy.port)).gone()).toBe('ECONNREFUSED')
  })
})

describe('certificates', () => {
  test('are trusted for their names by who trusts the authority, and by nobody else', async () => {
    const [authority, other] = await Promise.all([makeAuthority(), makeAuthority('another')])
    const { cert, key } = await authority.issue(['keys.example.com', '127.0.0.1'])
    const stale = await authority.issue(['keys.example.com'], {
      notAfter: new Date('2020-01-02'),
      notBefore: new Date('2020-01-01'),
    })
    const server = createServer({ cert, key, SNICallback: undefined })
    const port = await freePort()
    await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve))
    const said = (servername: string, ca: string) =>
      new Promise<string>((resolve) => {
        const socket = connectTls({ port, host: '127.0.0.1', servername, ca })
        socket.once('secureConnect', () => resolve(socket.end() && 'trusted'))
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      })
    expect(await said('keys.example.com', authority.ca)).toBe('trusted')
    expect(await said('', authority.ca)).toBe('trusted')
    expect(await said('other.example.com', authority.ca)).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await said('keys.example.com', other.ca)).toMatch(/UNABLE_TO_|SELF_SIGNED|SIGNATURE/)
    server.setSecureContext(stale)
    expect(await said('keys.example.com', authority.ca)).toBe('CERT_HAS_EXPIRED')
    await new Promise<void>((resolve) => void server.close(() => resolve()))
  })
})
