/** Operators that are killed while every plan is at one of its writes: the first of each, the second of each, and so on. */
import { parseKeyId } from '../../src/core/credential.ts'
import { digestSecretName } from '../../src/kube/digest-secret.ts'
import type { Cluster } from './cluster.ts'
import { getKey } from './cluster-keys.ts'
import type { Held, Phase, Write } from './kill-proxy.ts'
import type { Operator } from './operator.ts'
import { broken, type Life, SCENARIOS, type Scenario, type Succession } from './operator-crash.ts'
import { until } from './until.ts'

export type Killed = { readonly scenario: string; readonly what: string; readonly convergedMs: number }

export type Field = { readonly cluster: Cluster; readonly succession: Succession; readonly lives: Life[] }

/** Nothing moves for so long after all that is not held came where it should: that has no n-th write. */
const QUIET_MS = 300
const ASK_EVERY_MS = 50
const HELD_WITHIN_MS = 30_000

type Trial = {
  readonly scenario: Scenario
  readonly life: Life
  readonly held: Held
  reached: string | undefined
  /** It came where it should without having been held. */
  done: boolean
}

/** Every scenario at once, each with a key of its own; the leader is killed when each is at its n-th write. Empty: none has one. */
export async function killedTogether(
  { cluster, succession, lives }: Field,
  { n, phase }: { readonly n: number; readonly phase: Phase },
): Promise<readonly Killed[]> {
  const { operator, proxy } = succession.leader()
  const begun = SCENARIOS.map((scenario, i) => ({ scenario, life: lifeNamed(lives.length + i) }))
  lives.push(...begun.map(({ life }) => life))
  await Promise.all(begun.map(({ scenario, life }) => scenario.before(cluster, life)))
  await until('nothing is under way', async () => (await operator.metric('keyward_operator_queue_depth')) === 0)
  const trials = await Promise.all(
    begun.map(async ({ scenario, life }): Promise<Trial> => {
      const held = proxy.hold({ matches: await writesOf(cluster, life), n, phase })
      const trial: Trial = { scenario, life, held, reached: undefined, done: false }
      void held.reached.then((what) => {
        trial.reached = what
      })
      return trial
    }),
  )
  await Promise.all(trials.map(({ scenario, life }) => scenario.change(cluster, life)))
  for (const trial of trials) {
    const done = () => {
      trial.done = true
    }
    // what is held does not settle
    trial.scenario.settled(cluster, trial.life).then(done, () => undefined)
  }
  await untilHeld(operator, trials)
  proxy.letLive()
  const caught = trials.filter(({ reached }) => reached !== undefined)
  const wayOf = ({ scenario, reached }: Trial) => `${scenario.name}: ${phase} ${reached ?? 'nothing'}`
  if (caught.length > 0) {
    await proxy.strike(() => operator.process.signal('SIGKILL'))
    expectSound(caught.map(wayOf).join(', '), await broken(cluster, lives.slice(-trials.length)))
    await succession.next()
  }
  const leadsAt = performance.now()
  const settled = async (trial: Trial): Promise<Killed> => {
    await trial.scenario.settled(cluster, trial.life).catch((error: unknown) => {
      throw new Error(`${wayOf(trial)}: ${String(error)}\n${succession.leader().operator.output()}`)
    })
    return { scenario: trial.scenario.name, what: wayOf(trial), convergedMs: performance.now() - leadsAt }
  }
  const all = await Promise.all(trials.map(settled))
  expectSound(`${trials.map(wayOf).join(', ')}: settled`, await broken(cluster, lives.slice(-trials.length)))
  return all.filter((_, i) => trials[i]?.reached !== undefined)
}

/** None is a part of another. */
const lifeNamed = (n: number): Life => ({ name: `life-${String(n).padStart(4, '0')}`, claims: [] })

/** Which of all writes are about this key: its name is in most of them, its key ID in the others. */
async function writesOf(cluster: Cluster, { name }: Life): Promise<(write: Write) => boolean> {
  const keyId = parseKeyId((await getKey(cluster, name))?.status?.keyId ?? '')
  const marks = keyId.ok ? [name, keyId.value, digestSecretName(keyId.value)] : [name]
  return ({ path, body }) => marks.some((mark) => path.includes(mark) || body.includes(mark))
}

/** Until each is at its write, or is done without having come to one. */
async function untilHeld(operator: Operator, trials: readonly Trial[]): Promise<void> {
  let quietSince = performance.now()
  let last = ''
  await until(
    'every key is at its write or done',
    async () => {
      const held = trials.filter(({ reached }) => reached !== undefined).length
      if (held === trials.length) return true
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
      // whose write is held is at work, and may wait for its turn once more
      const depth = await operator.metric('keyward_operator_queue_depth')
      const looks = await operator.metric('keyward_operator_reconciles_total{outcome="settled"}')
      const now = `${held} ${depth} ${looks}`
      const isUnderWay = trials.some(({ reached, done }) => reached === undefined && !done)
      if (now !== last || isUnderWay) quietSince = performance.now()
      last = now
      return performance.now() - quietSince > QUIET_MS
    },
    HELD_WITHIN_MS,
  )
}

function expectSound(when: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(`${when}: ${problems.join('; ')}`)
}
