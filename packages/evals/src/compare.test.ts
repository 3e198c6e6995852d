import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareMetrics, comparePairs } from './compare.ts'
import type { PairedCase } from './paired.ts'
import { holm, signFlipPValue } from './statistics/exact.ts'
import { seededRandom } from './statistics/seeded-random.ts'

const never = () => expect.unreachable('nothing is drawn')

const yesNo = (n: number, better: number, worse: number): PairedCase[] =>
  Array.from({ length: n }, (_, i) => ({
    id: `c${i}`,
    candidate: [i >= better && i < better + worse ? 0 : 1],
    baseline: [i < better ? 0 : 1],
  }))
const graded = (...by: number[]): PairedCase[] =>
  by.map((difference, i) => ({ id: `g${i}`, candidate: [0.5 + difference], baseline: [0.5] }))

const score = fc.integer({ min: 0, max: 8 }).map((eighths) => eighths / 8)
const anyPairs = fc
  .array(
    fc.record({
      candidate: fc.array(score, { minLength: 1, maxLength: 3 }),
      baseline: fc.array(score, { minLength: 1, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 9 },
  )
  .map((pairs) => pairs.map((pair, i) => ({ ...pair, id: `p${i}` })))
const QUICK = { numRuns: 60 }

describe('did anything change?', () => {
  it.each([
    { better: 0, worse: 0, pValue: 1 },
    { better: 0, worse: 1, pValue: 1 },
    { better: 5, worse: 0, pValue: 0.0625 },
    { better: 0, worse: 6, pValue: 0.03125 },
    { better: 1, worse: 9, pValue: 0.021484375 },
    { better: 7, worse: 7, pValue: 1 },
  ])('yes or no, $better up and $worse down of 40: McNemar, p = $pValue', ({ better, worse, pValue }) => {
    const compared = comparePairs(yesNo(40, better, worse), never)
    expect(compared).toMatchObject({ better, worse, same: 40 - better - worse, method: 'mcnemar' })
    expect(compared.pValue).toBeCloseTo(pValue, 12)
    expect(compared.difference).toBeCloseTo((better - worse) / 40, 12)
  })

  it('scores: the sign-flip test, in which a large change says more than a small one', () => {
    expect(comparePairs(graded(0.1, 0.1, 0.1, 0.1, 0.1, 0), never)).toMatchObject({
      ...{ method: 'sign-flip', better: 5, worse: 0, same: 1, pValue: 2 / 2 ** 5 },
    })
    const small = comparePairs(graded(0.4, 0.4, 0.4, 0.4, 0.4, -0.1), never)
    const large = comparePairs(graded(0.1, 0.1, 0.1, 0.1, 0.1, -0.4), never)
    expect(small.pValue).toBeLessThan(large.pValue)
  })

  it('more than one trial, or a weaker score than 1, is no plain yes or no', () => {
    const [first, ...rest] = yesNo(6, 2, 1) as [PairedCase, ...PairedCase[]]
    expect(comparePairs([{ ...first, candidate: [1, 1] }, ...rest], never).method).toBe('sign-flip')
    expect(comparePairs([{ ...first, baseline: [0.5] }, ...rest], never).method).toBe('sign-flip')
  })

  it('both tests say the same of a plain yes or no', () => {
    for (let better = 0; better <= 7; better++)
      for (let worse = 0; worse <= 7; worse++) {
        const flipped = signFlipPValue([...Array(better).fill(1), ...Array(worse).fill(-1)], never)
        expect(comparePairs(yesNo(20, better, worse), never).pValue).toBeCloseTo(flipped, 12)
      }
  })

  it('neither the order of the cases nor which run came first changes the p-value', () =>
    fc.assert(
      fc.property(
        anyPairs.chain((pairs) =>
          fc.tuple(fc.constant(pairs), fc.shuffledSubarray(pairs, { minLength: pairs.length })),
        ),
        ([pairs, shuffled]) => {
          const one = comparePairs(pairs, never)
          const swapped = pairs.map(({ id, candidate, baseline }) => ({
            ...{ id, candidate: baseline, baseline: candidate },
          }))
          const other = comparePairs(swapped, never)
          expect(comparePairs(shuffled, never).pValue).toBeCloseTo(one.pValue, 12)
          expect(other.pValue).toBeCloseTo(one.pValue, 12)
          expect(other.difference).toBeCloseTo(-one.difference, 12)
          expect([other.better, other.worse]).toEqual([one.worse, one.better])
        },
      ),
      QUICK,
    ))

  it('what is drawn is the same for the same seed, and never 0', () => {
    const all = graded(...Array(40).fill(0.25))
    const { pValue } = comparePairs(all, seededRandom(3))
    expect(comparePairs(all, seededRandom(3)).pValue).toBe(pValue)
    expect(pValue).toBeGreaterThan(0)
    expect(pValue).toBeLessThan(0.001)
  })

  it('errs in at most one comparison of twenty in which nothing changed', () => {
    const random = seededRandom(5)
    let found = 0
    const comparisons = 2000
    for (let i = 0; i < comparisons; i++) {
      const pairs = graded(
        ...Array.from({ length: 10 }, () => (random() - 0.5) * (1 + random())).map((by) => by / 2),
      )
      if (comparePairs(pairs, never).pValue <= 0.05) found++
    }
    expect(found / comparisons).toBeLessThanOrEqual(0.063)
    expect(found / comparisons).toBeGreaterThan(0.03) // it is no test that never finds anything
  })

  it('nothing to compare is no change', () =>
    expect(comparePairs([], never)).toMatchObject({ difference: 0, pValue: 1, better: 0, worse: 0 }))
})

describe('several metrics at once (Holm)', () => {
  it('each p-value holds for all of them', () => {
    const compared = compareMetrics({ a: yesNo(20, 0, 7), b: yesNo(20, 0, 6), c: yesNo(20, 1, 1) }, never)
    expect(compared.a?.pValue).toBeCloseTo(3 / 64, 12)
    expect(compared.b?.pValue).toBeCloseTo(2 / 32, 12)
    expect(compared.c?.pValue).toBe(1)
    expect(compareMetrics({ a: yesNo(20, 0, 7) }, never).a?.pValue).toBeCloseTo(1 / 64, 12)
    expect(compareMetrics({}, never)).toEqual({})
  })

  it('raises p-values, keeps their order, ends at 1, and takes the least as often as there are metrics', () =>
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1 }), (p) => {
        const adjusted = holm(p)
        for (const [i, value] of adjusted.entries()) {
          expect(value).toBeGreaterThanOrEqual(p[i] as number)
          expect(value).toBeLessThanOrEqual(1)
          for (const [j, other] of adjusted.entries())
            if ((p[i] as number) < (p[j] as number)) expect(value).toBeLessThanOrEqual(other)
        }
        expect(Math.min(...adjusted)).toBeCloseTo(Math.min(1, p.length * Math.min(...p)), 12)
      }),
      QUICK,
    ))
})
