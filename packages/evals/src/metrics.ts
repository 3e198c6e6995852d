import { scoresOf } from './case-scores.ts'
import type { CaseResult } from './runner.ts'
import type { Gate } from './suite.ts'

/** Which side of what a metric must be on. */
export type Bar = Pick<Gate, 'metric' | 'direction' | 'threshold'>

/** What a run says in numbers; the names are those of the metrics in MLflow. */
export type Metrics = Readonly<Record<string, number>>

/**
 * Counts of trials, `pass_rate` and the mean of every scorer as `score.<name>`: trials are averaged inside a case first, then
 * the cases by their weights. An error counts as not passed and is in no mean. `pass_rate` is absent while a trial was not run:
 * a part of a dataset has no rate. `cost_usd` is there when every trial's cost is known, `cached` when some answer was an earlier run's.
 */
export function measure(results: readonly CaseResult[]): Metrics {
  const count = (wanted: CaseResult['status']): number =>
    results.filter(({ status }) => status === wanted).length
  const counts = {
    cases: new Set(results.map((result) => result.case.id)).size,
    total: results.length,
    passed: count('passed'),
    failed: count('failed'),
    errors: count('error'),
    not_run: count('not-run'),
  }
  const costs = results.filter(({ status }) => status !== 'not-run').map(({ costUsd }) => costUsd)
  const isPriced = costs.length > 0 && !costs.includes(undefined)
  const cached = results.filter(({ isCached }) => isCached).length
  return {
    ...meanScores(results, counts.not_run === 0),
    ...counts,
    ...(isPriced ? { cost_usd: costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0) } : {}),
    ...(cached > 0 ? { cached } : {}),
  }
}

/**
 * True when the metric is on the right side of its threshold. A metric that is missing passes nothing; nor does the
 * mean of a scorer when a case ended in an error: it would say the more, the fewer answers there are.
 */
export function passes(gate: Bar, metrics: Metrics): boolean {
  const value = metrics[gate.metric]
  if (value === undefined || (gate.metric !== 'pass_rate' && (metrics.errors ?? 0) > 0)) return false
  return reaches(gate, value)
}

/** True when a value is on the right side of the threshold, or at it. */
export const reaches = ({ direction, threshold }: Bar, value: number): boolean =>
  direction === 'higher' ? value >= threshold : value <= threshold

function meanScores(results: readonly CaseResult[], isWhole: boolean): Record<string, number> {
  const { ids, metrics } = scoresOf(results)
  const weights = new Map(results.map(({ case: { id, weight = 1 } }) => [id, weight]))
  const means: Record<string, number> = {}
  for (const [metric, byCase] of Object.entries(metrics)) {
    if (metric === 'errors' || (metric === 'pass_rate' && !isWhole)) continue
    let total = 0
    let weightTotal = 0
    for (const [i, values] of byCase.entries()) {
      if (values.length === 0) continue
      const weight = weights.get(ids[i] as string) as number
      total += (weight * values.reduce((sum, value) => sum + value, 0)) / values.length
      weightTotal += weight
    }
    means[metric] = total / weightTotal
  }
  return means
}
