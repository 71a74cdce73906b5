/** HAProxy on its shipped configuration. */
import { type ShippedOptions, type ShippedProxy, startShipped } from './shipped.ts'

export const startHaproxy = (options: ShippedOptions): Promise<ShippedProxy> =>
  startShipped({ part: 'haproxy', folder: 'haproxy', args: () => ['-db', '-f', 'haproxy.cfg'] }, options)
