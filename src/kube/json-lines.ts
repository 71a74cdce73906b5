/** Lines out of chunks that are cut anywhere, each as one text; none may be longer than a bound. */
import { Trouble } from '../core/trouble.ts'

export type Lines = {
  /** The lines that this chunk completes. */
  readonly push: (chunk: Uint8Array) => readonly string[]
  /** Whether a line has begun and not ended. */
  readonly unfinished: () => boolean
}

const NEW_LINE = 0x0a

export function makeLines(longest: number): Lines {
  let begun: Uint8Array[] = []
  let held = 0

  const take = (last: Uint8Array): string => {
    const line = begun.length === 0 ? last : Buffer.concat([...begun, last])
    begun = []
    held = 0
    return Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8')
  }

  const hold = (part: Uint8Array): void => {
    if (part.length === 0) return
    begun.push(part)
    held += part.length
    if (held > longest) throw new Trouble('kube_too_large', 'retry')
  }

  const push = (chunk: Uint8Array): readonly string[] => {
    const lines: string[] = []
    let from = 0
    for (let end = chunk.indexOf(NEW_LINE); end >= 0; end = chunk.indexOf(NEW_LINE, from)) {
      const line = take(chunk.subarray(from, end))
      if (line !== '') lines.push(line)
      from = end + 1
    }
    hold(chunk.subarray(from))
    return lines
  }

  return { push, unfinished: () => held > 0 }
}
