/** nginx on its shipped configuration. */
import { join } from 'node:path'
import { type ShippedOptions, type ShippedProxy, startShipped } from './shipped.ts'

export const startNginx = (options: ShippedOptions): Promise<ShippedProxy> =>
  startShipped(
    {
      part: 'nginx',
      folder: 'nginx',
      args: (folder) => [
        ...['-e', 'stderr', '-p', folder, '-c', 'nginx.conf'],
        ...['-g', `daemon off; pid ${join(folder, 'nginx.pid')};`],
      ],
    },
    options,
  )
