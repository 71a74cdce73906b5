/** An example as a test uses it: its upstream, and standalone on a copy of its manifests. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Answer, ask, type Question } from '../support/ask.ts'
import { newHome, type Standalone, startStandalone } from '../support/standalone.ts'
import { until } from '../support/until.ts'

/**
 * An edited, added or removed manifest is in force within a second, which test/real/standalone.test.ts holds to; here several
 * edits of one example follow one another on a machine that may be busy.
 */
export const AT_ONCE_MS = 5000

/** What became of a request, in short: the status, and the code where it was refused. */
export const outcome = ({ status, json }: Answer): number | string =>
  status < 300 ? status : `${status} ${String(json.code)}`

/** Waits until a request has this outcome, no longer than an edit may take. */
export const soon = (wanted: number | string, request: () => Promise<Answer>): Promise<Answer> =>
  until(
    `the answer is ${wanted}`,
    async () => {
      const answer = await request()
      return outcome(answer) === wanted ? answer : undefined
    },
    AT_ONCE_MS,
  )

type Spec = Readonly<Record<string, unknown>>

export type RunningExample = {
  readonly keyward: Standalone
  readonly call: (path: string, question: Question) => Promise<Answer>
  /** The credential of an ApiKey of this example, as soon as it was handed over `version` times. */
  readonly key: (name: string, version?: number) => Promise<string>
  /** Declares an ApiKey in a file of its own, or another form of it; gives the name of the file. */
  readonly declare: (name: string, spec: Spec) => string
  /** Declares a further ApiKey and waits for its credential. */
  readonly newKey: (name: string, spec?: Spec) => Promise<string>
  /** Waits until Keyward's own log says that this field of this file is refused. */
  readonly refused: (file: string, field: string) => Promise<unknown>
  readonly stop: () => Promise<void>
}

export type ExampleParts = {
  readonly name: 'licensing' | 'passport'
  readonly upstream: (parts: { readonly manifests: string }) => Server
  /** What a further key has where a test says nothing else. */
  readonly spec: Spec
}

export async function startExample({ name: example, upstream, spec }: ExampleParts): Promise<RunningExample> {
  const home = newHome(join(import.meta.dirname, '../../examples', example, 'manifests'))
  const server = upstream({ manifests: join(home, 'manifests') })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const keyward = await startStandalone({ home, upstream: urlOf(server) })

  const declare = (name: string, own: Spec): string => {
    const manifest = {
      apiVersion: 'keyward.dev/v1alpha1',
      kind: 'ApiKey',
      metadata: { name, namespace: example },
      spec: { ...spec, ...own },
    }
    // JSON is YAML as well
    keyward.edit(`${name}.yaml`, JSON.stringify(manifest, undefined, 2))
    return `${name}.yaml`
  }
  const key = async (name: string, version?: number) => (await keyward.key(`${example}/${name}`, version)).key
  return {
    keyward,
    call: (path, question) => ask(keyward.url + path, question),
    key,
    declare,
    newKey: (name, own = {}) => {
      declare(name, own)
      return key(name)
    },
    refused: (file, field) =>
      until(`${field} in ${file} is refused`, () =>
        keyward
          .output()
          .split('\n')
          .some((line) => line.includes(file) && line.includes(field)),
      ),
    stop: async () => {
      await keyward.stop()
      server.close()
    },
  }
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
