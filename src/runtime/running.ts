/** What every part that runs until it is stopped is given, and how it says why it can't. */
import { statSync } from 'node:fs'
import { Trouble } from '../core/trouble.ts'
import type { Sources } from './config.ts'
import type { Log } from './log.ts'
import { openTls, type WatchedTls } from './tls.ts'
import type { TlsPaths, TlsProblem } from './tls-files.ts'

export type RunParts = Sources & {
  /** Resolves when the text is on its way. */
  readonly out: (text: string) => Promise<void>
  readonly err: (text: string) => void
  readonly version: string
  readonly stop: AbortSignal
}

/** How long requests under way may take once the process is asked to stop; what is left of ten seconds is for what it keeps. */
export const STOP_WITHIN_MS = 8_000

export type Command = `keyward ${string}`

/** Called wrongly: every problem at once. */
export function refuseCall(command: Command, problems: readonly string[], { err }: Pick<RunParts, 'err'>): number {
  err([`${command} can not start:`, ...problems, ''].join('\n  ').trimEnd().concat('\n'))
  return 2
}

export function complain(command: Command, problem: string, { err }: Pick<RunParts, 'err'>): number {
  err(`${command}: ${problem}\n`)
  return 1
}

export const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** A Trouble as people read it. */
export function explained({ code, cause }: Trouble): string {
  const text = code.replaceAll('_', ' ')
  return cause instanceof Error ? `${text} (${cause.message})` : text
}

/** Certificates as they are named by flags, told of in the log; undefined: none are. */
export function openTlsOf(paths: TlsPaths, log: Log): WatchedTls | undefined {
  const opened = openTls(paths, {
    changed: (expiresAt) => log.info({ expires: new Date(expiresAt).toISOString() }, 'certificate exchanged'),
    refused: (problems) => log.error({ problems: problems.map(wordsOf) }, 'certificate not exchanged'),
  })
  if (opened === undefined || 'options' in opened) return opened
  throw new Trouble('certificate_unusable', 'stop', new Error(opened.map(wordsOf).join('; ')))
}

const wordsOf = ({ problem }: TlsProblem): string => problem
