/** What a parser gives back, and the two small types that keep parsed values apart from raw ones. */

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string }

declare const brand: unique symbol

/** A T that only its parser can make. */
export type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** The end of a switch over a closed union: a new member must not compile until it is answered there. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`)
}
