/** What a machine that stalls can break though Keyward is right is tried more than once. */

/**
 * For tests that hold a promised figure on a real clock, and for those in which the time between two steps counts: idle times
 * that must not run out meanwhile, limits that must not refill. One trial of three that holds shows that Keyward can; a
 * defect breaks all three.
 */
export const THREE_TRIALS = { retry: 2 } as const
