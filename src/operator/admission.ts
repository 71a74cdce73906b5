/** Wiring of admission: every replica answers the webhooks, with a certificate and the keys for stamps that all of them share. */
import { join } from 'node:path'
import type { Person } from '../core/person.ts'
import { Trouble } from '../core/trouble.ts'
import { ownSecret } from '../kube/admission-calls.ts'
import { isForbidden, isNotFound } from '../kube/api-error.ts'
import type { KubeClient } from '../kube/client.ts'
import { keepsKeys } from '../kube/keeps-keys.ts'
import { makeLooks } from '../kube/looks.ts'
import { API_KEYS } from '../kube/objects.ts'
import { observedKey } from '../kube/observed-key.ts'
import type { PolicyBeside } from '../kube/policy-beside.ts'
import { writeBundle } from '../kube/webhook-bundle.ts'
import { type Listening, listen } from '../runtime/listen.ts'
import type { Log } from '../runtime/log.ts'
import { pause } from '../runtime/pause.ts'
import { openTlsOf } from '../runtime/running.ts'
import type { ServerTls } from '../runtime/tls.ts'
import { type AdmitParts, admit, stamp } from '../webhook/admit.ts'
import { BOUNDS } from '../webhook/bodies.ts'
import {
  CERTIFICATES_SECRET,
  certificateStore,
  OPERATOR_SECRET_TYPE,
  STAMP_KEY_SECRET,
} from '../webhook/certificate-secret.ts'
import { keepKeys } from '../webhook/kept-keys.ts'
import type { Reviews } from '../webhook/reviews.ts'
import { admissionListener } from '../webhook/serve.ts'
import { makeServing } from '../webhook/serving.ts'
import type { StampKeys } from '../webhook/stamp.ts'
import { onlyFor, openAuthority } from './client-authority.ts'

export type AdmissionParts = {
  /** Not fenced: every replica asks and answers, whoever leads. */
  readonly client: KubeClient
  readonly at: { readonly host: string; readonly port: number }
  /** Keyward's own, where digests lie. */
  readonly namespace: string
  /** Where Secrets of the operator alone lie. */
  readonly operatorNamespace: string
  /** As which the API server calls: DNS names, and IP addresses. */
  readonly names: readonly string[]
  /** A folder with tls.crt and tls.key that somebody else renews; undefined: certificates of our own. */
  readonly certificateFolder: string | undefined
  /** A file with the authorities of callers: only holders of a certificate of theirs are answered; absent: everybody is. */
  readonly clientCa?: string | undefined
  /** How long it is still answered once it is to stop, for callers who have not heard of it. */
  readonly drainMs: number
  /** How long what was begun may take after that; a little more than an answer may, unless told. */
  readonly endMs?: number
  readonly isLeading: () => boolean
  readonly reviews: Pick<Reviews, 'may' | 'missing'>
  readonly beside: Pick<PolicyBeside, 'lineage' | 'heldIds' | 'hostHolder'>
  /** undefined: it isn't known yet. */
  readonly isNamedGroup: () => ((group: string) => boolean) | undefined
  readonly grantsAnything: (person: Person) => boolean
  readonly counted: (webhook: string, answer: string, ms: number) => void
  readonly note: (about: string, error: unknown, fields?: { readonly problem?: string }) => void
  readonly log: Log
  readonly nowMs: () => number
  readonly steadyMs: () => number
  readonly random: (count: number) => Uint8Array
  /** Stamps count by other keys than before. */
  readonly onKeys?: () => void
  /** Between two looks at what replicas share; 10 s unless told. */
  readonly everyMs?: number
}

export type Admission = {
  /** Until it is stopped and nobody is answered any more; rejects where it can't listen. */
  readonly run: (stop: AbortSignal) => Promise<void>
  /** What it waits for before it answers; undefined: it does. */
  readonly missing: () => string | undefined
  /** The keys that stamps are made and proven with; waits for them. */
  readonly whenKeys: () => Promise<void>
  /** Throws before they are known. */
  readonly stampKeys: () => StampKeys
  /** Looks at what replicas share now; to be called when this one begins to lead. */
  readonly look: () => Promise<void>
  /** Milliseconds since 1970; undefined: there is no certificate yet. */
  readonly expiresAt: () => number | undefined
  /** undefined: it does not listen yet. */
  readonly port: () => number | undefined
}

const LOOK_EVERY_MS = 10_000
/** Below the 3 s of the shipped webhooks, so that the refusal is ours and says why. */
const DEADLINE_MS = 2500
const END_MS = 3000
/** Each review under way has one, and several API servers keep some that are idle. */
const MOST_CONNECTIONS = 2 * BOUNDS.requests
/** With the reviews (16) and what else is looked at, below the connections that a client has. */
const LOOKS_AT_ONCE = 8
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 5000

/** What is served, wherever its certificate comes from. */
type Served = { readonly tls: ServerTls; readonly expiresAt: () => number; readonly look: () => Promise<void> }

export function openAdmission(parts: AdmissionParts): Admission {
  const { isLeading, note } = parts
  const ending = new AbortController()
  /** For what replicas share. Given up when it is to stop: a request that hangs would hold the process. */
  const client: KubeClient = {
    ...parts.client,
    send: (request) => parts.client.send({ ...request, signal: ending.signal }),
  }
  const secret = (name: string) =>
    ownSecret(client, { namespace: parts.operatorNamespace, name, type: OPERATOR_SECRET_TYPE })
  const known = Promise.withResolvers<void>()
  let served: Served | undefined
  let listening: Listening | undefined
  let draining = false
  let looking: Promise<void> | undefined

  const kept = keepKeys({
    ...{ secret: secret(STAMP_KEY_SECRET), random: parts.random, steadyMs: parts.steadyMs },
    keepsKeys: () => keepsKeys(client, parts.namespace),
    mayWrite: isLeading,
    onKeys: () => parts.onKeys?.(),
  })

  const serve = (): Promise<Served> =>
    parts.certificateFolder === undefined
      ? makeServing({
          store: certificateStore(secret(CERTIFICATES_SECRET)),
          names: parts.names,
          now: parts.nowMs,
          mayRenew: isLeading,
          applyBundle: async (bundle) => {
            if (!isLeading()) return false
            await writeBundle(client, bundle)
            return true
          },
        })
      : Promise.resolve(fromFiles(parts.certificateFolder, parts.log))

  const orNote = async (about: string, act: () => Promise<void>): Promise<void> => {
    try {
      await act()
    } catch (error) {
      if (!ending.signal.aborted) note(about, error, problemOf(error, parts))
    }
  }

  const lookingAtKeys = (act: () => Promise<void>) => orNote('the key of stamps can not be looked at', act)

  /** Neither waits for the other, since each goes on with what it knows where it can't be read. */
  const lookOnce = async (): Promise<void> => {
    await Promise.all([
      lookingAtKeys(kept.look),
      orNote('the certificates of the webhooks can not be looked after', async () => served?.look()),
    ])
  }
  const look = (): Promise<void> => {
    looking ??= lookOnce().finally(() => {
      looking = undefined
    })
    return looking
  }

  const insist = async <T>(attempt: () => Promise<T>, stop: AbortSignal): Promise<T | undefined> => {
    for (let waitMs = FIRST_WAIT_MS; !stop.aborted; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      try {
        return await attempt()
      } catch (error) {
        if (ending.signal.aborted) return undefined
        note('the webhooks can not be answered yet', error, problemOf(error, parts))
        await pause(waitMs, stop)
      }
    }
    return undefined
  }

  const newerKeys = () => lookingAtKeys(kept.lookForNewer)
  const answer = answering(parts, { stampKeys: kept.keys, newerKeys })

  return {
    run: async (stop) => {
      stop.addEventListener('abort', () => ending.abort(), { once: true })
      // files that can't be used are for whoever starts it to mend
      const authority = parts.clientCa === undefined ? undefined : openAuthority(parts.clientCa, parts.log)
      if (parts.certificateFolder !== undefined) served = await serve()
      await insist(() => kept.begin().then(known.resolve), stop)
      served ??= await insist(serve, stop)
      if (stop.aborted || served === undefined) return
      listening = await listen(
        (request, response) => {
          // whoever keeps its connection comes to another replica with the next request
          if (draining) response.shouldKeepAlive = false
          answer(request, response)
        },
        { ...parts.at, most: MOST_CONNECTIONS },
        authority === undefined ? served.tls : onlyFor(authority, served.tls),
      )
      while (!stop.aborted) {
        await look()
        await pause(parts.everyMs ?? LOOK_EVERY_MS, stop)
      }
      draining = true
      await pause(parts.drainMs, NEVER)
      await listening.stop(parts.endMs ?? END_MS)
    },
    missing: () => (listening === undefined ? 'the webhooks are not answered yet' : undefined),
    whenKeys: () => known.promise,
    stampKeys: kept.keys,
    look,
    expiresAt: () => served?.expiresAt(),
    port: () => listening?.port,
  }
}

const NEVER = new AbortController().signal

function answering(parts: AdmissionParts, keys: Pick<AdmitParts, 'stampKeys' | 'newerKeys'>) {
  const { client, steadyMs, note } = parts
  const look = makeLooks({ client, most: LOOKS_AT_ONCE })
  const now = (): AdmitParts => ({
    reviews: parts.reviews,
    beside: parts.beside,
    apiKey: async (namespace, name, gone) => {
      const object = await look(API_KEYS, { namespace, name }, gone)
      return object && observedKey(object).declared.apiKey
    },
    ...keys,
    isNamedGroup: parts.isNamedGroup(),
    grantsAnything: parts.grantsAnything,
    now: parts.nowMs,
  })
  return admissionListener({
    endpoints: {
      '/mutate': (request) => stamp(request, now()),
      '/validate': (request, gone) => admit(request, { ...now(), gone }),
    },
    deadlineMs: DEADLINE_MS,
    pause,
    counted: (path, answer, ms) => parts.counted(path.slice(1), answer, ms),
    steadyMs,
    trouble: (code) => note('a webhook could not be answered as it should', new Trouble(code, 'retry')),
  })
}

function fromFiles(folder: string, log: Log): Served {
  const watched = openTlsOf({ tlsCert: join(folder, 'tls.crt'), tlsKey: join(folder, 'tls.key') }, log)
  if (watched === undefined) throw new Trouble('certificate_unusable', 'stop')
  const strict = <T extends object>(options: T) => ({ ...options, minVersion: 'TLSv1.3' as const })
  return {
    tls: {
      options: () => strict(watched.options()),
      onChange: (apply) => watched.onChange((options) => apply(strict(options))),
    },
    expiresAt: watched.expiresAt,
    // files are looked at by themselves, and their CA is written by whoever writes them
    look: async () => {},
  }
}

/** What somebody has to mend, in words. */
function problemOf(error: unknown, { operatorNamespace: namespace }: AdmissionParts): { readonly problem?: string } {
  if (error instanceof Trouble && error.code === 'webhooks_not_configured')
    return { problem: 'there are no webhook configurations with the name keyward: apply deploy/webhooks.yaml' }
  if (error instanceof Trouble && error.code === 'stamp_key_unreadable')
    return { problem: `the Secret ${STAMP_KEY_SECRET} in ${namespace} holds no key of ours: put back what it held` }
  if (error instanceof Trouble && error.code === 'stamp_key_lost')
    return {
      problem: `there are keys that were stamped, and the Secret ${STAMP_KEY_SECRET} in ${namespace} is gone: put it back (docs/operations.md)`,
    }
  if (isForbidden(error))
    return {
      problem: `a permission is missing: on Secrets in the Kubernetes namespace ${namespace}, or on the webhook configurations (deploy/operator.yaml)`,
    }
  return isNotFound(error)
    ? { problem: `there is no Kubernetes namespace ${namespace} (deploy/00-namespace.yaml)` }
    : {}
}
