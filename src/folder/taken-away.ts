/**
 * PURE: what a folder says comes into force once it is stored. Where it can't be, what takes away does all the same: an
 * object that went, and of an edited one whatever is narrower than it was. What gives waits.
 */
import { type Manifest, parseManifest } from '../resources/manifest.ts'
import { narrowedKey, type Written, written } from '../resources/narrowed-key.ts'
import type { RawApiSpec } from '../resources/protected-api.ts'
import { sameJson } from '../resources/same-json.ts'
import { type AcceptedChange, objectKey } from './accepted.ts'
import { changeOf, type InForce } from './candidate.ts'
import type { Judgement } from './judge.ts'
import { narrowedApi } from './narrowed-api.ts'

export type TakenAway = Pick<Judgement, 'inForce' | 'changes'>

/** @param before what was in force until now */
export function takenAway(before: ReadonlyMap<string, InForce>, judgement: TakenAway): TakenAway {
  const inForce = new Map(judgement.inForce)
  const changes: AcceptedChange[] = []
  for (const change of judgement.changes) {
    if (change.kind === 'remove') {
      changes.push(change)
      continue
    }
    const key = objectKey(change.accepted)
    const [was, is] = [before.get(key), judgement.inForce.get(key)]
    if (was === undefined || is === undefined || was.uid !== is.uid) {
      inForce.delete(key)
      continue
    }
    const form = narrowed(was, is)
    inForce.set(key, form)
    if (form.file !== was.file || !sameJson(form.manifest, was.manifest)) changes.push(changeOf('put', form))
  }
  return { inForce, changes }
}

/** What is to be stored by now: of one object only the last that became of it. */
export function pending(before: readonly AcceptedChange[], now: readonly AcceptedChange[]): readonly AcceptedChange[] {
  const newer = new Set(now.map(({ accepted }) => accepted.uid))
  return [...before.filter(({ accepted }) => !newer.has(accepted.uid)), ...now]
}

function narrowed(was: InForce, is: InForce): InForce {
  const moved = { ...was, file: is.file, line: is.line }
  const [before, after] = [was.parsed, is.parsed]
  // what is in force of it is nothing yet
  if (before === undefined || after === undefined) return moved
  if (sameJson(was.manifest, is.manifest)) return is
  const form = narrowedForm({ manifest: was.manifest, parsed: before }, { manifest: is.manifest, parsed: after })
  return sameJson(form.parsed, before) ? moved : { ...moved, ...form, generation: was.generation + 1 }
}

type Said = { readonly manifest: unknown; readonly parsed: Manifest }

/** An edit of another kind than these two is taken over whole: what it takes and what it gives are the same field. */
function narrowedForm(was: Said, is: Said): Said {
  if (was.parsed.kind === 'ApiKey' && is.parsed.kind === 'ApiKey') {
    return narrowedKey({ manifest: was.manifest, parsed: was.parsed }, { manifest: is.manifest, parsed: is.parsed })
  }
  if (was.parsed.kind !== 'ProtectedApi' || is.parsed.kind !== 'ProtectedApi') return is
  const api = narrowedApi(
    { parsed: was.parsed, raw: apiOf(was.manifest) },
    { parsed: is.parsed, raw: apiOf(is.manifest) },
  )
  const manifest = written(was.manifest, api)
  const read = parseManifest(manifest)
  return read.ok ? { manifest, parsed: read.manifest } : is
}

/** A manifest that was parsed has the form of its kind. */
const apiOf = (manifest: unknown): Written<unknown, RawApiSpec>['raw'] =>
  manifest as Written<unknown, RawApiSpec>['raw']
