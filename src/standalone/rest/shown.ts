/** PURE: an object in force as the API shows it: with what a server writes into metadata, defaults filled in, and its status. */
import { formatTime } from '../../core/condition.ts'
import { API_VERSION } from '../../resources/common.ts'
import { KINDS, type ManifestKind } from '../../resources/manifest.ts'
import { isObject } from '../../resources/problem.ts'

/** An object in force, as its keeper knows it. */
export type Held = {
  readonly kind: string
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly generation: number
  /** As it was written. */
  readonly manifest: unknown
  /** Empty for what no file speaks of. */
  readonly file: string
  readonly line: number
  readonly firstSeenMs: number
}

export type Shown = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion?: string
    readonly generation: number
    readonly creationTimestamp: string
    readonly deletionTimestamp?: string
    readonly labels?: unknown
    readonly annotations?: unknown
  }
  readonly spec: unknown
  readonly status?: unknown
}

/** Says from which file, and where in it, an object comes; such an object is changed there only. */
export const FILE_ANNOTATION = 'keyward.dev/file'

/** @param version undefined: it is not kept */
export function show(held: Held, version: number | undefined, status: unknown): Shown {
  const { kind, namespace, name, uid, generation, file, line, firstSeenMs } = held
  const manifest = isObject(held.manifest) ? held.manifest : {}
  const written = isObject(manifest.metadata) ? manifest.metadata : {}
  const own = isObject(written.annotations) ? written.annotations : {}
  const annotations = file === '' ? own : { ...own, [FILE_ANNOTATION]: `${file}:${line}` }
  const { deletionTimestamp, labels } = written
  return {
    apiVersion: API_VERSION,
    kind,
    metadata: {
      name,
      ...(namespace !== '' && { namespace }),
      uid,
      ...(version !== undefined && { resourceVersion: String(version) }),
      generation,
      creationTimestamp: formatTime(firstSeenMs),
      ...(typeof deletionTimestamp === 'string' && { deletionTimestamp }),
      ...(isObject(labels) && { labels }),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: withDefaults(kind, manifest.spec),
    ...(status !== undefined && { status }),
  }
}

function withDefaults(kind: string, spec: unknown): unknown {
  const definition = Object.hasOwn(KINDS, kind) ? KINDS[kind as ManifestKind] : undefined
  const read = definition?.schema.shape.spec.safeParse(spec)
  return read?.success ? read.data : spec
}
