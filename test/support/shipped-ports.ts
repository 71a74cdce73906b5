/** The shipped configurations of proxies on other ports. Knows no test runner. */

/** Where a proxy listens, Keyward's checks, and the API behind. */
export type ShippedPorts = {
  readonly proxy: number
  readonly check: number
  readonly grpc: number
  readonly upstream: number
}

/** The ports of every shipped configuration, with a colon in front of them, and in YAML a blank. */
const WELL_KNOWN = /(:\s?)(10000|3000|9000|9001)\b/g

export function withPorts(text: string, { proxy, check, grpc, upstream }: ShippedPorts): string {
  const ports: Readonly<Record<string, number>> = { 10000: proxy, 3000: upstream, 9000: check, 9001: grpc }
  return text.replace(WELL_KNOWN, (_, before: string, wellKnown: string) => `${before}${ports[wellKnown]}`)
}
