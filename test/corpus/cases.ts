/** The corpus as data: 314 cases, of which the raw-http ones are exact bytes for a TCP client. */
import { readFileSync } from 'node:fs'

export type Kind = 'raw-http' | 'scenario' | 'jwt-recipe' | 'kubectl' | 'h2-frames' | 'grpc-json'

export type Case = {
  readonly id: string
  readonly kind: Kind
  readonly surface: string
  readonly input: unknown
  readonly expected: { readonly status?: readonly number[]; readonly upstream?: string; readonly assert?: string }
}

/** A case whose input is bytes (latin-1) with `{{fixtures}}`. */
export type RawCase = Case & { readonly input: string; readonly expected: { readonly status: readonly number[] } }

type Corpus = { readonly meta: { readonly count: number }; readonly cases: readonly Case[] }

const corpus: Corpus = JSON.parse(readFileSync(new URL('bypass-corpus.json', import.meta.url), 'utf8'))

export const CASES: readonly Case[] = corpus.cases
export const COUNT = corpus.meta.count

const isRaw = (one: Case): one is RawCase =>
  one.kind === 'raw-http' && typeof one.input === 'string' && one.expected.status !== undefined

export const RAW_CASES: readonly RawCase[] = CASES.filter(isRaw)
