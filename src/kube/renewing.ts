/** Something that is compiled as a whole: anew soon after a part of it changed, and never most of the time. */

export type Renewing<T> = {
  /** undefined until it was renewed for the first time. */
  readonly current: () => T | undefined
  /** At once. */
  readonly renew: () => void
  /** A part changed; nothing happens before the first `renew`. */
  readonly changed: () => void
}

/** What takes a second is done every ten seconds at most. */
const REST = 9

export function makeRenewing<T>(compile: () => T, steadyMs: () => number, onRenewed: () => void): Renewing<T> {
  let current: { readonly value: T } | undefined
  let due = false
  let restUntilMs = 0

  const renew = (): void => {
    due = false
    const startMs = steadyMs()
    current = { value: compile() }
    const endMs = steadyMs()
    restUntilMs = endMs + (endMs - startMs) * REST
  }

  return {
    current: () => current?.value,
    renew,
    changed: () => {
      if (current === undefined || due) return
      due = true
      const restMs = restUntilMs - steadyMs()
      const then = () => {
        renew()
        onRenewed()
      }
      if (restMs <= 0) setImmediate(then)
      else setTimeout(then, restMs).unref()
    },
  }
}
