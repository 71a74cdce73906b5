/** A key pasted into a manifest: it would be kept as text, and a manifest goes into Git and into the store. */
import { parseCredential } from '../core/credential.ts'

export const PASTED_KEY =
  'a whole key stands here: keys have no place in manifests; revoke it, since others have seen it'

/** Also what the API server looks for, which can't check the checksum. */
export const KEY = /kw_(prod|stag|dev)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/
const KEYS = new RegExp(KEY.source, 'g')

/** Where in a manifest a whole key stands, in a value or in a name; the checksum tells it from a text that looks like one. */
export function pastedKey(value: unknown, path: readonly (string | number)[] = []): typeof path | undefined {
  if (typeof value === 'string') return holdsKey(value) ? path : undefined
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, inner] of Object.entries(value)) {
    if (holdsKey(name)) return path
    const found = pastedKey(inner, [...path, Array.isArray(value) ? Number(name) : name])
    if (found !== undefined) return found
  }
  return undefined
}

const holdsKey = (text: string): boolean =>
  text.includes('kw_') && (text.match(KEYS) ?? []).some((key) => parseCredential(key).ok)
