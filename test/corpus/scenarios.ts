/** Every scenario that the standalone proxy can show, by the ID of its case. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { sendRaw } from '../support/raw-client.ts'
import { KEY_SCENARIOS, type Scenario } from './scenarios-keys.ts'
import { LOAD_SCENARIOS } from './scenarios-load.ts'
import { UPGRADE_SCENARIOS } from './scenarios-upgrade.ts'
import type { World } from './world.ts'

const OUTPUT_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'MISC-err-stack': async (world) => {
    const key = world.credentials.KEY_OK
    const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${key}\r\n\r\n`
    for (const target of ['/api/reset', '/api/garbage']) {
      const answer = await sendRaw(world.port, get(target))
      expect(answer?.status, target).toBe(502)
      tellsNothing(`${answer?.headers.join('\n')}\n${answer?.text}`)
      expect(answer?.header('x-request-id')).toMatch(/^[A-Za-z0-9._-]{1,128}$/)
    }
    const [checkPort, adminPort] = [world.standalone.checkUrl, world.standalone.adminUrl].map(
      (url) => new URL(url).port,
    )
    for (const port of [world.port, checkPort, adminPort].map(Number)) {
      for (const bytes of [
        'GET /%zz HTTP/1.1\r\nHost: [\r\n\r\n',
        'NONSENSE\r\n\r\n',
        get(`/check/envoy/%ff${'a'.repeat(20_000)}`),
      ]) {
        const answer = await sendRaw(port, bytes)
        tellsNothing(`${answer?.reason}\n${answer?.headers.join('\n')}\n${answer?.text}`)
      }
    }
  },

  'MISC-traefik-maxresp': async (world) => {
    const port = Number(new URL(world.standalone.checkUrl).port)
    for (const uri of [`/api/${'a'.repeat(8000)}`, '/api/../x', '/admin/users', '/nowhere']) {
      for (const key of [undefined, world.credentials.KEY_OK, world.credentials.KEY_REVOKED]) {
        const answer = await sendRaw(
          port,
          'GET /check/forwarded HTTP/1.1\r\nHost: keyward\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: api.test\r\n' +
            `X-Forwarded-Uri: ${uri}\r\n${key === undefined ? '' : `X-API-Key: ${key}\r\n`}\r\n`,
        )
        expect(answer?.body.length).toBeLessThan(1024)
      }
    }
  },

  'MISC-log-secret': async (world) => {
    const places = [
      ['log', world.standalone.output()],
      ['metrics', await world.metrics()],
      ...filesBelow(world.standalone.data),
    ] as const
    expect(places.length).toBeGreaterThan(2)
    for (const [fixture, key] of Object.entries(world.credentials)) {
      // a token has its own `_`, anywhere
      const secret = key.startsWith('kw_') ? key.slice(key.lastIndexOf('_') + 1) : key
      const forms = [secret, base64Core(secret), Buffer.from(secret).toString('hex'), [...secret].reverse().join('')]
      for (const [place, text] of places) {
        for (const form of forms) expect(text.includes(form), `${fixture} in ${place}`).toBe(false)
      }
    }
  },
}

/** Base64 without its first and last letters, which depend on what stands beside it. */
const base64Core = (text: string): string => Buffer.from(text).toString('base64').slice(4, -4)

/** A stack, a path of a source file, a version. */
function tellsNothing(text: string): void {
  expect(text).not.toMatch(/\bat .*\(|node:|node_modules|\.ts\b|\.js\b|\bv?\d+\.\d+\.\d+\b|^server$|^x-powered-by$/im)
}

/** Each file with its content; what is renamed away meanwhile is there by its other name. */
function filesBelow(folder: string): readonly (readonly [string, string])[] {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return names.flatMap(({ parentPath, name }) => {
    const path = join(parentPath, name)
    try {
      return [[path, readFileSync(path, 'latin1')] as const]
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  })
}

export const SCENARIOS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  ...KEY_SCENARIOS,
  ...UPGRADE_SCENARIOS,
  ...LOAD_SCENARIOS,
  ...OUTPUT_SCENARIOS,
}
