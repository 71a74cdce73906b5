/** Which files make up the kubeconfig, and what they say together, as kubectl has it: the first to say something counts. */
import { readFileSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import type { KubeConfig, User } from '@kubernetes/client-node'
import { Trouble } from '../core/trouble.ts'
import { errorCode } from '../runtime/error-code.ts'

export type KubeconfigPlace = {
  /** undefined: where kubectl looks. */
  readonly file: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

export type KubeconfigFile = { readonly path: string; readonly text: string }

/** A file that is there. An error of the parser is dropped: it quotes the file. */
export class KubeconfigUnreadable extends Trouble {
  readonly path: string

  constructor(path: string, code: string) {
    super('kubeconfig_unreadable', 'stop', code === '' ? undefined : new Error(code))
    this.path = path
  }
}

/** Where kubectl looks; empty: nowhere. */
export function kubeconfigPaths({ file, env }: KubeconfigPlace): readonly string[] {
  if (file !== undefined) return [file]
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '')
  if (listed.length > 0) return listed
  const home = env.HOME || env.USERPROFILE
  return home === undefined || home === '' ? [] : [join(home, '.kube', 'config')]
}

/** Those that are there. One that is named by itself must be; of others, which may come later, kubectl asks the same. */
export function kubeconfigFiles(place: KubeconfigPlace): readonly KubeconfigFile[] {
  const files = kubeconfigPaths(place).flatMap((path) => {
    try {
      return [{ path, text: readFileSync(path, 'utf8') }]
    } catch (error) {
      const code = errorCode(error)
      if (code === 'ENOENT' && place.file === undefined) return []
      throw new KubeconfigUnreadable(path, code)
    }
  })
  if (files.length === 0) throw new Trouble('kubeconfig_missing', 'stop')
  return files
}

/** @param fresh makes one with nothing in it */
export function mergedKubeconfig(files: readonly KubeconfigFile[], fresh: () => KubeConfig): KubeConfig {
  const read = files.map((file) => readKubeconfig(file, fresh()))
  const merged = fresh()
  merged.loadFromOptions({
    clusters: firstOfEach(read.flatMap((one) => one.getClusters())),
    users: firstOfEach(read.flatMap((one) => one.getUsers())),
    contexts: firstOfEach(read.flatMap((one) => one.getContexts())),
    currentContext: read.map((one) => one.getCurrentContext()).find((name) => name) ?? '',
  })
  return merged
}

/** All of it: nothing is added to it from a later one of the same name. */
const firstOfEach = <T extends { readonly name: string }>(all: readonly T[]): T[] => {
  const named = new Map<string, T>()
  for (const one of all) if (!named.has(one.name)) named.set(one.name, one)
  return [...named.values()]
}

function readKubeconfig({ path, text }: KubeconfigFile, config: KubeConfig): KubeConfig {
  const empty = { clusters: [], users: [], contexts: [], currentContext: '' }
  config.loadFromOptions(empty)
  // such as /dev/null
  if (text.trim() === '') return config
  const folder = dirname(path)
  try {
    config.loadFromString(text)
  } catch {
    throw new KubeconfigUnreadable(path, '')
  }
  config.makePathsAbsolute(folder)
  config.users = config.getUsers().map((user) => beside(folder, user))
  return config
}

/** A plugin that is named by a path lies beside the file, one that is named by a word on PATH. */
function beside(folder: string, user: User): User {
  const command: unknown = user.exec?.command
  return typeof command === 'string' && command.includes('/') && !isAbsolute(command)
    ? { ...user, exec: { ...user.exec, command: join(folder, command) } }
    : user
}
