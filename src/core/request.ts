/** One request as its caller made it, in no proxy's words: what every listener translates into. */
import { mayHoldSecret } from './credential.ts'

/** What the listener can do to a request and its response beyond letting it pass. */
export type Ability = {
  /** Remove request headers whose names it was not told beforehand. */
  readonly removal: boolean
  /** Replace the target on its way to the upstream. */
  readonly query: boolean
  /** Cut the upstream's JSON down to the visible set. */
  readonly filter: boolean
}

/** Which API and environment a proxy's own configuration says a request is for, whatever its Host; absent parts go by Host. */
export type Pin = { readonly api: string | undefined; readonly environment: string | undefined }

export type CheckRequest = {
  readonly method: string
  /** Path and query exactly as received. */
  readonly target: string
  /** Every claim of the authority that the request makes (Host, :authority); exactly one is needed. */
  readonly hosts: readonly string[]
  /** Name, value, name, value … as received, duplicates included. */
  readonly headers: readonly string[]
  /** The caller's IP address, as far as the listener may believe it. */
  readonly address: string | undefined
  readonly requestId: string
  /** undefined: the Host alone says which API is asked. */
  readonly pin: Pin | undefined
  readonly ability: Ability
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/

/** The proxy's request ID where it is harmless in a log and a header, else none. */
export const usableRequestId = (text: string | undefined): string | undefined =>
  text !== undefined && REQUEST_ID.test(text) && !mayHoldSecret(text) ? text : undefined
