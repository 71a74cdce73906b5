/** The two texts that say what Keyward must do, sentence by sentence. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const SEEDS = ['api-keys-page', 'passport-api-keys'] as const
export type Seed = (typeof SEEDS)[number]

const END = /[.:!?)]$/

/** Every heading, line and sentence of a seed, in its order and its own spelling; each once. */
export function sentencesOf(seed: Seed): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, 'seeds', `${seed}.txt`), 'utf8')
  const lines: string[] = []
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const last = lines.at(-1)
    // a point of a list that does not end goes on in the next line
    if (last?.startsWith('- ') && !END.test(last)) lines[lines.length - 1] = `${last} ${line}`
    else lines.push(line)
  }
  return [...new Set(lines.flatMap(split))]
}

function split(line: string): readonly string[] {
  const plain = line.replace(/^- /, '').replace(/\s+/g, ' ').trim()
  if (plain === '') return []
  // a full stop behind a number (`1. Scoping`) ends nothing; before GET or CRUD the space is missing
  return plain.split(/(?<=[^\d][.!?])(?: (?:- )?(?=[A-Z])|(?=[A-Z]{3}))/)
}
