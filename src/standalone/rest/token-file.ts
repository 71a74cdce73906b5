/** The token of the API: made at the first start, in a file for its owner's eyes only. */
import { chmodSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Parsed } from '../../core/parsed.ts'

const OWNER_ONLY = 0o600
const BYTES = 32
const FORM = /^[A-Za-z0-9_-]{32,256}$/

/** A problem is a sentence for whoever starts the process. */
export function openToken(data: string, random: (count: number) => Uint8Array): Parsed<string> {
  const file = join(data, 'token')
  try {
    const token = (known(file) ?? made(file, Buffer.from(random(BYTES)).toString('base64url'))).trim()
    if (FORM.test(token)) return { ok: true, value: token }
    return {
      ok: false,
      problem: `${file} holds no token of 32 or more of A-Z a-z 0-9 _ -; without it a new one is made`,
    }
  } catch (error) {
    return { ok: false, problem: `${file} can't be used: ${error instanceof Error ? error.message : 'unknown'}` }
  }
}

function known(file: string): string | undefined {
  try {
    chmodSync(file, OWNER_ONLY)
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Whole or not at all, whenever the process ends. */
function made(file: string, token: string): string {
  const draft = `${file}.new`
  rmSync(draft, { force: true })
  writeFileSync(draft, `${token}\n`, { mode: OWNER_ONLY, flag: 'wx', flush: true })
  linkSync(draft, file)
  rmSync(draft)
  return token
}
