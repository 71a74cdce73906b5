/** Every problem of a manifest folder, judged by the code that standalone runs: against its data folder, or as if nothing had been there before. */
import { join } from 'node:path'
import {
  type Accepted,
  type AcceptedForms,
  type FolderProblem,
  FolderUnreadable,
  NO_FORMS,
  openFolder,
  type Snapshot,
} from '../folder/manifests.ts'
import { valueText } from './object-text.ts'
import { printable } from './printable.ts'

export type VerifyArguments = {
  readonly dir: string
  /** The data folder of the standalone whose next look this is; undefined: nothing was accepted before. */
  readonly data: string | undefined
  /** `text`, `json` or `yaml`. */
  readonly output: string
}

export type VerifyIo = {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly nowMs: () => number
  /** What a data folder has accepted; undefined: there is none. */
  readonly readForms: (data: string) => Promise<readonly Accepted[] | undefined>
}

/** 0: nothing is wrong; 1: something is; 2: it was called wrongly. */
export async function runVerify({ dir, data, output }: VerifyArguments, io: VerifyIo): Promise<0 | 1 | 2> {
  const wrongly = (why: string): 2 => {
    io.err(`keyward verify: ${why}\n`)
    return 2
  }
  if (output !== 'text' && output !== 'json' && output !== 'yaml') {
    return wrongly(`--output is text, json or yaml, not ${JSON.stringify(output)}`)
  }
  const forms = data === undefined ? NO_FORMS : await formsIn(data, io.readForms)
  if (typeof forms === 'string') return wrongly(forms)
  let snapshot: Snapshot
  try {
    snapshot = await openFolder({ dir, forms, nowMs: io.nowMs, newUid: () => '' }).rescan()
  } catch (error) {
    if (!(error instanceof FolderUnreadable)) throw error
    return wrongly(error.message)
  }
  // the folder is part of each name, so that a terminal can open the file
  const problems = problemsIn(snapshot).map((problem) => ({ ...problem, file: join(dir, problem.file) }))
  const verdict = { ok: problems.length === 0, objects: snapshot.accepted.size, problems }
  io.out(output === 'text' ? asText(verdict) : valueText(verdict, output))
  return verdict.ok ? 0 : 1
}

/** Read once and never written: what is verified is not yet in force. */
async function formsIn(data: string, readForms: VerifyIo['readForms']): Promise<AcceptedForms | string> {
  try {
    const accepted = await readForms(data)
    return accepted === undefined ? `there is no data of standalone in ${data}` : { ...NO_FORMS, all: () => accepted }
  } catch (error) {
    return `the data in ${data} can't be read: ${error instanceof Error ? error.message : 'unknown'}`
  }
}

const NOTHING_FOUND: FolderProblem = {
  file: '',
  line: 0,
  field: '',
  message: 'no manifests found',
  object: '',
  severity: 'error',
}

/** An empty folder is good to start from, but who asks about one has most likely named the wrong one. */
const problemsIn = ({ problems, accepted }: Snapshot): readonly FolderProblem[] =>
  problems.length === 0 && accepted.size === 0 ? [NOTHING_FOUND] : problems

type Verdict = { readonly objects: number; readonly problems: readonly FolderProblem[] }

/** One paragraph per object, one line per problem; each line can be read alone. */
function asText({ objects, problems }: Verdict): string {
  const rest = `${counted(objects, 'object')} would be in force`
  if (problems.length === 0) return `no problems; ${rest}\n`
  const paragraphs = [...Map.groupBy(problems, ({ file, object }) => `${file}\n${object}`).values()].map((group) =>
    [group[0]?.object || printable(group[0]?.file ?? ''), ...group.map(asLine)].join('\n'),
  )
  return `${paragraphs.join('\n\n')}\n\n${severities(problems)}; ${rest}\n`
}

function asLine({ file, line, field, message, severity }: FolderProblem): string {
  const place = line === 0 ? printable(file) : `${printable(file)}:${line}`
  return `  ${[place, ...(severity === 'warning' ? ['warning'] : []), ...(field === '' ? [] : [field]), message].join(': ')}`
}

/** `1 error, 2 warnings`, without what there is none of. */
const severities = (problems: readonly FolderProblem[]): string =>
  (['error', 'warning'] as const)
    .map((severity) => [problems.filter((problem) => problem.severity === severity).length, severity] as const)
    .flatMap(([count, severity]) => (count === 0 ? [] : counted(count, severity)))
    .join(', ')

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
