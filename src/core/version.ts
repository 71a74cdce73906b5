/** Credential versions: which one is due, and until when the one before it still works. */

/** The first is 1; each regeneration by a person and each rotation by schedule makes the next one due. */
export const versionDue = (regenerate: number, rotations: number): number => 1 + regenerate + rotations

export type Overlap = {
  readonly handedOverAt: number
  readonly overlapMs: number
  /** undefined: the key never expires. */
  readonly expiresAt: number | undefined
}

/** An overlap counts from the hand-over of the new version, and no secret outlives its key. Milliseconds since 1970. */
export const overlapEnd = ({ handedOverAt, overlapMs, expiresAt = Number.POSITIVE_INFINITY }: Overlap): number =>
  Math.min(handedOverAt + overlapMs, expiresAt)

/** Whether a version is known to have reached its owner. */
export const isHandedOver = (version: { readonly claimedAt?: number | undefined } | undefined): boolean =>
  version?.claimedAt !== undefined
