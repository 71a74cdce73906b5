/** Waits for quiet, but not for ever: one act for a burst of touches. */

export type Settler = {
  readonly touch: () => void
  readonly isPending: () => boolean
  readonly cancel: () => void
}

/** Acts once nothing was touched for `quietMs`, at the latest `mostMs` after the first touch. */
export function makeSettler({ quietMs, mostMs }: { quietMs: number; mostMs: number }, act: () => void): Settler {
  let quiet: NodeJS.Timeout | undefined
  let most: NodeJS.Timeout | undefined
  const cancel = () => {
    clearTimeout(quiet)
    clearTimeout(most)
    quiet = undefined
    most = undefined
  }
  const fire = () => {
    cancel()
    act()
  }
  return {
    touch: () => {
      if (quiet === undefined) quiet = setTimeout(fire, quietMs)
      else quiet.refresh()
      most ??= setTimeout(fire, mostMs)
    },
    isPending: () => quiet !== undefined,
    cancel,
  }
}
