import type { GateQuestion, PairedCase } from './paired.ts'
import type { Discordance } from './statistics/score-test.ts'

/** What a gate's question is decided by. */
export interface Evidence {
  /** Observations: clusters of cases, or trials. */
  readonly n: number
  /** Weighted means over the cases, trials averaged inside each, and such cases averaged inside their cluster. */
  readonly baseline: number
  readonly candidate: number
  /** More is better, whatever the direction. */
  readonly difference: number
  /** By case, in the order given; more is better. */
  readonly byCase: readonly (readonly [id: string, difference: number])[]
  /** Independent observations in −1 … 1; their mean is `difference` / `scale`. */
  readonly values: readonly number[]
  readonly scale: number
  /** The margin on the scale of `values`. */
  readonly margin: number
  /** The same as counts, where each observation is a yes or no on either side. */
  readonly counted?: Discordance | undefined
  /** Of each case, as far as they can be paired. */
  readonly trials: number
}

/** @throws {RangeError} a value that is not in 0…1 */
export function evidenceOf(question: GateQuestion, pairs: readonly PairedCase[]): Evidence {
  const sign = question.direction === 'higher' ? 1 : -1
  const weights = weightsOf(question, pairs)
  const total = sum(weights)
  const means = pairs.map(({ id, candidate, baseline }) => ({
    candidate: meanOf(candidate, id),
    baseline: meanOf(baseline, id),
  }))
  const weighted = (of: (mean: (typeof means)[number]) => number): number =>
    total === 0 ? 0 : sum(means.map((mean, i) => (weights[i] as number) * of(mean))) / total
  const candidate = weighted((mean) => mean.candidate)
  const baseline = weighted((mean) => mean.baseline)
  const byCase = pairs.map(({ id }, i) => {
    const mean = means[i] as (typeof means)[number]
    return [id, sign * (mean.candidate - mean.baseline)] as const
  })
  const trials = Math.min(...pairs.map((pair) => Math.min(pair.candidate.length, pair.baseline.length)))
  const units =
    question.estimand === 'these-cases' ? trialUnits(pairs, sign, trials) : caseUnits(pairs, byCase, weights)
  // A heavy case says more than 1: all are brought back into −1 … 1, and the margin with them.
  const heaviest = Math.max(...units.map(({ weight }) => weight))
  const unitTotal = sum(units.map(({ weight }) => weight))
  const scale = units.length === 0 ? 1 : (units.length * heaviest) / unitTotal
  const values = units.map(({ weight, value }) => (value * weight) / heaviest)
  return {
    n: units.length,
    baseline,
    candidate,
    difference: sign * (candidate - baseline),
    byCase,
    values,
    scale,
    margin: question.margin / scale,
    counted: countOf(question, pairs, units),
    trials: units.length === 0 ? 0 : trials,
  }
}

interface Unit {
  readonly value: number
  readonly weight: number
}

/**
 * What each case counts. Where cases are a sample those of one cluster share the weight of one: ten variants of one request
 * say little more than one of them.
 */
function weightsOf({ estimand }: GateQuestion, pairs: readonly PairedCase[]): number[] {
  const sizes = new Map<string, number>()
  for (const { cluster } of pairs)
    if (cluster !== undefined) sizes.set(cluster, (sizes.get(cluster) ?? 0) + 1)
  return pairs.map(({ cluster, weight = 1 }) =>
    estimand === 'these-cases' || cluster === undefined ? weight : weight / (sizes.get(cluster) ?? 1),
  )
}

/**
 * Chance is the model's: each trial of each case is an observation, and the case has its own distribution. A run with more
 * trials of a case than the others has them averaged, so that every case has as many observations and each trial counts.
 */
const trialUnits = (pairs: readonly PairedCase[], sign: number, trials: number): Unit[] =>
  pairs.flatMap(({ candidate, baseline, weight = 1 }) => {
    const [ours, theirs] = [blocksOf(candidate, trials), blocksOf(baseline, trials)]
    return ours.map((value, t) => ({ value: sign * (value - (theirs[t] as number)), weight }))
  })

/** Means of `count` parts, as equal as can be. */
function blocksOf(values: readonly number[], count: number): readonly number[] {
  if (values.length === count) return values
  return Array.from({ length: count }, (_, block) => {
    const own = values.filter((_, t) => t % count === block)
    return sum(own) / own.length
  })
}

/** Cases are the sample: each is an observation, and those of one cluster are one. */
function caseUnits(
  pairs: readonly PairedCase[],
  byCase: Evidence['byCase'],
  weights: readonly number[],
): Unit[] {
  const clusters = new Map<string, { value: number; weight: number }>()
  for (const [i, { id, cluster }] of pairs.entries()) {
    const key = cluster === undefined ? `case ${id}` : `cluster ${cluster}`
    const unit = clusters.get(key) ?? { value: 0, weight: 0 }
    const weight = weights[i] as number
    unit.value += weight * (byCase[i]?.[1] as number)
    unit.weight += weight
    clusters.set(key, unit)
  }
  return [...clusters.values()].map(({ value, weight }) => ({ value: value / weight, weight }))
}

/** Only where cases are a sample, count alike, and are a plain yes or no in both runs. */
function countOf(
  { estimand }: GateQuestion,
  pairs: readonly PairedCase[],
  units: readonly Unit[],
): Discordance | undefined {
  const isPlain = pairs.every(
    ({ candidate, baseline, weight = 1 }) =>
      weight === (pairs[0]?.weight ?? 1) &&
      [candidate, baseline].every(([value, ...more]) => more.length === 0 && (value === 0 || value === 1)),
  )
  if (estimand === 'these-cases' || !isPlain || units.length !== pairs.length) return undefined
  return {
    n: units.length,
    better: units.filter(({ value }) => value > 0).length,
    worse: units.filter(({ value }) => value < 0).length,
  }
}

function meanOf(values: readonly number[], id: string): number {
  for (const value of values)
    if (!(value >= 0 && value <= 1))
      throw new RangeError(`case ${id}: a score is between 0 and 1, not ${value}`)
  return sum(values) / values.length
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
