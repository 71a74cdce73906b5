/** Shipped configurations with more time than they are shipped with: what is tested here is answers, on a machine that may be busy. */

/** To be given as `edit`: a quarter of a second, as each of them writes it, and HAProxy's last resort. */
export const patient = (text: string): string =>
  text.replace(/\b0\.25s\b|\b250ms\b/g, '5s').replace('TIMEOUT_MS = 1000', 'TIMEOUT_MS = 6000')
