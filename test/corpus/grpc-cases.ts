/** The grpc-json cases of the corpus with what each has to come to. */
import { CASES } from './cases.ts'
import { fill } from './fill.ts'
import type { Credentials } from './oracle.ts'

export type GrpcCase = {
  readonly id: string
  /** JSON as protobuf writes it, with `{{fixtures}}`. */
  readonly input: string
  /** `allow`, or status and code of the refusal. */
  readonly comes: string
}

/** The message of a case. */
export const questionOf = ({ input }: GrpcCase, credentials: Credentials): object =>
  JSON.parse(fill(input, credentials))

/** Every check is answered; the decision is that of the published table. */
const COMES: Readonly<Record<string, string>> = {
  'GRPC-no-attributes': '400 ambiguous_path',
  'GRPC-no-http': '400 ambiguous_path',
  'GRPC-empty-path': '400 ambiguous_path',
  'GRPC-path-no-slash': '400 ambiguous_path',
  'GRPC-path-authority': '400 ambiguous_path',
  'GRPC-joined-dup': '400 ambiguous_credential',
  'GRPC-joined-apikey': '400 ambiguous_credential',
  'GRPC-bang-value': '401 invalid_key',
  'GRPC-bang-path': '400 ambiguous_path',
  'GRPC-path-frag': '400 ambiguous_path',
  'GRPC-path-semi': '400 ambiguous_path',
  'GRPC-path-in-query-field': 'allow',
  // only keyward.api and keyward.environment pin anything, and only in the configuration of a proxy
  'GRPC-ctx-ext-spoof': '401 wrong_environment',
}

const isText = (input: unknown): input is string => typeof input === 'string'

export const CORPUS_GRPC: readonly GrpcCase[] = CASES.filter(({ kind }) => kind === 'grpc-json').flatMap(
  ({ id, input }) => (isText(input) ? [{ id, input, comes: COMES[id] ?? 'not written down' }] : []),
)

/** Of the surface, but no message: by scenarios-grpc.ts and test/real/corpus-grpc.test.ts. */
export const GRPC_SCENARIOS = ['GRPC-gzip-bomb', 'GRPC-bad-protobuf', 'GRPC-deadline', 'GRPC-failopen-probe'] as const
