/** Tells which files in a tree of folders were touched, by one watcher of the system for each folder. */
import { type FSWatcher, watch } from 'node:fs'
import { basename, join } from 'node:path'
import { errorCode } from '../runtime/error-code.ts'
import { type FoundFolder, reasonOf } from './tree.ts'

export type Unwatched = { readonly folder: string; readonly reason: string }

export type Watchers = {
  /** Watches exactly these folders from now on. */
  readonly follow: (folders: readonly FoundFolder[]) => {
    readonly added: number
    readonly failed: readonly Unwatched[]
  }
  readonly close: () => void
}

type Watched = { readonly identity: string; readonly watcher: FSWatcher }

export function watchFolders(root: string, onTouch: (file: string) => void): Watchers {
  const watched = new Map<string, Watched>()

  const drop = (folder: string) => {
    watched.get(folder)?.watcher.close()
    watched.delete(folder)
  }

  const open = ({ folder, identity }: FoundFolder) => {
    const path = join(root, folder)
    const watcher = watch(path, (_event, name) => {
      // that is how the folder itself is said to be gone; another one may stand there at the next look
      if (name === basename(path)) drop(folder)
      onTouch(folder === '' ? (name ?? '') : `${folder}/${name ?? ''}`)
    })
    watcher.on('error', () => {
      drop(folder)
      onTouch(folder)
    })
    watched.set(folder, { identity, watcher })
  }

  /** Why it can't be watched, if so; what vanished is found out by the next walk. */
  const tryToOpen = (found: FoundFolder): string | undefined => {
    drop(found.folder)
    try {
      open(found)
      return undefined
    } catch (error) {
      return errorCode(error) === 'ENOENT' ? undefined : reasonOf(error)
    }
  }

  const follow = (folders: readonly FoundFolder[]) => {
    const wanted = new Map(folders.map(({ folder, identity }) => [folder, identity]))
    for (const folder of [...watched.keys()]) if (!wanted.has(folder)) drop(folder)
    const strange = folders.filter(({ folder, identity }) => watched.get(folder)?.identity !== identity)
    const failed = strange.flatMap((found) => {
      const reason = tryToOpen(found)
      return reason === undefined ? [] : [{ folder: found.folder, reason }]
    })
    return { added: strange.length - failed.length, failed }
  }

  const close = () => {
    for (const folder of [...watched.keys()]) drop(folder)
  }
  return { follow, close }
}
