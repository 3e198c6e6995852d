import type { CaseFacts } from '../../packages/evals/src/case-facts.ts'
import type { CaseScores } from '../../packages/evals/src/case-scores.ts'
import { decide, type GateRules } from '../../packages/evals/src/gate.ts'
import { evidenceOf } from '../../packages/evals/src/gate-evidence.ts'
import type { GateQuestion, PairedCase } from '../../packages/evals/src/paired.ts'
import { createGuardTest } from '../../packages/evals/src/statistics/guard-test.ts'
import { seededRandom } from '../../packages/evals/src/statistics/seeded-random.ts'
import { studentisedLowerBound } from './bootstrap.ts'
import type { World } from './worlds.ts'

export interface Cell {
  readonly world: World
  readonly margin: number
  readonly n: number
  readonly flips: number
}

export interface CellFigures {
  readonly world: string
  readonly margin: number
  readonly n: number
  readonly flips: number
  readonly experiments: number
  /** Share of candidates exactly at the margin that were promoted. */
  readonly wrong: number
  /** Share of candidates as good as the baseline that were. */
  readonly power: number
  /** The same by the studentised bootstrap; absent where it was not asked. */
  readonly bootstrap?: { readonly wrong: number; readonly power: number }
}

interface SimulateOptions {
  readonly experiments: number
  readonly seed: number
  readonly hasBootstrap?: boolean
  /** Whether candidates as good as the baseline are tried, too. Default true; else the power is not a number. */
  readonly hasPower?: boolean
}

/** Experiments of a cell, each decided as a promotion decides; the same ones for the same seed. */
export function simulate(
  cell: Cell,
  { experiments, seed, hasBootstrap = false, hasPower = true }: SimulateOptions,
): CellFigures {
  const { world, margin, n, flips } = cell
  const random = seededRandom(seed)
  const isPromoted = createPromotion(cell)
  const question: GateQuestion = { ...GATE, margin, estimand: world.estimand, deterministic: false }
  const count = (loss: number) => {
    const promoted = { gate: 0, bootstrap: 0 }
    for (let i = 0; i < experiments; i++) {
      const pairs = world.draw({ n, loss, flips }, random)
      if (isPromoted(pairs)) promoted.gate++
      if (!hasBootstrap) continue
      const evidence = evidenceOf(question, pairs)
      if (studentisedLowerBound(evidence.values, random) > -evidence.margin) promoted.bootstrap++
    }
    return { gate: promoted.gate / experiments, bootstrap: promoted.bootstrap / experiments }
  }
  const wrong = count(margin)
  const power = hasPower ? count(0) : { gate: Number.NaN, bootstrap: Number.NaN }
  return {
    ...{ world: world.name, margin, n, flips, experiments, wrong: wrong.gate, power: power.gate },
    ...(hasBootstrap && { bootstrap: { wrong: wrong.bootstrap, power: power.bootstrap } }),
  }
}

const GATE = { metric: 'score.quality', direction: 'higher' } as const

/** From pairs to the scores of two runs, and through `decide`. */
function createPromotion({ world, margin }: Cell): (pairs: readonly PairedCase[]) => boolean {
  const rules: GateRules = {
    gates: [{ ...GATE, threshold: 0, margin }],
    ...{ hard: [], estimand: world.estimand, deterministic: false },
  }
  // What the gate says of a plain yes or no depends on the counts alone (a property that gate.test.ts holds it to), and the
  // exact test of 200 of them takes 20 ms: no two experiments with the same counts are decided twice.
  const known = new Map<string, boolean>()
  return (pairs) => {
    const key = world.kind === 'plain' ? keyOf(pairs) : undefined
    const before = key === undefined ? undefined : known.get(key)
    if (before !== undefined) return before
    const { cases, candidate, baseline } = runsOf(pairs)
    const isPass = decide(rules, candidate, baseline, { cases }).outcome === 'pass'
    if (key !== undefined) known.set(key, isPass)
    return isPass
  }
}

function keyOf(pairs: readonly PairedCase[]): string {
  const counts = { '1/0': 0, '0/1': 0 }
  for (const { candidate, baseline } of pairs) {
    const key = `${candidate}/${baseline}`
    if (key === '1/0' || key === '0/1') counts[key]++
  }
  return `${pairs.length} ${counts['1/0']} ${counts['0/1']}`
}

function runsOf(pairs: readonly PairedCase[]): {
  readonly cases: readonly CaseFacts[]
  readonly candidate: CaseScores
  readonly baseline: CaseScores
} {
  const ids = pairs.map(({ id }) => id)
  const scores = (of: 'candidate' | 'baseline'): CaseScores => ({
    ids,
    metrics: { [GATE.metric]: pairs.map((pair) => pair[of]) },
  })
  return {
    cases: pairs.map(({ id, cluster, weight }) => ({
      id,
      ...(cluster !== undefined && { cluster }),
      ...(weight !== undefined && { weight }),
    })),
    candidate: scores('candidate'),
    baseline: scores('baseline'),
  }
}

export interface GuardCell {
  readonly margin: number
  /** Main less new. */
  readonly loss: number
  /** Share of observations that are of the new version. */
  readonly share: number
  /** What is observed of either: 0 or 1, or anything between. */
  readonly isGraded: boolean
}

export interface GuardFigures extends GuardCell {
  readonly watches: number
  readonly observations: number
  /** Share of watches that ended in "it is worse". */
  readonly alarms: number
  /** Median of observations until then, of those that did. */
  readonly median: number | undefined
}

/** Watches that look after every observation, each until it alarms or ends. */
export function watchOften(
  cell: GuardCell,
  { watches, observations, seed }: { watches: number; observations: number; seed: number },
): GuardFigures {
  const random = seededRandom(seed)
  const ofMain = 0.9
  // Graded: a power of a uniform number, which has that mean.
  const observe = (mean: number) => (cell.isGraded ? random() ** (1 / mean - 1) : random() < mean ? 1 : 0)
  const until: number[] = []
  for (let watch = 0; watch < watches; watch++) {
    const guard = createGuardTest({ margin: cell.margin })
    for (let seen = 1; seen <= observations; seen++) {
      const arm = random() < cell.share ? 'new' : 'main'
      if (guard.observe(arm, observe(arm === 'new' ? ofMain - cell.loss : ofMain)).isWorse) {
        until.push(seen)
        break
      }
    }
  }
  until.sort((a, b) => a - b)
  return { ...cell, watches, observations, alarms: until.length / watches, median: until[until.length >> 1] }
}
