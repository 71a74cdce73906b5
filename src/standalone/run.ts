/** Wiring of all of it in one process: folder and store, reconciler, listeners. */
import { Trouble } from '../core/trouble.ts'
import { makeKeyIndex } from '../enforce/key-index.ts'
import { localLimiter } from '../enforce/local-limiter.ts'
import type { Snapshot } from '../folder/accepted.ts'
import { makeInForce } from '../folder/in-force.ts'
import { makeKeyPort } from '../folder/key-port.ts'
import { type Folder, FolderUnreadable, openFolder } from '../folder/manifests.ts'
import { type NewKeys, newKeysTo, openNewKeysFile } from '../folder/new-keys.ts'
import { openStore, type Store } from '../folder/store.ts'
import { tellOf } from '../folder/tell.ts'
import { type Keyring, openKeyring } from '../operator/keyring.ts'
import { loadConfig } from '../runtime/config.ts'
import { type Log, makeLog } from '../runtime/log.ts'
import { type Metrics, makeMetrics } from '../runtime/metrics.ts'
import { makeNotes } from '../runtime/notes.ts'
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
import { StandaloneConfig } from './config.ts'
import { type Listeners, makeListeners } from './listeners.ts'

const COMMAND = 'keyward standalone'

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
    return await serve({ ...parts, config, log, newKeys, store: store.value, tls })
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
  const listeners: Listeners = makeListeners({
    config,
    index: () => (phase.loaded ? inForce.index() : undefined),
    limiter: localLimiter(nowUs),
    metrics,
    notes: makeNotes({ metrics, log, nowMs }),
    tls,
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
    port: makeKeyPort({ store, find, newKeys, random }),
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
  tellOf(snapshot, log)
  if (snapshot.changed.length === 0) return
  metrics.countReload()
  listeners.recheckNow()
}
