/** One walk through the manifests folder: which files there are, and whether each is the one that was read before. */
import type { Dirent, Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../runtime/error-code.ts'
import type { Disk } from './disk.ts'

const MANIFEST = /\.(?:yaml|yml|json)$/
const AT_ONCE = 32

export type FoundFile = {
  /** Relative to the folder, with `/`. */
  readonly file: string
  readonly size: number
  /** Changes whenever the file was written, replaced or swapped behind a link. */
  readonly signature: string
  /** Stays the same when the file is only renamed. */
  readonly inode: string
}

export type FoundFolder = { readonly folder: string; readonly identity: string }

export type TreeProblem = { readonly file: string; readonly message: string }

export type Tree = {
  /** In the order of their paths. */
  readonly files: readonly FoundFile[]
  readonly folders: readonly FoundFolder[]
  readonly problems: readonly TreeProblem[]
  /** Files and folders that are there but can't be looked into; '' is the folder itself. */
  readonly blind: readonly string[]
}

type Growing = {
  readonly root: string
  readonly disk: Disk
  readonly files: FoundFile[]
  readonly folders: FoundFolder[]
  readonly problems: TreeProblem[]
  readonly blind: string[]
  readonly visited: Set<string>
}

/** Walks the folder and all below it; links are followed, names that begin with a dot are passed over. */
export async function walk(root: string, disk: Disk): Promise<Tree> {
  const tree: Growing = { root, disk, files: [], folders: [], problems: [], blind: [], visited: new Set() }
  await enter('', tree)
  tree.files.sort((a, b) => (a.file < b.file ? -1 : 1))
  return tree
}

async function enter(folder: string, tree: Growing): Promise<void> {
  const path = join(tree.root, folder)
  let entries: readonly Dirent[]
  try {
    const about = await tree.disk.stat(path)
    // a folder that two links lead to, or that a link leads back to, is looked into once
    const inode = `${about.dev}:${about.ino}`
    if (tree.visited.has(inode)) return
    tree.visited.add(inode)
    entries = await tree.disk.list(path)
    tree.folders.push({ folder, identity: `${inode}:${about.birthtimeMs}` })
  } catch (error) {
    return await failed(folder, error, tree)
  }
  const candidates = entries.filter((entry) => !entry.name.startsWith('.') && mayMatter(entry))
  const below: string[] = []
  await together(candidates, async ({ name }) => {
    const inside = folder === '' ? name : `${folder}/${name}`
    if (await isFolder(inside, tree)) below.push(inside)
  })
  for (const inside of below.sort()) await enter(inside, tree)
}

/** Links and names without a type are looked at: only stat knows what they are. */
const mayMatter = (entry: Dirent): boolean => !entry.isFile() || MANIFEST.test(entry.name)

/** Notes a manifest file; says of anything else whether it is a folder. */
async function isFolder(file: string, tree: Growing): Promise<boolean> {
  try {
    const about = await tree.disk.stat(join(tree.root, file))
    if (about.isDirectory()) return true
    if (!MANIFEST.test(file)) return false
    if (about.isFile()) tree.files.push(foundFile(file, about))
    else blinded(file, 'is not a regular file', tree)
  } catch (error) {
    if (MANIFEST.test(file) || errorCode(error) !== 'ENOENT') await failed(file, error, tree)
  }
  return false
}

const foundFile = (file: string, { dev, ino, size, mtimeMs, ctimeMs }: Stats): FoundFile => ({
  file,
  size,
  signature: `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`,
  // with size and time of writing: the number alone is soon given to another file
  inode: `${dev}:${ino}:${size}:${mtimeMs}`,
})

/** What vanished between two looks is simply not there; what is there and can't be looked into is a problem. */
async function failed(file: string, error: unknown, tree: Growing): Promise<void> {
  if (errorCode(error) === 'ENOENT') {
    if (file !== '' && !(await isThere(join(tree.root, file)))) return
    return blinded(file, file === '' ? 'the folder does not exist' : 'is a link to something that does not exist', tree)
  }
  blinded(file, `can't be read: ${reasonOf(error)}`, tree)
}

function blinded(file: string, message: string, tree: Growing): void {
  tree.problems.push({ file, message })
  tree.blind.push(file)
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  )

const REASONS: Readonly<Record<string, string | undefined>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'its links go round in a circle',
  ENOTDIR: 'it is not a folder',
  EMFILE: 'too many files are open',
  EISDIR: 'it is a folder',
  ENOSPC: 'the system has no more watches; raise fs.inotify.max_user_watches',
}

/** Why a file can't be read, in words. */
export const reasonOf = (error: unknown): string => REASONS[errorCode(error)] ?? errorCode(error)

/** Runs over all items, a bounded number at a time. */
export async function together<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
}
