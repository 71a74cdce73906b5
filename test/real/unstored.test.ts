/** What takes away is in force while nothing can be stored: another process holds the database. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { ask } from '../support/ask.ts'
import { startStandalone } from '../support/standalone.ts'
import { THINGS, thingsKey } from '../support/things.ts'
import { THREE_TRIALS } from '../support/trials.ts'
import { until } from '../support/until.ts'

test(
  'a key that is revoked, regenerated or removed stops to work within a second, and stays so after a restart',
  THREE_TRIALS,
  async () => {
    const names = ['revoked', 'regenerated', 'removed', 'kept']
    const files = Object.fromEntries(names.map((name) => [`${name}.yaml`, thingsKey(name)]))
    const standalone = await startStandalone({ manifests: { 'around.yaml': THINGS, ...files } })
    const credentials = await Promise.all(names.map(async (name) => (await standalone.key(`team/${name}`)).key))
    const codes = (checkUrl: string) =>
      Promise.all(
        credentials.map(async (credential) => {
          const answer = await ask(`${checkUrl}/check/forwarded`, {
            key: credential,
            headers: { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/things', 'x-forwarded-host': 'api.test' },
          })
          return answer.status === 200 ? 'allowed' : (JSON.parse(answer.text) as { code: string }).code
        }),
      )
    expect(await codes(standalone.checkUrl)).toEqual(['allowed', 'allowed', 'allowed', 'allowed'])

    const database = new DatabaseSync(join(standalone.data, 'keyward.db'))
    database.exec('BEGIN IMMEDIATE')
    standalone.edit('revoked.yaml', thingsKey('revoked', '  state: Revoked\n'))
    standalone.edit('regenerated.yaml', thingsKey('regenerated', '  regenerate: 1\n'))
    standalone.remove('removed.yaml')
    const taken = JSON.stringify(['key_inactive', 'invalid_key', 'invalid_key', 'allowed'])
    await until(
      'all three are taken away',
      async () => JSON.stringify(await codes(standalone.checkUrl)) === taken,
      1500,
    )
    database.exec('ROLLBACK')
    database.close()

    expect((await standalone.key('team/regenerated', 2)).id).toBe((await standalone.key('team/regenerated')).id)
    await until('it is over', () => standalone.output().includes('manifest problem solved'))
    const told = standalone
      .output()
      .split('\n')
      .filter((line) => line.includes("can't be stored ("))
    expect(told.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
      'manifest problem',
      'manifest problem solved',
    ])
    await standalone.stop()
    const again = await startStandalone({ home: standalone.home })
    expect(JSON.stringify(await codes(again.checkUrl))).toBe(taken)
  },
)
