/** Caddy on its shipped configuration. */
import { type ShippedOptions, type ShippedProxy, startShipped } from './shipped.ts'

export const startCaddy = (options: ShippedOptions): Promise<ShippedProxy> =>
  startShipped(
    { part: 'caddy', folder: 'caddy', args: () => ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'] },
    options,
  )
