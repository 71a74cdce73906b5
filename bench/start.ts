/** From the start of the process to the first decision, with 10,000 ApiKeys in the folder: first start, and start again. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeFolder } from './folder.ts'

const KEYS = 10_000
const OFFSET = 22_000

const scratch = mkdtempSync(join(tmpdir(), 'keyward-start-'))

async function firstDecision(manifests: string, data: string, key: string): Promise<number> {
  const args = ['src/main.ts', 'standalone', '--manifests', manifests, '--data', data]
  const from = performance.now()
  const child = spawn(process.execPath, [...args, '--port-offset', String(OFFSET), '--log-level', 'warn'], {
    stdio: 'inherit',
  })
  try {
    for (;;) {
      if (performance.now() - from > 60_000) throw new Error('no decision within a minute')
      if ((await statusOf(key)) === 200) return performance.now() - from
      await sleep(10)
    }
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
}

async function statusOf(key: string): Promise<number> {
  const url = `http://127.0.0.1:${OFFSET + 9000}/check/forwarded`
  const headers = {
    'x-forwarded-method': 'GET',
    'x-forwarded-uri': '/v1/licenses',
    'x-forwarded-host': 'api.example.com',
    authorization: `Bearer ${key}`,
  }
  return fetch(url, { headers }).then(
    ({ status }) => status,
    () => 0,
  )
}

try {
  for (const perFile of [KEYS, 1]) {
    const manifests = join(scratch, `manifests-${perFile}`)
    const keys = writeFolder(manifests, KEYS, { perFile })
    for (const what of ['first start', 'start again', 'start again']) {
      const ms = await firstDecision(manifests, join(scratch, `data-${perFile}`), keys.at(-1) ?? '')
      console.log(
        `${what}, ${KEYS} keys in ${perFile === 1 ? KEYS : 1} file(s): ${(ms / 1000).toFixed(2)} s to the first decision`,
      )
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
