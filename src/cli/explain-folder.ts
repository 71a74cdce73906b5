/** `keyward explain` by a folder of manifests instead of a server. */

import type { Explanation, Question } from './explain.ts'
import type { ExplainFlags, FolderLook } from './explain-flags.ts'
import { Stop } from './refused.ts'

type InFolder = Pick<ExplainFlags, 'manifests' | 'data'> & { readonly key: string | undefined }

export async function explainInFolder(
  look: FolderLook,
  { manifests = '', data, key }: InFolder,
  question: Question,
): Promise<Explanation> {
  const looked = await look({ manifests, data, key, nowMs: question.now })
  if (typeof looked === 'string') throw new Stop(looked)
  const { explain } = await import('./explain.ts')
  const { index, record } = looked
  const shown =
    record === undefined
      ? ({ kind: 'none' } as const)
      : { kind: 'known' as const, record, treeUnseen: false, cappedUnseen: false }
  return explain(index, shown, question)
}
