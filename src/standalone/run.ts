/** Wiring of all of it in one process: folder and store, reconciler, listeners. */
import { statSync } from 'node:fs'
import { Trouble } from '../core/trouble.ts'
import { makeKeyIndex } from '../enforce/key-index.ts'
import { localLimiter } from '../enforce/local-limiter.ts'
import { type FolderProblem, type Snapshot, titleOf } from '../folder/accepted.ts'
import { makeInForce } from '../folder/in-force.ts'
import { makeKeyPort } from '../folder/key-port.ts'
import { type Folder, FolderUnreadable, openFolder } from '../folder/manifests.ts'
import { type NewKeys, newKeysTo, openNewKeysFile } from '../folder/new-keys.ts'
import { openStore, type Store } from '../folder/store.ts'
import { type Keyring, openKeyring } from '../operator/keyring.ts'
import { loadConfig } from '../runtime/config.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { type Metrics, makeMetrics } from '../runtime/metrics.ts'
import { jitter, nowMs, nowUs, random, uuid } from '../runtime/system.ts'
import { StandaloneConfig } from './config.ts'
import { type Listeners, makeListeners } from './listeners.ts'

export type RunParts = {
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly file: Readonly<Record<string, unknown>> | undefined
  /** Resolves when the text is on its way. */
  readonly out: (text: string) => Promise<void>
  readonly err: (text: string) => void
  readonly version: string
  readonly stop: AbortSignal
}

/** How long requests under way may take once the process is asked to stop; what is left of ten seconds is for the store. */
const STOP_WITHIN_MS = 8_000

/** Runs until it is asked to stop. Resolves to the exit code: 0, 1 where it could not run, 2 where it was called wrongly. */
export async function runStandalone(parts: RunParts): Promise<number> {
  const loaded = loadConfig(StandaloneConfig, parts)
  if (!loaded.ok) {
    parts.err(['keyward standalone can not start:', ...loaded.problems, ''].join('\n  ').trimEnd().concat('\n'))
    return 2
  }
  const { config } = loaded
  // before anything is made or listened on: a mistyped folder must leave no trace
  if (!isFolder(config.manifests)) return complain(parts, `${config.manifests}: there is no such folder of manifests`)
  const log = makeLog(config.logLevel, { write: parts.err })
  const newKeys = openNewKeys(config.newKeys, parts)
  if (typeof newKeys === 'string') return complain(parts, newKeys)
  const store = openStore(config.data)
  if (!store.ok) return complain(parts, store.problem)
  try {
    return await serve({ ...parts, config, log, newKeys, store: store.value })
  } finally {
    await store.value.close()
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

function complain({ err }: RunParts, problem: string): number {
  err(`keyward standalone: ${problem}\n`)
  return 1
}

function openNewKeys(path: string | undefined, { out }: RunParts): NewKeys | string | undefined {
  if (path === undefined) return undefined
  if (path === '-') return newKeysTo(out)
  const opened = openNewKeysFile(path)
  return opened.ok ? opened.value : opened.problem
}

type Serving = RunParts & {
  readonly config: StandaloneConfig
  readonly log: Log
  readonly newKeys: NewKeys | undefined
  readonly store: Store
}

async function serve(parts: Serving): Promise<number> {
  const { config, log, store, newKeys, stop, version } = parts
  const keys = makeKeyIndex()
  const inForce = makeInForce(keys)
  const folder = openFolder({ dir: config.manifests, forms: store.forms, nowMs, newUid: uuid })
  const phase = { loaded: false, stopping: false }
  const metrics = makeMetrics(version, {
    keys: keys.size,
    problems: () => folder.current().problems.length,
    tunnels: () => listeners.tunnels(),
  })
  const listeners: Listeners = makeListeners({
    config,
    index: () => (phase.loaded ? inForce.index() : undefined),
    limiter: localLimiter(nowUs),
    metrics,
    log,
    nowMs,
    missing: () => (phase.stopping ? 'stopping' : phase.loaded ? undefined : 'the manifests are being loaded'),
  })
  const keyring = keyringOf(parts, folder, keys)
  const take = (snapshot: Snapshot) => takeOver(snapshot, { inForce, keyring, listeners, metrics, log })
  try {
    await listeners.start()
    take(await folder.rescan())
    keyring.load()
    await keyring.idle()
    phase.loaded = true
    log.info({ keys: keys.size(), problems: folder.current().problems.length }, 'in force')
    const waiting = newKeys === undefined ? keysWithoutSecret(store, folder.current()) : 0
    if (waiting > 0) log.warn({ keys: waiting }, 'keys wait to be claimed: start with --new-keys FILE to receive them')
    const watching = folder.watch(take)
    await aborted(stop)
    phase.stopping = true
    log.info('stopping')
    watching.stop()
    return 0
  } catch (error) {
    if (error instanceof FolderUnreadable) return complain(parts, error.message)
    if (error instanceof Trouble) return complain(parts, explained(error))
    throw error
  } finally {
    await listeners.stop(STOP_WITHIN_MS)
    await keyring.stop()
  }
}

function keyringOf({ store, newKeys, log }: Serving, folder: Folder, keys: ReturnType<typeof makeKeyIndex>): Keyring {
  const find = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => {
    const accepted = folder.current().accepted.get(`ApiKey/${namespace}/${name}`)
    if (accepted?.parsed.kind !== 'ApiKey') return undefined
    return { uid: accepted.uid, generation: accepted.generation, apiKey: accepted.parsed }
  }
  return openKeyring({
    port: makeKeyPort({ store, find, newKeys }),
    find,
    all: () =>
      folder
        .current()
        .accepted.values()
        .filter(({ kind }) => kind === 'ApiKey'),
    secretOf: (uid) => {
      const kept = store.secrets.get(uid)
      return kept?.kind === 'read' ? kept.secret : undefined
    },
    keptNames: store.secrets.names,
    nowMs,
    random,
    jitter,
    onChange: (uid, indexed) => {
      if (indexed === undefined) keys.remove(uid)
      else keys.put(uid, indexed.record, indexed)
    },
    onTrouble: ({ namespace, name }, error, retryMs) => {
      const trouble = error instanceof Trouble ? error.code : error instanceof Error ? error.name : 'unknown'
      log.error({ key: `${namespace}/${name}`, trouble, retryMs }, 'a key is not where its manifest wants it')
    },
  })
}

function keysWithoutSecret({ secrets }: Store, { accepted }: Snapshot): number {
  return [...accepted.values()].filter(({ kind, uid }) => {
    const kept = kind === 'ApiKey' ? secrets.get(uid) : undefined
    return kept?.kind === 'read' && kept.secret.current === undefined
  }).length
}

type Taking = {
  readonly inForce: ReturnType<typeof makeInForce>
  readonly keyring: Keyring
  readonly listeners: Listeners
  readonly metrics: Metrics
  readonly log: Log
}

function takeOver(snapshot: Snapshot, { inForce, keyring, listeners, metrics, log }: Taking): void {
  inForce.update(snapshot)
  for (const { accepted } of snapshot.changed) if (accepted.kind === 'ApiKey') keyring.reconcile(accepted)
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
  metrics.countReload()
  listeners.recheckNow()
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

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

function explained({ code, cause }: Trouble): string {
  const text = code.replaceAll('_', ' ')
  return cause instanceof Error ? `${text} (${cause.message})` : text
}
