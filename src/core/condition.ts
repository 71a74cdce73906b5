/** Conditions as in metav1: said anew each time, with the moment of the last real change kept. */

export type ConditionStatus = 'True' | 'False' | 'Unknown'

export type Condition = {
  readonly type: string
  readonly status: ConditionStatus
  /** CamelCase, for programs. */
  readonly reason: string
  /** A sentence, for people. */
  readonly message: string
  readonly observedGeneration: number
  readonly lastTransitionTime: string
}

export type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

export type Moment = { readonly generation: number; readonly nowMs: number }

/** metav1.Time: RFC 3339 in UTC, whole seconds. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, -'.000Z'.length)}Z`

/** Findings as conditions: lastTransitionTime moves only when the status of that type does. */
export function conditionsOf(
  findings: readonly Finding[],
  before: readonly Pick<Condition, 'type' | 'status' | 'lastTransitionTime'>[],
  { generation, nowMs }: Moment,
): readonly Condition[] {
  const now = formatTime(nowMs)
  return findings.map(({ type, status, reason, message }) => {
    const known = before.find((condition) => condition.type === type)
    const lastTransitionTime = known?.status === status ? known.lastTransitionTime : now
    return { type, status, reason, message, observedGeneration: generation, lastTransitionTime }
  })
}
