/** How files are looked at: in the background while requests are served, and straight away before that, which is far quicker. */
import {
  type Dirent,
  readdir as listing,
  readdirSync,
  readFileSync,
  readFile as reading,
  type Stats,
  stat as statOf,
  statSync,
} from 'node:fs'
import { promisify } from 'node:util'

type Soon<T> = T | Promise<T>

export type Disk = {
  readonly stat: (path: string) => Soon<Stats>
  readonly list: (path: string) => Soon<readonly Dirent[]>
  readonly read: (path: string) => Soon<Buffer>
}

export const STRAIGHT: Disk = {
  stat: (path) => statSync(path),
  list: (path) => readdirSync(path, { withFileTypes: true }),
  read: (path) => readFileSync(path),
}

// the callback forms: the promises of node:fs cost three times as much, and a folder may hold 10,000 files
const stat = promisify(statOf)
const list = promisify(listing)
const read = promisify(reading)

export const BACKGROUND: Disk = {
  stat: (path) => stat(path),
  list: (path) => list(path, { withFileTypes: true }),
  read: (path) => read(path),
}
