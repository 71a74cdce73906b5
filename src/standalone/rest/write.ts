/** Creating, changing and deleting what no file speaks of; judged as a file would be, in the same words. */
import { isObject } from '../../resources/problem.ts'
import { type Book, keyOf } from './book.ts'
import { type Call, isDryRun } from './call.ts'
import {
  APPLY_PATCH,
  type Draft,
  draftOf,
  JSON_TYPE,
  MERGE_PATCH,
  mediaTypeOf,
  parsedBody,
  YAML_TYPE,
} from './draft.ts'
import type { Target } from './kinds.ts'
import { merged } from './merge-patch.ts'
import {
  type About,
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  internal,
  invalid,
  MODIFIED,
  notAllowed,
  notFound,
  type StatusBody,
  success,
  type Wrong,
} from './refusal.ts'
import { type Held, type Shown, show } from './shown.ts'

export type Decision = { readonly kind: 'put'; readonly manifest: unknown } | { readonly kind: 'remove' }

export type Submission = {
  /** `Kind/namespace/name`. */
  readonly key: string
  readonly decide: (current: Held | undefined) => Decision
  readonly dryRun: boolean
}

export type Submitted =
  | { readonly kind: 'done'; readonly form: Held | undefined; readonly warnings: readonly string[] }
  | { readonly kind: 'refused'; readonly problems: readonly Wrong[] }
  | { readonly kind: 'declared'; readonly file: string; readonly line: number }
  | { readonly kind: 'unstored'; readonly error: unknown }

export type WriteParts = {
  readonly book: Book
  readonly statusOf: (held: Held) => unknown
  readonly submit: (submission: Submission) => Promise<Submitted>
  readonly random: (count: number) => Uint8Array
}

export type Written = {
  readonly code: 200 | 201
  readonly body: Shown | StatusBody
  readonly warnings: readonly string[]
}

export type Body = { readonly text: string; readonly type: string }

/** Where a write leads, and what is sent with it. */
export type Write = { readonly target: Target; readonly call: Call; readonly body: Body }

type Doing = {
  readonly target: Target
  readonly name: string
  readonly decide: Submission['decide']
  readonly dryRun: boolean
}

export function makeWriter({ book, statusOf, submit, random }: WriteParts) {
  const settle = async ({ target, name, decide, dryRun }: Doing) => {
    const about = { ...target.resource, name }
    const key = keyOf({ kind: target.resource.kind, namespace: target.namespace, name })
    const outcome = await submit({ key, decide, dryRun })
    switch (outcome.kind) {
      case 'refused':
        throw invalid(about, outcome.problems)
      case 'declared':
        throw declared(about, outcome, target.name === undefined)
      case 'unstored':
        throw internal('it could not be stored: what it takes away is in force, what it gives is not')
      case 'done':
        return { ...outcome, key, about }
    }
  }

  const put = async (doing: Doing, code: 200 | 201): Promise<Written> => {
    const { form, key, warnings, about } = await settle(doing)
    if (form === undefined) throw notFound(about)
    const version = doing.dryRun ? undefined : book.get(key)?.version
    return { code, body: show(form, version, statusOf(form)), warnings }
  }

  const create = async ({ target, call, body }: Write): Promise<Written> => {
    if (target.resource.namespaced && target.namespace === '') throw notAllowed('create it in a namespace')
    const draft = draftOf(parsedBody(body.text, body.type, [JSON_TYPE, YAML_TYPE]), target)
    const { name, manifest } = named(draft, random)
    const decide = (current: Held | undefined): Decision => {
      if (current !== undefined) throw alreadyExists({ ...target.resource, name })
      return { kind: 'put', manifest }
    }
    return await put({ target, name, decide, dryRun: isDryRun(call.query.getAll('dryRun')) }, 201)
  }

  /** What a draft says of the object that it was made from must still hold. */
  const mustBe = (current: Held | undefined, { about, draft }: { about: About; draft: Draft }): Held => {
    if (current === undefined) throw notFound(about)
    const { uid, resourceVersion } = draft
    if (uid !== undefined && uid !== current.uid) {
      throw conflict(about, `the uid of the request (${uid}) is not that of the object (${current.uid})`)
    }
    if (resourceVersion !== undefined && resourceVersion !== String(book.get(keyOf(current))?.version)) {
      throw conflict(about, MODIFIED)
    }
    return current
  }

  const replace = async ({ target, call, body }: Write): Promise<Written> => {
    const { name = '' } = target
    const about = { ...target.resource, name }
    const draft = draftOf(parsedBody(body.text, body.type, [JSON_TYPE, YAML_TYPE]), target)
    const decide = (current: Held | undefined): Decision => {
      mustBe(current, { about, draft })
      if (draft.resourceVersion === undefined) {
        const message = 'Invalid value: 0: must be specified for an update'
        throw invalid(about, [{ field: 'metadata.resourceVersion', message }])
      }
      return { kind: 'put', manifest: draft.manifest }
    }
    return await put({ target, name, decide, dryRun: isDryRun(call.query.getAll('dryRun')) }, 200)
  }

  /** An apply is a merge as well: what it leaves out stays, since nobody's fields are kept apart here. */
  const patch = async ({ target, call, body }: Write): Promise<Written> => {
    const { name = '' } = target
    const about = { ...target.resource, name }
    const value = parsedBody(body.text, body.type, [MERGE_PATCH, APPLY_PATCH])
    if (!isObject(value)) throw badRequest('a patch is an object')
    const applies = mediaTypeOf(body.type) === APPLY_PATCH
    let code: 200 | 201 = 200
    const decide = (current: Held | undefined): Decision => {
      if (current === undefined && applies) {
        code = 201
        return { kind: 'put', manifest: draftOf(value, target).manifest }
      }
      if (current === undefined) throw notFound(about)
      const before = show(current, book.get(keyOf(current))?.version, undefined)
      const draft = draftOf(merged(before, value), target)
      mustBe(current, { about, draft })
      return { kind: 'put', manifest: draft.manifest }
    }
    const written = await put({ target, name, decide, dryRun: isDryRun(call.query.getAll('dryRun')) }, 200)
    return { ...written, code }
  }

  const remove = async ({ target, call, body }: Write): Promise<Written> => {
    const { name = '' } = target
    const about = { ...target.resource, name }
    const options = body.text === '' ? {} : parsedBody(body.text, body.type, [JSON_TYPE, YAML_TYPE])
    const { preconditions, dryRun } = isObject(options) ? options : {}
    const trials = [...call.query.getAll('dryRun'), ...(Array.isArray(dryRun) ? dryRun : [])]
    let uid = ''
    const decide = (current: Held | undefined): Decision => {
      const wanted = isObject(preconditions) ? preconditions : {}
      uid = mustBe(current, { about, draft: { ...NO_DRAFT, ...textsIn(wanted) } }).uid
      return { kind: 'remove' }
    }
    const { warnings } = await settle({ target, name, decide, dryRun: isDryRun(trials) })
    return { code: 200, body: success(about, uid), warnings }
  }

  return { create, replace, patch, remove }
}

const NO_DRAFT: Draft = {
  manifest: {},
  name: undefined,
  generateName: undefined,
  uid: undefined,
  resourceVersion: undefined,
}

const textsIn = ({ uid, resourceVersion }: Readonly<Record<string, unknown>>) => ({
  uid: uid === undefined ? undefined : String(uid),
  resourceVersion: resourceVersion === undefined ? undefined : String(resourceVersion),
})

const declared = (about: About, { file, line }: { file: string; line: number }, creating: boolean) =>
  creating
    ? alreadyExists(about, `: it is declared in ${file}:${line}`)
    : forbidden(`it is declared in ${file}:${line}, and is changed only there`, about)

/** As the API server's own suffixes: no vowels, so that they make no words. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789'
const SUFFIX = 5

function named({ name, generateName, manifest }: Draft, random: WriteParts['random']) {
  if (name !== undefined || generateName === undefined) return { name: name ?? '', manifest }
  const suffix = [...random(SUFFIX)].map((byte) => LETTERS[byte % LETTERS.length]).join('')
  const made = generateName + suffix
  const metadata = isObject(manifest.metadata) ? manifest.metadata : {}
  return { name: made, manifest: { ...manifest, metadata: { ...metadata, name: made } } }
}
