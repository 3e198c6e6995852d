import { reaches } from './metrics.ts'
import type { EvalReport } from './report.ts'
import type { Gate } from './suite.ts'
import { rounded } from './words.ts'

/** `1.5 s`, `240 ms`, `12 min`. */
export function seconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 600_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`
}

/** A gate with its value: `pass_rate 0.96, must be ≥ 0.9`. */
export function gateLine(gate: Gate, { metrics }: Pick<EvalReport, 'metrics'>): string {
  const { metric, direction, threshold } = gate
  const value = metrics[metric]
  const bar = `${direction === 'higher' ? '≥' : '≤'} ${threshold}`
  const missed = value !== undefined && !reaches(gate, value) ? ' (missed)' : ''
  return `${metric} ${value === undefined ? 'unknown' : rounded(value)}, must be ${bar}${missed}`
}

/** What the numbers of a run are about. */
export function questionOf({
  estimand,
  trials,
  metrics,
}: Pick<EvalReport, 'estimand' | 'trials' | 'metrics'>): string {
  const { cases = 0 } = metrics
  const times = trials === 1 ? 'once each' : `${trials} times each`
  return estimand === 'these-cases'
    ? `these ${cases} cases, ${times}: what chance there is, is the model's`
    : `cases like these ${cases}, ${times}: they stand for those to come`
}
