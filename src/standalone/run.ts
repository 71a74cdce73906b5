/** Wiring of all of it in one process: folder and store, reconciler, listeners, the API of its objects. */
import type { KeyRef } from '../core/key-ref.ts'
import { Trouble } from '../core/trouble.ts'
import { type KeyIndex, makeKeyIndex } from '../enforce/key-index.ts'
import { localLimiter } from '../enforce/local-limiter.ts'
import type { Snapshot } from '../folder/accepted.ts'
import type { Claims } from '../folder/claims.ts'
import { makeInForce } from '../folder/in-force.ts'
import { makeKeyPort } from '../folder/key-port.ts'
import { type Folder, FolderUnreadable, openFolder } from '../folder/manifests.ts'
import { type NewKeys, newKeysTo, openNewKeysFile } from '../folder/new-keys.ts'
import { openStore, type Store } from '../folder/store.ts'
import { tellOf } from '../folder/tell.ts'
import { type Keyring, openKeyring } from '../operator/keyring.ts'
import { codeOf } from '../operator/troubles.ts'
import { loadConfig } from '../runtime/config.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { type Metrics, makeMetrics } from '../runtime/metrics.ts'
import { makeNotes } from '../runtime/notes.ts'
import { makeRecentChecks } from '../runtime/recent-checks.ts'
import {
  aborted,
  complain as complainOf,
  explained,
  isFolder,
  openTlsOf,
  type RunParts,
  refuseCall,
  STOP_WITHIN_MS,
} from '../runtime/running.ts'
import { jitter, nowMs, nowUs, random, uuid } from '../runtime/system.ts'
import type { WatchedTls } from '../runtime/tls.ts'
import { claimsOf, declaredIn, enter, type Facing, restOf, TOLD } from './api.ts'
import { StandaloneConfig } from './config.ts'
import { type Listeners, makeListeners } from './listeners.ts'
import type { Book } from './rest/book.ts'
import { openToken } from './rest/token-file.ts'

const COMMAND = 'keyward standalone'
/** Claims that are past their time. */
const SWEEP_EVERY_MS = 10_000

/** Runs until it is asked to stop. Resolves to the exit code: 0, 1 where it could not run, 2 where it was called wrongly. */
export async function runStandalone(parts: RunParts): Promise<number> {
  const loaded = loadConfig(StandaloneConfig, parts)
  if (!loaded.ok) return refuseCall(COMMAND, loaded.problems, parts)
  const { config } = loaded
  // before anything is made or listened on: a mistyped folder must leave no trace
  if (!isFolder(config.manifests)) return complain(parts, `${config.manifests}: there is no such folder of manifests`)
  const log = makeLog(config.logLevel, { write: parts.err })
  const newKeys = openNewKeys(config.newKeys, parts)
  if (typeof newKeys === 'string') return complain(parts, newKeys)
  const store = openStore(config.data)
  if (!store.ok) return complain(parts, store.problem)
  const tls = openTlsOf(config, log)
  try {
    const token = openToken(config.data, random)
    if (!token.ok) return complain(parts, token.problem)
    return await serve({ ...parts, config, log, newKeys, store: store.value, tls, token: token.value })
  } finally {
    tls?.stop()
    await store.value.close()
  }
}

const complain = (parts: RunParts, problem: string): number => complainOf(COMMAND, problem, parts)

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
  readonly tls: WatchedTls | undefined
  /** Of the API. */
  readonly token: string
}

async function serve(parts: Serving): Promise<number> {
  const { config, log, store, newKeys, tls, stop, version } = parts
  const keys = makeKeyIndex()
  const inForce = makeInForce(keys)
  const folder = openFolder({ dir: config.manifests, forms: store.forms, nowMs, newUid: uuid })
  const phase = { loaded: false, stopping: false }
  const metrics = makeMetrics(version, {
    keys: keys.size,
    problems: () => folder.current().problems.length,
    tunnels: () => listeners.tunnels(),
    certificateExpiresAt: () => tls?.expiresAt(),
  })
  const missing = () => (phase.stopping ? 'stopping' : phase.loaded ? undefined : 'the manifests are being loaded')
  const claims: Claims = claimsOf(parts, {
    folder,
    onChange: (what, claim) => TOLD[what](book, claim),
    wake: (key) => keyring.reconcile(key),
  })
  const { book, rest }: Facing = restOf(parts, { folder, claims, missing })
  const listeners: Listeners = makeListeners({
    config,
    rest,
    index: () => (phase.loaded ? inForce.index() : undefined),
    limiter: localLimiter(nowUs),
    metrics,
    notes: makeNotes({ metrics, log, recent: makeRecentChecks(), nowMs }),
    tls,
    missing,
  })
  const keyring: Keyring = keyringOf(parts, { folder, keys, claims, book })
  const take = (snapshot: Snapshot) => takeOver(snapshot, { inForce, keyring, listeners, metrics, log, book })
  try {
    await listeners.start()
    take(await folder.rescan())
    book.begin()
    keyring.load()
    for (const key of claims.awaited()) keyring.reconcile(key)
    await keyring.idle()
    phase.loaded = true
    log.info({ keys: keys.size(), problems: folder.current().problems.length }, 'in force')
    const waiting = newKeys === undefined ? keysWithoutSecret(store, folder.current()) : 0
    if (waiting > 0)
      log.warn({ keys: waiting }, 'keys wait to be claimed over the API, or for a start with --new-keys FILE')
    const watching = folder.watch(take)
    const sweeping = setInterval(() => void claims.sweep().catch(unswept(log)), SWEEP_EVERY_MS)
    await aborted(stop)
    phase.stopping = true
    log.info('stopping')
    clearInterval(sweeping)
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

const unswept = (log: Log) => (error: unknown) =>
  log.error({ trouble: codeOf(error) }, 'claims that are past their time could not be removed')

type Ringing = { readonly folder: Folder; readonly keys: KeyIndex; readonly claims: Claims; readonly book: Book }

function keyringOf({ store, newKeys, log }: Serving, { folder, keys, claims, book }: Ringing): Keyring {
  const find = (ref: KeyRef) => declaredIn(folder, ref)
  const port = makeKeyPort({ store, find, newKeys, claims, random })
  return openKeyring({
    port: {
      ...port,
      report: async (ref, uid, status) => {
        await port.report(ref, uid, status)
        book.touched(`ApiKey/${ref.namespace}/${ref.name}`)
      },
    },
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
      const trouble = codeOf(error)
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
  readonly book: Book
}

function takeOver(snapshot: Snapshot, { inForce, keyring, listeners, metrics, log, book }: Taking): void {
  inForce.update(snapshot)
  enter(snapshot, book)
  for (const { accepted } of snapshot.changed) if (accepted.kind === 'ApiKey') keyring.reconcile(accepted)
  tellOf(snapshot, log)
  if (snapshot.changed.length === 0) return
  metrics.countReload()
  listeners.recheckNow()
}
