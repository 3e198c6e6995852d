import type { CaseScores } from './case-scores.ts'
import { type Comparison, compareMetrics } from './compare.ts'
import { pairCases } from './gate.ts'
import type { PairedCase } from './paired.ts'
import type { RunRules } from './run-rules.ts'
import { seededRandom } from './statistics/seeded-random.ts'

/** What changed in one metric; `better` and `worse` are counted in its direction, `difference` is not turned. */
export interface MetricComparison extends Comparison {
  /** Which way is better. */
  readonly direction: 'higher' | 'lower'
  /** Plain means over the cases that both runs judged, trials averaged inside each. */
  readonly candidate: number
  readonly baseline: number
}

/** One case whose trials came out otherwise in one metric. */
export interface ChangedCase {
  readonly id: string
  /** `pass_rate`, `score.<scorer>` or `errors`. */
  readonly metric: string
  readonly change: 'better' | 'worse'
  /** One value a trial. */
  readonly baseline: readonly number[]
  readonly candidate: readonly number[]
}

export interface ComparedCases {
  /** By metric; p-values hold for all of them together (Holm). */
  readonly metrics: Readonly<Record<string, MetricComparison>>
  /** Cases that changed, metric by metric, the worst first. */
  readonly cases: readonly ChangedCase[]
  /** Cases that only one of the runs says something of. */
  readonly unpaired: readonly string[]
}

export interface BothScores {
  readonly candidate: CaseScores
  readonly baseline: CaseScores
}

/** The p-values of runs with many changed cases are drawn: the same runs get the same ones. */
const SEED = 1

/** Metric by metric, as far as both runs have it. */
export function compareCases(
  { candidate, baseline }: BothScores,
  rules: RunRules | undefined,
): ComparedCases {
  const directionOf = (metric: string): 'higher' | 'lower' =>
    rules?.gates.find((gate) => gate.metric === metric)?.direction ??
    (metric === 'errors' ? 'lower' : 'higher')
  const both = Object.keys(candidate.metrics).filter(
    (metric) =>
      baseline.metrics[metric] !== undefined &&
      // Hardly any run has one: a column of noughts tells nothing.
      (metric !== 'errors' ||
        [candidate, baseline].some(({ metrics }) => metrics.errors?.flat().some((one) => one > 0))),
  )
  const pairsOf: Record<string, readonly PairedCase[]> = {}
  const unpaired = new Set<string>()
  for (const metric of both.sort(byMetric)) {
    const found = pairCases(metric, candidate, baseline, [], directionOf(metric))
    if (found.pairs.length > 0) pairsOf[metric] = found.pairs
    for (const id of found.unpaired) unpaired.add(id)
  }
  const compared = compareMetrics(pairsOf, seededRandom(SEED))
  const metrics = Object.fromEntries(
    Object.entries(compared).map(([metric, comparison]) => {
      const pairs = pairsOf[metric] ?? []
      const direction = directionOf(metric)
      const turned = direction === 'lower' ? { better: comparison.worse, worse: comparison.better } : {}
      const means = {
        candidate: meanOf(pairs.map((pair) => meanOf(pair.candidate))),
        baseline: meanOf(pairs.map((pair) => meanOf(pair.baseline))),
      }
      return [metric, { ...comparison, ...turned, direction, ...means }]
    }),
  )
  const cases = Object.entries(pairsOf).flatMap(([metric, pairs]) =>
    changedCases(metric, pairs, directionOf(metric)),
  )
  return { metrics, cases, unpaired: [...unpaired] }
}

/** The pass rate first: it is what people look for. */
const byMetric = (a: string, b: string): number =>
  Number(b === 'pass_rate') - Number(a === 'pass_rate') || (a < b ? -1 : 1)

/** How numbers are stored, not what a model did. */
const NOTHING = 1e-9

function changedCases(
  metric: string,
  pairs: readonly PairedCase[],
  direction: 'higher' | 'lower',
): ChangedCase[] {
  const sign = direction === 'higher' ? 1 : -1
  return pairs
    .map((pair) => ({ ...pair, by: sign * (meanOf(pair.candidate) - meanOf(pair.baseline)) }))
    .filter(({ by }) => Math.abs(by) > NOTHING)
    .sort((a, b) => a.by - b.by)
    .map(({ id, by, baseline, candidate }) => ({
      id,
      metric,
      change: by < 0 ? 'worse' : 'better',
      baseline,
      candidate,
    }))
}

const meanOf = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
