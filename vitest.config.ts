import { defineConfig } from 'vitest/config'

/** They kill, stop, restore or look into the API server's own processes, so they need one that is theirs, which kind's is not. */
const WITH_THEIR_OWN_API_SERVER = [
  'admission-certificates',
  'admission-net',
  'admission-replicas',
  'admission',
  'authz-faults',
  'cli',
  'client',
  'corpus',
  'crash',
  'fence',
  'operator-edges',
  'operator-leader',
  'operator-outage',
  'operator-policy',
  'reflector',
  'scale',
  'sweep',
].map((name) => `test/cluster/${name}.test.ts`)

export default defineConfig({
  test: {
    environment: 'node',
    projects: [
      {
        test: {
          name: 'quick',
          // no test mocks or changes what others share, so that modules need to be loaded once only
          isolate: false,
          include: ['test/{core,resources,operator,enforce,cli,wire,rules,contract,kube}/**/*.test.ts'],
          // a hang is meant: on a busy machine the longest takes some seconds
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/{real,examples,proxies}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          exclude: process.env.TEST_KIND_CONFIG === undefined ? [] : WITH_THEIR_OWN_API_SERVER,
          // each file has an API server of its own: two at once would time each other out on two cores
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
