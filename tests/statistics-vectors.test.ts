import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { bettingBounds, bettingPValue } from '../packages/evals/src/statistics/betting.ts'
import { binomialMass, binomialUpperTail } from '../packages/evals/src/statistics/binomial.ts'
import { holm, mcnemarPValue, signFlipPValue } from '../packages/evals/src/statistics/exact.ts'
import { exactScorePValue } from '../packages/evals/src/statistics/exact-score-test.ts'
import { upperQuantile, upperTail } from '../packages/evals/src/statistics/normal.ts'
import { scoreBounds, scorePValue, scoreStatistic } from '../packages/evals/src/statistics/score-test.ts'
import { seededRandom } from '../packages/evals/src/statistics/seeded-random.ts'

interface Vectors {
  readonly normal: readonly { z: number; tail: number }[]
  readonly quantiles: readonly { p: number; z: number }[]
  readonly score: readonly {
    n: number
    better: number
    worse: number
    difference: number
    z: number
    p: number
    lower: number
    upper: number
  }[]
  readonly mcnemar: readonly { better: number; worse: number; p: number }[]
  readonly sign_flip: readonly { differences: number[]; p: number }[]
  readonly sign_flip_drawn: { differences: number[]; p: number }
  readonly holm: readonly { p: number[]; adjusted: number[] }[]
  readonly binomial: readonly { k: number; n: number; p: number; mass: number; tail: number }[]
  readonly exact: readonly { n: number; better: number; worse: number; margin: number; p: number }[]
  readonly betting: readonly { values: number[]; mean: number; p: number; lower: number; upper: number }[]
}

/** From SciPy and statsmodels; `tests/vectors/statistics.py` writes it. */
const vectors: Vectors = JSON.parse(
  await readFile(new URL('vectors/statistics.json', import.meta.url), 'utf8'),
)
const near = (found: number, wanted: number) =>
  expect(Math.abs(found - wanted)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(wanted)))

describe('statistics are those of SciPy, statsmodels and the papers, to 1e-9', () => {
  it.each(vectors.normal)('normal tail above $z', ({ z, tail }) => {
    near(upperTail(z), tail)
    expect(Math.abs(upperTail(z) / tail - 1)).toBeLessThan(1e-9) // also far out, where it is tiny
  })

  it.each(vectors.quantiles)('normal quantile of $p', ({ p, z }) => near(upperQuantile(p), z))

  it.each(vectors.score)('score test, $better up and $worse down of $n, at $difference', (row) => {
    near(scoreStatistic(row, row.difference), row.z)
    near(scorePValue(row, row.difference), row.p)
    const { lower, upper } = scoreBounds(row)
    near(lower, row.lower)
    near(upper, row.upper)
  })

  it.each(vectors.mcnemar)('exact McNemar, $better up and $worse down', ({ better, worse, p }) =>
    near(mcnemarPValue(better, worse), p),
  )

  it.each(vectors.sign_flip)('exact sign-flip of $differences.length differences', ({ differences, p }) =>
    near(
      signFlipPValue(differences, () => expect.unreachable('nothing is drawn')),
      p,
    ),
  )

  it('drawn sign-flips, to their Monte-Carlo error', () => {
    const { differences, p } = vectors.sign_flip_drawn
    const error = Math.sqrt((p * (1 - p)) / 10_000)
    for (const seed of [1, 2, 3]) {
      const found = signFlipPValue(differences, seededRandom(seed))
      expect(Math.abs(found - p)).toBeLessThan(4 * error)
      expect(signFlipPValue(differences, seededRandom(seed))).toBe(found)
    }
  })

  it.each(vectors.binomial)('binomial distribution: $k of $n at $p', ({ k, n, p, mass, tail }) => {
    near(binomialMass(k, n, p), mass)
    near(binomialUpperTail(k, n, p), tail)
  })

  it.each(vectors.exact)('exact score test, $better up and $worse down of $n, at $margin', (row) =>
    near(exactScorePValue(row, row.margin), row.p),
  )

  it.each(vectors.betting)('bets on $values.length values', ({ values, mean, p, lower, upper }) => {
    near(bettingPValue(values, mean), p)
    const found = bettingBounds(values)
    near(found.lower, lower)
    near(found.upper, upper)
  })

  it.each(vectors.holm)('Holm of $p', ({ p, adjusted }) => {
    for (const [i, found] of holm(p).entries()) near(found, adjusted[i] as number)
  })
})

it('limits are where the test turns', () => {
  const pairs = { n: 44, better: 0, worse: 1 }
  const { lower, upper } = scoreBounds(pairs)
  expect(lower).toBeLessThan(-1 / 44)
  expect(upper).toBeGreaterThan(-1 / 44)
  near(scoreStatistic(pairs, lower), upperQuantile(0.05))
  near(scoreStatistic(pairs, upper), -upperQuantile(0.05))
})
