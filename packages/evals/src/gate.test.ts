import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CaseFacts } from './case-facts.ts'
import type { CaseScores } from './case-scores.ts'
import { askGate, decide, type GateRules, pairCases } from './gate.ts'
import type { GateQuestion, PairedCase } from './paired.ts'

const ask = (pairs: readonly PairedCase[], question: Partial<GateQuestion> = {}) =>
  askGate(
    {
      ...{ metric: 'pass_rate', direction: 'higher', margin: 0.1, estimand: 'such-cases' },
      deterministic: false,
      ...question,
    },
    pairs,
  )

/** So many cases, of which some went up, some down, and the others stayed at 1. */
const counted = (n: number, better: number, worse: number): PairedCase[] =>
  Array.from({ length: n }, (_, i) => ({
    id: `c${i}`,
    candidate: [i >= better && i < better + worse ? 0 : 1],
    baseline: [i < better ? 0 : 1],
  }))

/** So many cases with graded scores; `by` is what the candidate has more, in turn. */
const graded = (n: number, ...by: number[]): PairedCase[] =>
  Array.from({ length: n }, (_, i) => ({
    id: `g${i}`,
    candidate: [0.5 + (by[i % by.length] as number)],
    baseline: [0.5],
  }))

const score = fc.integer({ min: 0, max: 10 }).map((tenths) => tenths / 10)
const values = fc.array(score, { minLength: 1, maxLength: 3 })
/** Anything two runs may say: trials, clusters, weights, tags. */
const anyPairs = fc
  .array(
    fc.record(
      {
        candidate: values,
        baseline: values,
        cluster: fc.constantFrom('a', 'b', 'c'),
        weight: fc.constantFrom(0.5, 1, 2, 3),
        tags: fc.constantFrom<string[][]>([], ['x'], ['x', 'y']),
      },
      { requiredKeys: ['candidate', 'baseline'] },
    ),
    { minLength: 1, maxLength: 40 },
  )
  .map((pairs) => pairs.map((pair, i) => ({ ...pair, id: `p${i}` }) as PairedCase))
const anyCounts = fc
  .record({ n: fc.integer({ min: 1, max: 80 }), better: fc.nat(6), worse: fc.nat(6) })
  .filter(({ n, better, worse }) => better + worse <= n)
const estimand = fc.constantFrom<GateQuestion['estimand']>('these-cases', 'such-cases')
const QUICK = { numRuns: 60 }

describe('the three outcomes', () => {
  it.each([
    { what: 'nothing changed in 60', pairs: counted(60, 0, 0), outcome: 'pass' },
    { what: 'one of 60 got worse', pairs: counted(60, 0, 1), outcome: 'pass' },
    { what: 'graded, all a little better', pairs: graded(60, 0.1, 0), outcome: 'pass' },
    { what: 'one of 30 got worse', pairs: counted(30, 0, 1), outcome: 'inconclusive' },
    { what: 'a few of 10 got better', pairs: counted(10, 3, 0), outcome: 'inconclusive' },
    { what: 'graded, as many up as down, and far', pairs: graded(40, 0.5, -0.5), outcome: 'inconclusive' },
    { what: 'the margin itself, in 60', pairs: counted(60, 0, 6), outcome: 'fail' },
    { what: 'the margin itself, and perhaps not worse', pairs: counted(30, 3, 6), outcome: 'fail' },
    { what: 'surely worse, though by less than the margin', pairs: counted(200, 0, 14), outcome: 'fail' },
    { what: 'surely worse, of fewer than the minimum', pairs: counted(12, 0, 8), outcome: 'fail' },
    { what: 'graded, all worse', pairs: graded(60, -0.3), outcome: 'fail' },
    { what: 'nothing at all', pairs: [], outcome: 'inconclusive' },
  ] as const)('$what: $outcome', ({ pairs, outcome }) => {
    const answer = ask(pairs)
    expect(answer.outcome).toBe(outcome)
    expect(answer.needed === undefined).toBe(outcome !== 'inconclusive' || pairs.length === 0)
  })

  it('pass is what the bound, the p-value and the minimum say together', () =>
    fc.assert(
      fc.property(anyPairs, fc.constantFrom(0.05, 0.1, 0.3), estimand, (pairs, margin, estimand) => {
        const untagged = pairs.map(({ tags: _, ...pair }) => pair)
        const { outcome, lower, upper, difference, pValue, n, minimum } = ask(untagged, { margin, estimand })
        expect(lower).toBeLessThanOrEqual(difference)
        expect(upper).toBeGreaterThanOrEqual(difference)
        expect(outcome === 'pass').toBe(n >= minimum && (pValue as number) <= 0.05)
        if (outcome === 'pass') expect(lower).toBeGreaterThan(-margin - 1e-9)
        if (outcome !== 'pass' && n >= minimum) expect(lower).toBeLessThanOrEqual(-margin + 1e-9)
      }),
      QUICK,
    ))

  it('what the normal distribution would let pass is held to the exact test, and so is its bound', () => {
    const { outcome, pValue, lower } = ask(counted(44, 0, 1))
    expect(outcome).toBe('inconclusive')
    expect(pValue).toBeCloseTo(0.9 ** 44 + 44 * 0.1 * 0.9 ** 43, 9) // 0.0571
    expect(lower).toBeLessThanOrEqual(-0.1)
  })

  it.each([0, 1, -0.1, Number.NaN])('a margin of %s is refused', (margin) =>
    expect(() => ask(counted(3, 0, 0), { margin })).toThrow(/margin/),
  )

  it.each([-0.1, 1.1, Number.NaN])('a score of %s is refused, by case', (value) =>
    expect(() => ask([{ id: 'odd', candidate: [value], baseline: [1] }])).toThrow(/case odd/),
  )
})

describe('how many it takes', () => {
  it.each([
    { margin: 0.05, least: 59 },
    { margin: 0.1, least: 29 },
    { margin: 0.2, least: 14 },
  ])('yes or no, without a regression, at $margin: $least', ({ margin, least }) => {
    expect(ask(counted(least, 0, 0), { margin })).toMatchObject({ outcome: 'pass', minimum: least })
    const short = ask(counted(least - 1, 0, 0), { margin })
    expect(short).toMatchObject({ outcome: 'inconclusive', minimum: least, needed: { cases: 1 } })
    expect(short.reason).toContain('about 1 more case would do')
    // All better is no more evidence of no regression than all the same.
    expect(ask(counted(least - 1, least - 1, 0), { margin }).outcome).toBe('inconclusive')
  })

  it.each([
    { margin: 0.05, least: 64 },
    { margin: 0.1, least: 31 },
    { margin: 0.2, least: 15 },
  ])('graded, without a regression, at $margin: $least', ({ margin, least }) => {
    const same = (n: number) => ask(graded(n, 0), { margin })
    expect(same(least)).toMatchObject({ outcome: 'pass', minimum: least })
    expect(same(least - 1)).toMatchObject({ outcome: 'inconclusive', needed: { cases: 1 } })
  })

  it('so many more yes or no of the same kind are enough', () => {
    let asked = 0
    fc.assert(
      fc.property(anyCounts, ({ n, better, worse }) => {
        const { outcome, needed } = ask(counted(n, better, worse))
        const total = n + (needed?.cases ?? Number.NaN)
        if (outcome !== 'inconclusive' || !(total <= 200)) return
        asked++
        const like = counted(total, Math.floor((better * total) / n), Math.ceil((worse * total) / n))
        expect(ask(like).outcome).toBe('pass')
      }),
      { numRuns: 100, seed: 1 },
    )
    expect(asked).toBeGreaterThan(20)
  })

  it('so many more graded ones are enough, and much fewer are not', () => {
    const some = graded(20, 0.2, 0, 0, -0.2, 0)
    const { outcome, needed } = ask(some)
    expect(outcome).toBe('inconclusive')
    const more = needed?.cases as number
    expect(ask(graded(20 + Math.ceil(more / 5) * 5, 0.2, 0, 0, -0.2, 0)).outcome).toBe('pass')
    expect(ask(graded(20 + Math.floor(more / 2 / 5) * 5, 0.2, 0, 0, -0.2, 0)).outcome).toBe('inconclusive')
  })

  it('so many more trials are enough', () => {
    const cases = (trials: number): PairedCase[] =>
      Array.from({ length: 6 }, (_, i) => ({
        ...{ id: `${i}`, candidate: Array(trials).fill(1), baseline: Array(trials).fill(1) },
      }))
    const { outcome, needed, n } = ask(cases(2), { estimand: 'these-cases' })
    expect({ outcome, needed, n }).toEqual({ outcome: 'inconclusive', needed: { trials: 4 }, n: 12 })
    expect(ask(cases(6), { estimand: 'these-cases' }).outcome).toBe('pass')
    expect(ask(cases(5), { estimand: 'these-cases' }).outcome).toBe('inconclusive')
  })

  it('however good a few are, the least number is asked for', () =>
    expect(ask(graded(5, 0.4))).toMatchObject({
      outcome: 'inconclusive',
      minimum: 31,
      needed: { cases: 26 },
    }))

  it('no number is named where none would do', () => {
    const { needed, reason } = ask(counted(20, 0, 2))
    expect(needed).toBeUndefined()
    expect(reason).toContain('no number of cases')
  })
})

describe('what does not matter, and what does', () => {
  it('the order of the cases does not', () =>
    fc.assert(
      fc.property(
        anyPairs.chain((pairs) =>
          fc.tuple(fc.constant(pairs), fc.shuffledSubarray(pairs, { minLength: pairs.length })),
        ),
        estimand,
        ([pairs, shuffled], estimand) => {
          const [one, other] = [ask(pairs, { estimand }), ask(shuffled, { estimand })]
          expect(other.outcome).toBe(one.outcome)
          for (const key of ['difference', 'lower', 'upper', 'pValue'] as const)
            expect(other[key]).toBeCloseTo(one[key] as number, 9)
          expect([...other.worse].sort()).toEqual([...one.worse].sort())
        },
      ),
      QUICK,
    ))

  it('the unit of the weights does not', () =>
    fc.assert(
      fc.property(anyPairs, estimand, (pairs, estimand) => {
        const tenfold = pairs.map((pair) => ({ ...pair, weight: 10 * (pair.weight ?? 1) }))
        const [one, other] = [ask(pairs, { estimand }), ask(tenfold, { estimand })]
        expect(other.outcome).toBe(one.outcome)
        expect(other.pValue).toBeCloseTo(one.pValue as number, 9)
        expect(other.lower).toBeCloseTo(one.lower as number, 9)
      }),
      QUICK,
    ))

  it('lower is better is higher is better, turned round', () =>
    fc.assert(
      fc.property(anyPairs, estimand, (pairs, estimand) => {
        const turned = pairs.map((pair) => ({
          ...pair,
          candidate: pair.candidate.map((value) => 1 - value),
          baseline: pair.baseline.map((value) => 1 - value),
        }))
        const [one, other] = [ask(pairs, { estimand }), ask(turned, { estimand, direction: 'lower' })]
        expect(other.outcome).toBe(one.outcome)
        expect(other.difference).toBeCloseTo(one.difference, 9)
        expect(other.pValue).toBeCloseTo(one.pValue as number, 9)
        expect(other.baseline).toBeCloseTo(1 - one.baseline, 9)
      }),
      QUICK,
    ))

  it('a wider margin never refuses what a narrower one let pass', () => {
    const margins = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5]
    fc.assert(
      fc.property(
        fc.oneof(
          anyPairs,
          anyCounts.map(({ n, better, worse }) => counted(n, better, worse)),
        ),
        (pairs) => {
          const passed = margins.map((margin) => ask(pairs, { margin }).outcome === 'pass')
          expect(passed).toEqual([...passed].sort((a, b) => Number(a) - Number(b)))
        },
      ),
      QUICK,
    )
  })

  it('one case that got worse instead of staying never helps', () =>
    fc.assert(
      fc.property(anyCounts, ({ n, better, worse }) => {
        fc.pre(better + worse < n)
        const [before, after] = [ask(counted(n, better, worse)), ask(counted(n, better, worse + 1))]
        expect(after.pValue).toBeGreaterThanOrEqual((before.pValue as number) - 1e-9)
        expect(after.lower).toBeLessThan(before.lower as number)
      }),
      QUICK,
    ))

  it('all cases of a cluster are one observation', () => {
    const variants = counted(60, 0, 0).map((pair, i) => ({ ...pair, cluster: `${i % 6}` }))
    expect(ask(variants)).toMatchObject({ n: 6, outcome: 'inconclusive' })
    // One cluster of ten variants that all fell weighs as much as one case that did.
    const fell = [
      ...counted(10, 0, 10).map((pair, i) => ({ ...pair, id: `v${i}`, cluster: 'one' })),
      ...counted(39, 0, 0),
    ]
    const answer = ask(fell)
    expect(answer.n).toBe(40)
    expect(answer.difference).toBeCloseTo(-1 / 40, 12)
    expect(answer.worse).toHaveLength(10)
  })

  it('a heavy case counts more, and makes the evidence no larger', () => {
    const heavy = graded(40, 0).map((pair, i) => (i === 0 ? { ...pair, candidate: [0], weight: 10 } : pair))
    const answer = ask(heavy)
    expect(answer.difference).toBeCloseTo((-0.5 * 10) / 49, 12)
    expect(answer.n).toBe(40)
    expect(answer.outcome).not.toBe('pass')
    // Thirty-one cases would do, if they counted alike; here most of the weight is one case's.
    const uneven = graded(31, 0).map((pair, i) => (i === 0 ? { ...pair, weight: 10 } : pair))
    expect(ask(graded(31, 0)).outcome).toBe('pass')
    expect(ask(uneven).outcome).toBe('inconclusive')
  })

  it('a weight of 1 that is written is one that is not', () => {
    const [first, ...rest] = counted(60, 1, 1)
    expect(ask([{ ...(first as PairedCase), weight: 1 }, ...rest])).toEqual(
      ask([first as PairedCase, ...rest]),
    )
  })

  it('trials are averaged inside a case where cases are the sample', () => {
    const tried = counted(40, 0, 0).map((pair) => ({ ...pair, candidate: [1, 0], baseline: [1, 0, 1, 0] }))
    expect(ask(tried)).toMatchObject({ n: 40, difference: 0, method: 'betting', outcome: 'pass' })
  })

  it('where the cases are all there is, trials are the sample and chance in each case is its own', () => {
    const five = (trials: number): PairedCase[] =>
      Array.from({ length: 5 }, (_, i) => ({
        id: `${i}`,
        candidate: Array(trials).fill(i < 2 ? 0 : 1),
        baseline: Array(trials).fill(i < 2 ? 0 : 1),
      }))
    // Two of five never succeed, in either run: as a sample of cases that is little, as these cases it is certain.
    expect(ask(five(12), { estimand: 'these-cases' })).toMatchObject({ n: 60, outcome: 'pass' })
    expect(ask(five(12), { estimand: 'such-cases' })).toMatchObject({ n: 5, outcome: 'inconclusive' })
    const clustered = five(12).map((pair) => ({ ...pair, cluster: 'one' }))
    expect(ask(clustered, { estimand: 'these-cases' }).n).toBe(60)
  })

  it('a run with more trials than the other loses none of them', () => {
    const uneven: PairedCase[] = [{ id: 'a', candidate: [1, 1, 0, 0, 1, 1], baseline: [1, 1, 1] }]
    const answer = ask(uneven, { estimand: 'these-cases' })
    expect(answer.n).toBe(3)
    expect(answer.difference).toBeCloseTo(4 / 6 - 1, 12)
    // The first three of each went well.
    const late = Array.from({ length: 12 }, (_, i) => ({
      ...{ id: `${i}`, candidate: [1, 1, 1, 0, 0, 0], baseline: [1, 1, 1] },
    }))
    expect(ask(late, { estimand: 'these-cases' })).toMatchObject({ n: 36, outcome: 'fail' })
  })
})

it('deterministic: any regression fails, however many got better, and trials that differ say that it is none', () => {
  const deterministic = { deterministic: true }
  expect(ask(counted(3, 0, 0), deterministic)).toMatchObject({ outcome: 'pass', method: 'deterministic' })
  expect(ask(counted(1000, 900, 1), deterministic)).toMatchObject({ outcome: 'fail', worse: ['c900'] })
  expect(ask(graded(3, -0.001, 0, 0), deterministic).outcome).toBe('fail')
  expect(ask(graded(3, -1e-12, 0, 0), deterministic).outcome).toBe('pass')
  const varied = [{ id: 'moody', candidate: [1, 0], baseline: [1, 1] }]
  const answer = ask(varied, deterministic)
  expect(answer.outcome).toBe('inconclusive')
  expect(answer.reason).toContain('moody')
  expect(ask([], deterministic).outcome).toBe('inconclusive')
})

describe('slices', () => {
  const tagged = (fallen: number, of: number) => [
    ...counted(of, 0, fallen).map((pair) => ({ ...pair, id: `t${pair.id}`, tags: ['weather'] })),
    ...counted(300, 0, 0),
  ]

  it('of five cases or more may not fall by more than the margin, however good the whole is', () => {
    const answer = ask(tagged(1, 5))
    expect(answer.outcome).toBe('fail')
    expect(answer.reason).toContain('weather by 20 points')
    expect(answer.slices).toEqual([
      { tag: 'weather', n: 5, difference: expect.closeTo(-0.2, 12), outcome: 'fail' },
    ])
    expect(ask(tagged(1, 9)).outcome).toBe('fail')
    expect(ask(tagged(1, 10)).outcome).toBe('pass') // by the margin itself, not by more
  })

  it('of fewer are shown, and not judged', () => {
    const answer = ask(tagged(1, 4))
    expect(answer.outcome).toBe('pass')
    expect(answer.slices).toMatchObject([{ outcome: 'small', n: 4 }])
  })

  it('turn with the direction', () => {
    const rising = tagged(5, 5)
    expect(ask(rising, { direction: 'lower' }).outcome).toBe('pass')
    expect(ask(rising, { direction: 'lower' }).slices[0]?.difference).toBe(1)
  })
})

/** Scores of a run: metric -> values by case, in the order of `ids`. */
const run = (metrics: CaseScores['metrics'], count = 40): CaseScores => ({
  ids: Array.from({ length: count }, (_, i) => `c${i}`),
  metrics,
})
const all = (value: number, count = 40): number[][] => Array.from({ length: count }, () => [value])
const but = (changes: Readonly<Record<number, number[]>>, of = all(1)): number[][] =>
  of.map((values, i) => changes[i] ?? values)

const RULES: GateRules = {
  gates: [{ metric: 'pass_rate', direction: 'higher', threshold: 0, margin: 0.1 }],
  ...{ hard: [], estimand: 'such-cases', deterministic: false },
}

describe('decide', () => {
  it('passes when every gate does, and says so without reasons', () => {
    const same = run({ pass_rate: all(1) })
    expect(decide(RULES, same, same)).toMatchObject({ outcome: 'pass', reasons: [], hardMisses: [] })
  })

  it('needs every gate: one that cannot say leaves it open, one that fails decides', () => {
    const gate = (metric: string) => ({ metric, direction: 'higher', threshold: 0, margin: 0.1 }) as const
    const rules: GateRules = { ...RULES, gates: [gate('pass_rate'), gate('score.tone'), gate('score.facts')] }
    const before = run({ pass_rate: all(1), 'score.tone': all(1), 'score.facts': all(1) })
    const open = run({
      pass_rate: all(1),
      'score.tone': but({ 1: [0], 2: [0] }),
      'score.facts': all(1),
    })
    const undecided = decide(rules, open, before)
    expect(undecided.outcome).toBe('inconclusive')
    expect(undecided.answers.map(({ outcome }) => outcome)).toEqual(['pass', 'inconclusive', 'pass'])
    expect(undecided.reasons).toEqual([expect.stringMatching(/^score\.tone: /)])
    const bad = run({ ...open.metrics, 'score.facts': all(0) })
    expect(decide(rules, bad, before).outcome).toBe('fail')
  })

  it('tolerates no miss of a hard scorer, in any trial, and no error that may hide one', () => {
    const rules: GateRules = { ...RULES, hard: ['safe'] }
    const before = run({ pass_rate: all(1), 'score.safe': all(1) })
    const missed = run({ pass_rate: all(1), 'score.safe': but({ 7: [1, 1, 0.99] }) })
    expect(decide(rules, missed, before)).toMatchObject({
      outcome: 'fail',
      hardMisses: [{ scorer: 'safe', ids: ['c7'] }],
      reasons: ['safe tolerates no miss: c7'],
    })
    const errs = run({ pass_rate: all(1), 'score.safe': but({ 3: [] }), errors: but({ 3: [1] }, all(0)) })
    expect(decide(rules, errs, before).hardMisses).toEqual([{ scorer: 'safe', ids: ['c3'] }])
    // What the baseline missed is no reproach to the candidate.
    expect(decide(rules, before, missed).outcome).toBe('pass')
  })

  it('cannot say when one run says nothing of a case, but what fails has failed', () => {
    const whole = run({ pass_rate: all(1) })
    const gap = run({ pass_rate: but({ 5: [] }) })
    const open = decide(RULES, gap, whole)
    expect(open.outcome).toBe('inconclusive')
    expect(open.reasons[0]).toContain('c5')
    expect(decide(RULES, whole, gap).outcome).toBe('inconclusive')
    expect(decide(RULES, run({ pass_rate: but({ 5: [] }, all(0)) }), whole).outcome).toBe('fail')
    expect(decide(RULES, run({ pass_rate: all(1, 41) }, 41), whole).outcome).toBe('inconclusive')
  })

  it('reads weights, clusters and tags from the cases', () => {
    const same = run({ pass_rate: all(1) })
    const cases: CaseFacts[] = same.ids.map((id, i) => ({ id, cluster: `${i % 4}`, tags: ['all'] }))
    expect(decide(RULES, same, same, { cases }).answers[0]).toMatchObject({ n: 4, outcome: 'inconclusive' })
    expect(decide(RULES, same, same, { cases }).answers[0]?.slices).toMatchObject([{ tag: 'all', n: 40 }])
  })
})

describe('pairs', () => {
  it("an error of the candidate is its worst score, whatever is better; one of the baseline's is nothing", () => {
    const errors = [[1], [0]]
    const broken = run({ 'score.x': [[], [0.5]], errors }, 2)
    const whole = run({ 'score.x': [[0.5], [0.5]], errors: [[0], [0]] }, 2)
    const candidateOf = (direction: 'higher' | 'lower') =>
      pairCases('score.x', broken, whole, [], direction).pairs.map(({ candidate }) => candidate)
    expect(candidateOf('higher')).toEqual([[0], [0.5]])
    expect(candidateOf('lower')).toEqual([[1], [0.5]])
    expect(pairCases('score.x', whole, broken)).toMatchObject({
      pairs: [{ id: 'c1' }],
      unpaired: ['c0'],
    })
  })

  it('cases that neither run speaks of are no gap', () => {
    const silent = run({ 'score.x': [[], [1]] }, 2)
    expect(pairCases('score.x', silent, silent)).toMatchObject({ pairs: [{ id: 'c1' }], unpaired: [] })
  })
})
