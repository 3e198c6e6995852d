import { askGate } from '../../packages/evals/src/gate.ts'
import { evidenceOf } from '../../packages/evals/src/gate-evidence.ts'
import type { GateQuestion } from '../../packages/evals/src/paired.ts'
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

/** Experiments of a cell, by the gate itself; the same ones for the same seed. */
export function simulate(
  cell: Cell,
  { experiments, seed, hasBootstrap = false }: { experiments: number; seed: number; hasBootstrap?: boolean },
): CellFigures {
  const { world, margin, n, flips } = cell
  const question: GateQuestion = {
    ...{ metric: 'score', direction: 'higher', deterministic: false },
    ...{ margin, estimand: world.estimand },
  }
  const random = seededRandom(seed)
  const count = (loss: number) => {
    const promoted = { gate: 0, bootstrap: 0 }
    for (let i = 0; i < experiments; i++) {
      const pairs = world.draw({ n, loss, flips }, random)
      if (askGate(question, pairs).outcome === 'pass') promoted.gate++
      if (!hasBootstrap) continue
      const evidence = evidenceOf(question, pairs)
      if (studentisedLowerBound(evidence.values, random) > -evidence.margin) promoted.bootstrap++
    }
    return { gate: promoted.gate / experiments, bootstrap: promoted.bootstrap / experiments }
  }
  const wrong = count(margin)
  const power = count(0)
  return {
    ...{ world: world.name, margin, n, flips, experiments, wrong: wrong.gate, power: power.gate },
    ...(hasBootstrap && { bootstrap: { wrong: wrong.bootstrap, power: power.bootstrap } }),
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
