/** A key made offline: shown once, or put into a file of its own; its digest is what a manifest imports. */
import {
  composeCredential,
  composeKeyId,
  digestOf,
  formatDigest,
  type KeyId,
  RANDOM_BYTES,
} from '../core/credential.ts'
import { ENVIRONMENTS, type Environment } from '../core/environment.ts'
import { Plaintext } from '../core/plaintext.ts'
import { FileProblem, newCredentialFile } from './credential-file.ts'
import { valueText } from './object-text.ts'

export type GenerateArguments = {
  readonly environment: string
  /** A file that does not exist yet; undefined: the key is printed. */
  readonly out?: string | undefined
  /** `text`, `json` or `yaml`. */
  readonly output: string
}

export type GenerateIo = {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly random: (count: number) => Uint8Array
}

type Generated = { readonly keyId: KeyId; readonly digest: string; readonly plaintext: Plaintext }

/** 0: done; 1: the file could not be written, and no key was shown; 2: it was called wrongly. */
export async function runGenerate(args: GenerateArguments, { out, err, random }: GenerateIo): Promise<0 | 1 | 2> {
  const { environment, output } = args
  if (output !== 'text' && output !== 'json' && output !== 'yaml') {
    err(`keyward generate: --output is text, json or yaml, not ${JSON.stringify(output)}\n`)
    return 2
  }
  if (!isEnvironment(environment)) {
    err(`keyward generate: --environment is ${ENVIRONMENTS.join(', ')}, not ${JSON.stringify(environment)}\n`)
    return 2
  }
  const key = generate(environment, random)
  const file = args.out
  if (file === undefined) {
    out(
      output === 'text'
        ? `${asCredential(key)}\n${asSnippet(key)}`
        : valueText(documentOf(key, key.plaintext.reveal()), output),
    )
    return 0
  }
  const problem = written(file, key.plaintext)
  if (problem !== undefined) {
    err(`keyward generate: ${file} ${problem}\n`)
    return 1
  }
  out(
    output === 'text'
      ? `ID      ${key.keyId}\nKey     in ${file}\n\n${asSnippet(key)}`
      : valueText(documentOf(key, { id: key.keyId, file }), output),
  )
  return 0
}

const isEnvironment = (text: string): text is Environment => (ENVIRONMENTS as readonly string[]).includes(text)

function generate(environment: Environment, random: GenerateIo['random']): Generated {
  const keyId = composeKeyId(environment, random(RANDOM_BYTES))
  const credential = composeCredential(keyId, random(RANDOM_BYTES))
  return { keyId, digest: formatDigest(digestOf(credential)), plaintext: new Plaintext(credential) }
}

function asCredential({ plaintext }: Generated): string {
  const { id, secret, key } = plaintext.reveal()
  return `ID      ${id}\nSecret  ${secret}\nKey     ${key}\n`
}

/** As it stands in an ApiKey; nothing in it is secret. */
const asSnippet = ({ keyId, digest }: Generated): string =>
  `# in the spec of an ApiKey; the key itself is kept nowhere\n  delivery:\n    digest: "${digest}"\n    keyId: ${keyId}\n`

const documentOf = ({ keyId, digest }: Generated, shown: Readonly<Record<string, string>>): object => ({
  ...shown,
  delivery: { digest, keyId },
})

/** What went wrong; undefined: nothing. */
function written(file: string, plaintext: Plaintext): string | undefined {
  try {
    newCredentialFile(file).write(plaintext.reveal())
    return undefined
  } catch (error) {
    if (error instanceof FileProblem) return error.message
    throw error
  }
}
