/** What we ask of V8's garbage collector: to look sooner than it would by itself. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * V8 counts buffers against no budget of their own: 64 MiB and more of dead ones pile up before it looks at them by itself.
 * A collection of the young ones alone takes about a millisecond. Where this V8 offers none, nothing is done.
 */
export const youngCollector = (): (() => void) => collectorOf({ type: 'minor' })

/**
 * What a start leaves behind is several times what it came for, and V8 keeps the room for more of it. A collection of
 * everything takes about a millisecond for each mebibyte that is alive; a thorough one several times that, and gives the
 * room back to the machine.
 */
export function wholeCollector(): (thorough: boolean) => void {
  const [plain, thorough] = [collectorOf({ type: 'major' }), collectorOf({ type: 'major', flavor: 'last-resort' })]
  return (wanted) => (wanted ? thorough() : plain())
}

/**
 * On a machine with much memory V8 lets the young objects of a busy process grow to 128 MiB before it looks which of them
 * live, and keeps that memory. A process that mostly waits for others loses nothing by looking sooner.
 */
export const keepYoungSmall = (): void => setFlagsFromString('--semi-space-growth-factor=1')

function collectorOf(how: object): () => void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('globalThis.gc')
  setFlagsFromString('--no-expose-gc')
  return typeof collect === 'function' ? () => void collect(how) : () => undefined
}
