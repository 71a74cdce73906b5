/** What work costs, in processor time of this process: what else the machine does is no matter there. */

/** Milliseconds of the cheapest of several tries. */
export function leastCpuMs(work: () => unknown, tries = 5): number {
  const costs = Array.from({ length: tries }, () => {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  })
  return Math.min(...costs)
}
