/** Kills a minting process again and again at random moments, and looks each time at what it left behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import { inForceAt } from '../../src/operator/plan.ts'
import type { Line } from '../contract/key-port.contract.ts'
import { apiKeyOf, openAll } from './kill-child.ts'

const CHILD = new URL('./kill-child.ts', import.meta.url).pathname

export type Rounds = { readonly lines: number; readonly kills: number }

export async function killRounds(kills: number, seed: number): Promise<Rounds> {
  const root = mkdtempSync(join(tmpdir(), 'keyward-kill-'))
  const [dir, newKeysFile] = [join(root, 'data'), join(root, 'new-keys.jsonl')]
  let dice = seed
  try {
    let round = 0
    // where the disk is slow little is done in a round: of a process that does nothing no kill proves anything
    for (; round < kills || (linesOf(newKeysFile).length <= kills && round < 10 * kills); round++) {
      dice = (dice * 48_271) % 2_147_483_647
      // some are killed while they start, most in full flight
      await killAfter(dice % 5 === 0 ? 'start' : 'begun', dice % 120, [dir, newKeysFile])
      await inspect(dir, newKeysFile)
    }
    const lines = linesOf(newKeysFile).length
    noPlaintextIn(dir, newKeysFile)
    return { lines, kills: round }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

async function killAfter(phase: 'start' | 'begun', delayMs: number, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  try {
    if (phase === 'begun') await Promise.race([once(child.stdout, 'data'), exited])
    await sleep(delayMs)
    expect(child.exitCode, 'the process ran until it was killed').toBeNull()
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

const linesOf = (file: string): readonly Line[] =>
  readFileSync(file, { encoding: 'utf8', flag: 'a+' })
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line)

function digestIn({ key }: Line): string {
  const parsed = parseCredential(key)
  if (!parsed.ok) throw new Error(parsed.problem)
  return digestOf(parsed.value)
}

/** First what the kill left, then what a new process makes of it. */
async function inspect(dir: string, newKeysFile: string): Promise<void> {
  const { store, accepted, keyring, secretOf } = openAll(dir, newKeysFile)
  try {
    const left = handedOut(newKeysFile)
    for (const { uid } of accepted.values()) {
      const secret = secretOf(uid)
      const given = secret === undefined ? [] : (left.get(secret.keyId) ?? [])
      if (secret?.current?.claimedAt !== undefined)
        expect(given.at(-1), 'what was confirmed is what was delivered last').toBe(secret.current.digest)
      if (secret?.previous !== undefined)
        expect(given, 'what works besides was delivered').toContain(secret.previous.digest)
    }
    keyring.load()
    await keyring.idle()
    const found = handedOut(newKeysFile)
    for (const form of accepted.values()) {
      const secret = secretOf(form.uid)
      const declared = { uid: form.uid, generation: form.generation, apiKey: apiKeyOf(form) }
      const { regenerate, overlapMs } = declared.apiKey.spec
      expect(secret?.current?.version, 'the version that is due').toBe(1 + regenerate)
      expect(secret?.current?.digest, 'the last line of a key is the one that works').toBe(
        found.get(secret?.keyId ?? '')?.at(-1),
      )
      const inForce = inForceAt(declared, secret, 0)
      if (overlapMs === 0) expect(inForce?.previous, 'without overlap nothing else works').toBeUndefined()
    }
    const alive = new Set([...accepted.values()].map(({ name }) => `default/${name}`))
    for (const name of store.secrets.names()) expect(alive, 'nothing is left of what is gone').toContain(name)
  } finally {
    await keyring.stop()
    await store.close()
  }
  expect(statSync(newKeysFile).mode & 0o777).toBe(0o600)
}

function handedOut(file: string): ReadonlyMap<string, readonly string[]> {
  const byKey = Map.groupBy(linesOf(file), ({ id }) => id)
  return new Map([...byKey].map(([id, lines]) => [id, lines.map(digestIn)]))
}

function noPlaintextIn(dir: string, newKeysFile: string): void {
  const bytes = readdirSync(dir).map((name) => readFileSync(join(dir, name)).toString('latin1'))
  for (const { secret } of linesOf(newKeysFile)) {
    expect(
      bytes.some((text) => text.includes(secret)),
      'no plaintext in any file of the store',
    ).toBe(false)
  }
}
