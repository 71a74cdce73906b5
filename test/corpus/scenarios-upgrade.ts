/** Scenarios of upgraded connections. */
import { expect } from 'vitest'
import { openRaw } from '../support/raw-client.ts'
import { until } from '../support/until.ts'
import type { Scenario } from './scenarios-keys.ts'
import { apiKey } from './world.ts'

const upgrade = (target: string, key: string): string =>
  `GET ${target} HTTP/1.1\r\nHost: api.test\r\nX-API-Key: ${key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

const CLOSED_WITHIN_MS = 5000

export const UPGRADE_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'UPG-ws-200': async ({ port, credentials, upstream }) => {
    const before = upstream.seen.length
    const connection = await openRaw(port)
    connection.send(upgrade('/api/ws-200', credentials.KEY_OK ?? ''))
    const { status } = await connection.response()
    expect([200, 502]).toContain(status)
    // were this a tunnel, these bytes would reach the upstream as they are
    connection.send('GET /admin/smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 300))
    connection.destroy()
    expect(upstream.seen.slice(before).map(({ target }) => target)).toEqual(['/api/ws-200'])
    expect([upstream.malformed, upstream.tunnels()]).toEqual([[], 0])
  },

  'UPG-ws-revoked-live': async ({ port, standalone, upstream }) => {
    standalone.edit('keys-tunnel.yaml', apiKey('tunnel'))
    const { key } = await standalone.key('team-a/tunnel')
    const connection = await openRaw(port)
    connection.send(upgrade('/api/ws', key))
    expect((await connection.response()).status).toBe(101)
    connection.send('ping')
    expect((await connection.bytes(4)).toString()).toBe('ping')
    expect(upstream.tunnels()).toBe(1)
    standalone.edit('keys-tunnel.yaml', apiKey('tunnel', 'state: Revoked'))
    await connection.ended(CLOSED_WITHIN_MS)
    connection.destroy()
    await until('the upstream has lost the tunnel as well', () => upstream.tunnels() === 0)
  },
}
