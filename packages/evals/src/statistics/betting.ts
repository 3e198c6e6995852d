import { crossing } from './crossing.ts'

/**
 * How bold the bets are, as shares of the boldest that cannot lose more than everything, and what part of the stake each
 * gets. Three quarters lie on the boldest: "no regression at all" is then enough almost as soon as it can be (31 at a margin
 * of 0.10, where no test could do with less than 29). The others suit noisier scores; more of them, more finely spread, were no
 * better at anything in simulations.
 */
const BETS: readonly (readonly [boldness: number, share: number])[] = [
  [1, 0.75],
  ...[0.6, 0.35, 0.2, 0.1, 0.05].map((boldness) => [boldness, 0.05] as const),
]

/**
 * The logarithm of what a stake of 1 has become after betting on each of `values` (each in −1 … 1) against "their mean is
 * `mean` or less". If that were true, the expected stake would be at most 1 — whatever the distribution, and also where each
 * value has a distribution of its own and only the *average* of their means is so: a product of fixed bets on independent
 * values has the expectation ∏(1 + λ(μᵢ − m)) ≤ (1 + λ(μ̄ − m))ⁿ, because the logarithm is concave. So a stake of 20 or more
 * has a chance of at most 1 in 20 (Markov).
 *
 * I. Waudby-Smith & A. Ramdas, "Estimating means of bounded random variables by betting", J. R. Stat. Soc. B 86 (2024), 1–27;
 * fixed bets, mixed, in place of their adaptive ones, so that the order of the cases does not matter.
 *
 * @param mean - Above −1.
 */
export const logStake = (values: readonly number[], mean: number): number =>
  mixed(logsOf(counted(values), mean))

/** Different values, and how often each was seen: scores are mostly few values many times. */
type Counts = readonly (readonly [value: number, count: number])[]

function counted(values: readonly number[]): Counts {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  // In order of size: the same values in another order give the same sum, to the last digit.
  return [...counts].sort(([a], [b]) => a - b)
}

/** What each bet came to. */
function logsOf(counts: Counts, mean: number): number[] {
  const room = 1 + mean
  return BETS.map(([boldness]) => {
    let log = 0
    for (const [value, count] of counts)
      log += count * Math.log(Math.max(0, 1 - boldness + (boldness * (1 + value)) / room))
    return log
  })
}

/** @param times - As if each value had come so often. */
function mixed(logs: readonly number[], times = 1): number {
  const shares = logs.map((log, i) => Math.log((BETS[i] as (typeof BETS)[number])[1]) + times * log)
  const most = Math.max(...shares)
  if (!Number.isFinite(most)) return most
  return most + Math.log(shares.reduce((sum, log) => sum + Math.exp(log - most), 0))
}

/** One-sided p-value of "the mean is `mean` or less", for independent values in −1 … 1. */
export const bettingPValue = (values: readonly number[], mean: number): number =>
  Math.min(1, Math.exp(-logStake(values, mean)))

/** One-sided bounds of the mean of independent values in −1 … 1, each at level 1 − `alpha`. */
export function bettingBounds(
  values: readonly number[],
  alpha = 0.05,
): { readonly lower: number; readonly upper: number } {
  const needed = -Math.log(alpha)
  const lowerOf = (of: readonly number[]) => {
    const counts = counted(of)
    return crossing((mean) => (mean <= -1 ? 1 : mixed(logsOf(counts, mean)) - needed), -1, 1)
  }
  return { lower: lowerOf(values), upper: -lowerOf(values.map((value) => -value)) }
}

/** How many values it takes at least to show that their mean is above `-margin`, if none is below 0: with all of them 0. */
export const leastForBetting = (margin: number, alpha = 0.05): number =>
  valuesForBetting([0], -margin, alpha) ?? Number.POSITIVE_INFINITY

/**
 * How many values it takes in all, if those to come are like these, to show that the mean is above `mean`. `undefined`: no
 * number would do.
 */
export function valuesForBetting(values: readonly number[], mean: number, alpha = 0.05): number | undefined {
  const logs = logsOf(counted(values), mean)
  const lacks = (times: number) => -Math.log(alpha) - mixed(logs, times)
  const most = 1_000_000
  return lacks(most) > 0 ? undefined : Math.ceil(crossing(lacks, 0, most) * values.length - 1e-6)
}
