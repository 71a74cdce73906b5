/** The claim that the CLI makes: its name is one that every API server can make up, whatever the key is called. */
import { expect, test } from 'vitest'
import { claimOf } from '../../src/cli/claim-credential.ts'
import { newRecipient } from '../../src/cli/sealed.ts'

test.each<[string, string, string]>([
  ['a short name', 'main', 'main-'],
  ['57 characters', 'm'.repeat(57), `${'m'.repeat(57)}-`],
  ['58 characters', 'm'.repeat(58), `${'m'.repeat(57)}-`],
  ['253 characters', 'm'.repeat(253), `${'m'.repeat(57)}-`],
  ['a dot where it is cut', `${'m'.repeat(56)}.example`, `${'m'.repeat(56)}-`],
  ['dashes where it is cut', `${'m'.repeat(54)}---${'x'.repeat(9)}`, `${'m'.repeat(54)}-`],
])(
  'a claim of a key with %s is named after it, with no more than the API server keeps',
  async (_what, name, prefix) => {
    const { metadata, spec } = claimOf({ name, version: 1 }, await newRecipient())
    expect(metadata).toEqual({ generateName: prefix })
    expect(spec).toMatchObject({ apiKey: name })
  },
)
