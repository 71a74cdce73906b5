/** `--new-keys`: one JSON line for each version, durable before the version counts as handed over. The only way out for plaintext. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Parsed } from '../core/parsed.ts'
import type { Plaintext } from '../core/plaintext.ts'
import { Trouble } from '../core/trouble.ts'
import { makeBatch } from './batch.ts'

export type NewKey = {
  readonly namespace: string
  readonly name: string
  readonly plaintext: Plaintext
  /** Asked at the last moment; no: somebody else hands this key over, and this line must not come after theirs. */
  readonly mayDeliver: () => boolean
}

export type NewKeys = {
  /** Resolves when the line is where it will be found after a crash. */
  readonly deliver: (key: NewKey) => Promise<void>
}

const LINES_AT_ONCE = 512
const OWNER_ONLY = 0o600
const LINE_FEED = 0x0a

/** Appended to a file; a problem is a sentence for whoever starts the process. */
export function openNewKeysFile(path: string): Parsed<NewKeys> {
  const file = resolve(path)
  try {
    const known = statSync(file, { throwIfNoEntry: false })
    if (known !== undefined && !known.isFile()) {
      return { ok: false, problem: `--new-keys ${path} is not a regular file; "-" is standard output` }
    }
    append(file, [])
  } catch (error) {
    return { ok: false, problem: `--new-keys ${path} can't be written: ${reasonOf(error)}` }
  }
  const batch = makeBatch<NewKey>(LINES_AT_ONCE, (keys) => append(file, keys))
  return { ok: true, value: { deliver: batch.add } }
}

/** A reader that does not read must not keep a process from starting or ending. */
const READ_WITHIN_MS = 10_000

/** For standard output: durable is what the reader makes of it. */
export function newKeysTo(write: (line: string) => Promise<void>, withinMs = READ_WITHIN_MS): NewKeys {
  const batch = makeBatch<NewKey>(LINES_AT_ONCE, async (keys) => {
    const outcomes: (Error | undefined)[] = []
    let stuck: Error | undefined
    for (const key of keys) {
      if (stuck === undefined && key.mayDeliver()) {
        stuck = await within(withinMs, write(lineOf(key))).then(() => undefined, unwritable)
        outcomes.push(stuck)
      } else outcomes.push(stuck ?? takenOver())
    }
    return outcomes
  })
  return { deliver: batch.add }
}

/** What was given to a stream can't be taken back: the line may still come, before the one that is good. */
async function within(ms: number, written: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`not taken within ${ms} ms`)), ms)
  try {
    await Promise.race([written, promise])
  } finally {
    clearTimeout(timer)
  }
}

const lineOf = ({ namespace, name, plaintext }: NewKey): string =>
  `${JSON.stringify({ namespace, name, ...plaintext.reveal() })}\n`

const takenOver = () => new Trouble('taken_over', 'retry')
const unwritable = (cause: unknown) => new Trouble('new_keys_unwritable', 'retry', cause)

/** Opened anew each time, so that a file that was read and removed is made again and no line goes where nobody looks. */
function append(file: string, keys: readonly NewKey[]): readonly (Error | undefined)[] {
  try {
    const fd = openSync(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, OWNER_ONLY)
    try {
      return appendTo(fd, file, keys)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw unwritable(error)
  }
}

function appendTo(fd: number, file: string, keys: readonly NewKey[]): readonly (Error | undefined)[] {
  fchmodSync(fd, OWNER_ONLY)
  const { size } = fstatSync(fd)
  // what a full disk cut off is left alone, but no line is glued to it
  let before = size > 0 && lastByte(fd, size) !== LINE_FEED ? '\n' : ''
  const outcomes: (Error | undefined)[] = []
  for (const key of keys) {
    if (!key.mayDeliver()) {
      outcomes.push(takenOver())
      continue
    }
    writeWhole(fd, before + lineOf(key))
    before = ''
    outcomes.push(undefined)
  }
  fsyncSync(fd)
  if (size === 0) syncFolder(dirname(file))
  if (fstatSync(fd).nlink === 0) throw new Error('removed while it was written')
  return outcomes
}

function lastByte(fd: number, size: number): number | undefined {
  const byte = new Uint8Array(1)
  readSync(fd, byte, 0, 1, size - 1)
  return byte[0]
}

/** One write; a second only where the disk took less, and then it says why. */
function writeWhole(fd: number, line: string): void {
  const bytes = Buffer.from(line)
  let written = 0
  while (written < bytes.length) written += writeSync(fd, bytes, written)
}

/** A new file's name is durable only with its folder. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Trouble ? error.cause : error
  return cause instanceof Error ? cause.message : 'unknown'
}
