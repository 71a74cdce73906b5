/** What is said in the log when a folder changes: each problem once, what came and went by name. */
import { type FolderProblem, type Snapshot, titleOf } from './accepted.ts'

type Fields = Readonly<Record<string, unknown>>

export type TellLog = {
  readonly info: (fields: Fields, message: string) => void
  readonly warn: (fields: Fields, message: string) => void
  readonly error: (fields: Fields, message: string) => void
}

export function tellOf(snapshot: Snapshot, log: TellLog): void {
  for (const { severity, message: problem, ...place } of snapshot.reported) {
    log[severity === 'error' ? 'error' : 'warn']({ ...place, problem }, 'manifest problem')
  }
  // one wrong value after another is not progress
  const still = new Set(snapshot.problems.map(placeOf))
  for (const solved of snapshot.solved) {
    const { message: problem, severity: _, ...place } = solved
    if (!still.has(placeOf(solved))) log.info({ ...place, problem }, 'manifest problem solved')
  }
  if (snapshot.changed.length === 0) return
  const [came, went] = [namesOf(snapshot, 'put'), namesOf(snapshot, 'remove')]
  log.info({ changes: snapshot.changed.length, ...came, ...went }, 'manifests in force')
}

/** The first few by name: a folder of thousands is no log line. */
const NAMED_AT_MOST = 20

function namesOf({ changed }: Snapshot, kind: 'put' | 'remove'): Record<string, readonly string[]> {
  const names = changed.filter((change) => change.kind === kind).map(({ accepted }) => titleOf(accepted))
  return names.length === 0 ? {} : { [kind === 'put' ? 'inForce' : 'removed']: names.slice(0, NAMED_AT_MOST) }
}

const placeOf = ({ file, object, field }: FolderProblem): string => JSON.stringify([file, object, field])
