import { binomialMass, binomialUpperTail } from './binomial.ts'
import { upperQuantile, upperTail } from './normal.ts'
import { type Discordance, leastForMargin, scorePValue, scoreStatistic } from './score-test.ts'

/** Values of the nuisance parameter that are tried before the best of them is refined. */
const GRID = 64

/**
 * One-sided p-value of "the difference is −`margin` or less" that keeps its level at every n: the chance of a score statistic
 * as high as the one observed, at the margin, by the trinomial distribution itself and for the most unfavourable share of
 * changed pairs. The normal distribution alone errs where few pairs change, and where nearly all do: with a margin of 0.10 a
 * candidate at the margin would pass in 6.8 % of experiments of 42 pairs, and in 7.1 % of 30. Where the exact value is the lower one the normal one is answered, so that p ≤ α
 * never says more than {@link scoreBounds}.
 *
 * K. Sidik, "Exact unconditional tests for testing non-inferiority in matched-pairs design", Statistics in Medicine 22 (2003),
 * 265–278, with the statistic of Tango (1998).
 *
 * @param margin - 0 < δ < 1
 */
export function exactScorePValue(pairs: Discordance, margin: number): number {
  const z = scoreStatistic(pairs, -margin)
  return Math.max(upperTail(z), sizeOf(pairs.n, margin, z))
}

/** Above so many pairs the normal distribution is good enough for a forecast. */
const FORECAST_EXACTLY = 300
const MOST_PAIRS = 1_000_000

/**
 * How many pairs it takes until the test passes, if better and worse ones go on to come as often (rounded against the
 * candidate). `undefined`: the difference is at the margin or beyond it, and no number would do.
 */
export function pairsForMargin(pairs: Discordance, margin: number, alpha = 0.05): number | undefined {
  const z = scoreStatistic(pairs, -margin)
  if (!(z > 0)) return undefined
  const about = Math.ceil(pairs.n * (upperQuantile(alpha) / z) ** 2)
  for (let n = Math.max(leastForMargin(margin, alpha), about); n <= MOST_PAIRS; n += Math.max(1, n >> 6)) {
    const like = {
      n,
      better: Math.floor((pairs.better * n) / pairs.n),
      worse: Math.ceil((pairs.worse * n) / pairs.n),
    }
    if (scorePValue(like, -margin) > alpha) continue
    if (n > FORECAST_EXACTLY || exactScorePValue(like, margin) <= alpha) return n
  }
  return undefined
}

/**
 * The chance that the score statistic at −`margin` is `z` or more if the difference is −`margin`, for the most unfavourable
 * share of changed pairs.
 */
export function sizeOf(n: number, margin: number, z: number): number {
  const least = leastBetter(n, margin, z)
  const highest = (1 - margin) / 2
  // Steps are narrow where few pairs change: there the chance moves fastest.
  const at = (step: number): number => chanceOf(n, margin, least, highest * (step / GRID) ** 2)
  let best = 0
  let most = at(0)
  for (let step = 1; step <= GRID; step++) {
    const chance = at(step)
    if (chance > most) {
      most = chance
      best = step
    }
  }
  return Math.min(1, refined(at, Math.max(0, best - 1), Math.min(GRID, best + 1), most))
}

/** Golden-section search for the highest value between two steps. */
function refined(at: (step: number) => number, low: number, high: number, known: number): number {
  const golden = (Math.sqrt(5) - 1) / 2
  let [from, to] = [low, high]
  let most = known
  for (let round = 0; round < 16; round++) {
    const left = to - golden * (to - from)
    const right = from + golden * (to - from)
    const [a, b] = [at(left), at(right)]
    most = Math.max(most, a, b)
    if (a > b) to = right
    else from = left
  }
  return most
}

/**
 * For each number of worse pairs, from 0: the least number of better ones with which the statistic is `z` or more. It ends
 * where no number is enough. More worse pairs never need fewer better ones.
 */
function leastBetter(n: number, margin: number, z: number): number[] {
  const least: number[] = []
  let better = 0
  for (let worse = 0; worse <= n; worse++) {
    while (better + worse <= n && scoreStatistic({ n, better, worse }, -margin) < z - 1e-9) better++
    if (better + worse > n) break
    least.push(better)
  }
  return least
}

/** The chance of that region if a pair gets better with chance `better`, and worse with chance `better + margin`. */
function chanceOf(n: number, margin: number, least: readonly number[], better: number): number {
  const worse = better + margin
  const spread = Math.sqrt(n * worse * (1 - worse))
  // Nine standard deviations: what lies outside adds less than 1e-15 (and for few pairs, nothing lies outside).
  const from = Math.max(0, Math.floor(n * worse - 9 * spread - 9))
  const to = Math.min(least.length - 1, Math.ceil(n * worse + 9 * spread + 9))
  const share = Math.min(1, better / (1 - worse))
  let chance = 0
  for (let w = from; w <= to; w++)
    chance += binomialMass(w, n, worse) * binomialUpperTail(least[w] as number, n - w, share)
  return chance
}
