/** `keyward generate`: a key made offline is shown once or put into a file, and its digest is ready to be pasted. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type GenerateArguments, runGenerate } from '../../src/cli/generate.ts'
import { digestOf, parseCredential } from '../../src/core/credential.ts'
import { readDocuments } from '../../src/resources/document.ts'
import { parseManifest } from '../../src/resources/manifest.ts'
import { seededBytes } from '../support/make.ts'
import { keyText } from '../support/manifest-folder.ts'

async function generate(args: Partial<GenerateArguments> = {}) {
  const written = { out: '', err: '' }
  let drawn = 0
  const code = await runGenerate(
    { environment: 'production', output: 'text', ...args },
    {
      out: (text) => {
        written.out += text
      },
      err: (text) => {
        written.err += text
      },
      random: () => seededBytes(`draw ${drawn++}`),
    },
  )
  return { code, ...written }
}

function aFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'keyward-generate-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const credentialIn = (text: string) => {
  const parsed = parseCredential(/^Key +(\S+)$/m.exec(text)?.[1] ?? '')
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.value
}

test.each([
  ['production', 'kw_prod_'],
  ['staging', 'kw_stag_'],
  ['development', 'kw_dev_'],
])('a key for %s begins with %s and is shown as ID, Secret and one string', async (environment, prefix) => {
  const { code, out, err } = await generate({ environment })
  const { keyId, text } = credentialIn(out)
  expect([code, err, keyId.startsWith(prefix)]).toEqual([0, '', true])
  expect(out).toContain(`ID      ${keyId}\nSecret  ${text.slice(keyId.length + 1)}\nKey     ${text}\n`)
})

test('the snippet is what an ApiKey takes, and names the digest of this key', async () => {
  const { out } = await generate()
  const credential = credentialIn(out)
  const snippet = out.slice(out.indexOf('  delivery:'))
  const [document] = readDocuments(keyText('main') + snippet).documents
  expect(parseManifest(document?.value)).toMatchObject({
    ok: true,
    manifest: { spec: { delivery: { kind: 'imported', digest: digestOf(credential), keyId: credential.keyId } } },
  })
})

test('the same as JSON', async () => {
  const { out } = await generate({ output: 'json' })
  const { id, secret, key, delivery } = JSON.parse(out) as Record<string, string> & { delivery: unknown }
  expect(key).toBe(`${id}_${secret}`)
  const parsed = parseCredential(key ?? '')
  if (!parsed.ok) throw new Error(parsed.problem)
  expect(delivery).toEqual({ digest: `sha256:${digestOf(parsed.value)}`, keyId: id })
})

test('and as YAML', async () => {
  const [{ out: yaml }, { out: json }] = [await generate({ output: 'yaml' }), await generate({ output: 'json' })]
  expect(load(yaml)).toEqual(JSON.parse(json))
})

describe('into a file', () => {
  test.each(['text', 'json', 'yaml'])(
    'the key goes there alone, readable by its owner alone; %s names the rest',
    async (output) => {
      const file = join(aFolder(), 'key.json')
      const { code, out, err } = await generate({ out: file, output })
      const { id, secret, key } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
      expect([code, statSync(file).mode & 0o777, key]).toEqual([0, 0o600, `${id}_${secret}`])
      expect(out).toContain(id)
      expect(out).toContain('sha256:')
      expect(out + err).not.toContain(secret)
    },
  )

  test('a file that exists is not overwritten, and no key is shown instead', async () => {
    const file = join(aFolder(), 'key.json')
    writeFileSync(file, 'mine')
    const { code, out, err } = await generate({ out: file })
    expect([code, out, err]).toEqual([1, '', `keyward generate: ${file} exists already, and is not overwritten\n`])
    expect(readFileSync(file, 'utf8')).toBe('mine')
  })

  test('a file that can not be made is named', async () => {
    const file = join(aFolder(), 'nowhere', 'key.json')
    const { code, out, err } = await generate({ out: file })
    expect([code, out, err]).toEqual([1, '', `keyward generate: ${file} can't be made (ENOENT)\n`])
  })
})

describe('called wrongly', () => {
  test('an environment that there is not', async () => {
    const { code, out, err } = await generate({ environment: 'prod' })
    expect([code, out, err]).toEqual([
      2,
      '',
      'keyward generate: --environment is production, staging, development, not "prod"\n',
    ])
  })

  test('a form of output that there is not', async () => {
    const { code, out } = await generate({ output: 'xml' })
    expect([code, out]).toEqual([2, ''])
  })
})
