/** Files of a walk become sights: only those that changed are read, and one that can't be read keeps what it held. */
import { join } from 'node:path'
import { setImmediate as pause } from 'node:timers/promises'
import { errorCode } from '../runtime/error-code.ts'
import type { FolderProblem } from './accepted.ts'
import type { Disk } from './disk.ts'
import { look, NOTHING_SEEN, type Sight } from './sight.ts'
import { type FoundFile, reasonOf, type Tree, together } from './tree.ts'

/** Far above a folder of 10,000 keys in one file. */
const MAX_BYTES = 64 * 1024 * 1024

/** Many files are taken in parts, so that requests are answered meanwhile. */
const FILES_PER_TURN = 32

export type ReadFile = {
  readonly found: FoundFile
  readonly sight: Sight
  /** Why nothing of it can be read. */
  readonly failure: string | undefined
  /** It changed while it was read: what was seen of it before stands until it can be read in one piece. */
  readonly unsettled: boolean
}

export type ReadFiles = ReadonlyMap<string, ReadFile>

export type Reading = {
  readonly root: string
  readonly disk: Disk
  readonly tree: Tree
  readonly before: ReadFiles
  /** Files that somebody said have changed, even if nothing shows it. */
  readonly touched: ReadonlySet<string>
}

/** The same ReadFile for each file that did not change. */
export async function readChanged(reading: Reading): Promise<ReadFiles> {
  const { tree, before, touched } = reading
  const changed: FoundFile[] = []
  for (const found of tree.files) {
    const known = before.get(found.file)
    const same = known?.found.signature === found.signature && !known.unsettled && !touched.has(found.file)
    if (!same) changed.push(found)
  }
  const read = new Map<string, ReadFile>()
  await together(changed, async (found) => {
    const file = await readOne(reading, found)
    if (file !== undefined) read.set(found.file, file)
    if (read.size % FILES_PER_TURN === 0) await pause()
  })
  const files = new Map<string, ReadFile>()
  for (const { file } of tree.files) {
    const now = read.get(file) ?? before.get(file)
    if (now !== undefined) files.set(file, now)
  }
  return files
}

async function readOne({ root, disk, before }: Reading, found: FoundFile): Promise<ReadFile | undefined> {
  const known = before.get(found.file)
  const failed = (failure: string): ReadFile => ({ found, sight: NOTHING_SEEN, failure, unsettled: false })
  if (found.size > MAX_BYTES) return failed(`is larger than ${MAX_BYTES / 1024 / 1024} MiB; write several files`)
  let bytes: Buffer
  try {
    bytes = await disk.read(join(root, found.file))
  } catch (error) {
    // gone since the walk: the next one will not find it
    return errorCode(error) === 'ENOENT' ? known : failed(`can't be read: ${reasonOf(error)}`)
  }
  const earlier = known?.sight ?? NOTHING_SEEN
  // half of a file may be a whole manifest that lacks its last lines
  if (bytes.length !== found.size) return { found, sight: earlier, failure: undefined, unsettled: true }
  const text = decoded(bytes)
  if (text === undefined) return failed('is not UTF-8')
  const sight = await look({ file: found.file, text, before: earlier }, pause)
  return { found, sight, failure: undefined, unsettled: false }
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Problems of folders and files, before any object is looked at. */
export function problemsOfFiles(tree: Tree, files: ReadFiles): readonly FolderProblem[] {
  const whole = { line: 0, field: '', object: '', severity: 'error' } as const
  const found: FolderProblem[] = tree.problems.map((problem) => ({ ...whole, ...problem }))
  for (const [file, { failure, sight }] of files) {
    if (failure !== undefined) found.push({ ...whole, file, message: failure })
    for (const problem of sight.problems) found.push({ ...whole, file, ...problem })
  }
  return found
}

/** Files that have another name now and are otherwise the same: old name -> new name. */
export function renamedFiles(before: ReadFiles, now: ReadFiles): ReadonlyMap<string, string> {
  const gone = [...before].filter(([file]) => !now.has(file))
  if (gone.length === 0) return new Map()
  const come = new Map([...now].flatMap(([file, { found }]) => (before.has(file) ? [] : [[found.inode, file]])))
  return new Map(
    gone.flatMap(([file, { found }]) => {
      const name = come.get(found.inode)
      return name === undefined ? [] : [[file, name]]
    }),
  )
}

/** What a file or folder may hide. A file that is not there at all hides nothing. */
export function hidingPlacesIn({ blind }: Tree, files: ReadFiles): (file: string) => string | undefined {
  const above = (file: string) => blind.find((path) => path === '' || path === file || file.startsWith(`${path}/`))
  return (file) => {
    const read = files.get(file)
    if (read === undefined) return above(file)
    return read.failure !== undefined || read.unsettled || read.sight.partial ? file : undefined
  }
}
