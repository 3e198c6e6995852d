import type { Estimand, PairedCase } from '../../packages/evals/src/paired.ts'

/*
 * Worlds in which experiments are drawn, each with a true difference that is known exactly. Promoting a candidate whose
 * difference is the margin itself is wrong; one that is as good as the baseline should be promoted.
 */

type Random = () => number

export interface World {
  readonly name: string
  readonly estimand: Estimand
  /** `plain`: yes or no, one trial; else graded, clustered, weighted or tried several times. */
  readonly kind: 'plain' | 'graded'
  /** One experiment: `n` observations, the candidate worse by `loss`, a share `flips` changed for no reason. */
  draw(experiment: Experiment, random: Random): PairedCase[]
}

export interface Experiment {
  readonly n: number
  /** Baseline less candidate, 0 … 0.3. */
  readonly loss: number
  /** Share of cases that go up or down by chance alone, as often the one as the other. */
  readonly flips: number
}

/** A difference that has the mean `-loss`: what chance changes goes from one end to the other, both ways alike. */
function differenceOf(
  { loss, flips }: Experiment,
  fall: (mean: number, random: Random) => number,
  random: Random,
) {
  const u = random()
  if (u < flips) return u < flips / 2 ? 1 : -1
  return -fall(loss / (1 - flips), random)
}

/** Scores that differ by so much, anywhere they have room. */
function scores(id: string, difference: number, random: Random, more: Partial<PairedCase> = {}): PairedCase {
  const low = random() * (1 - Math.abs(difference))
  const [candidate, baseline] = [low + Math.max(0, difference), low + Math.max(0, -difference)]
  return { id, candidate: [Math.min(1, candidate)], baseline: [Math.min(1, baseline)], ...more }
}

const plain: World = {
  name: 'yes or no',
  estimand: 'such-cases',
  kind: 'plain',
  draw: ({ n, loss, flips }, random) =>
    Array.from({ length: n }, (_, i) => {
      const u = random()
      const [candidate, baseline] =
        u < flips / 2 ? [1, 0] : u < flips + loss ? [0, 1] : u < 0.9 ? [1, 1] : [0, 0]
      return { id: `${i}`, candidate: [candidate], baseline: [baseline] }
    }),
}

const fallFar = (mean: number, random: Random): number => (random() < mean ? 1 : 0)

/** How the loss is spread: each has the mean that it is given, and stays in −1 … 1. */
const FALLS: Readonly<Record<string, (mean: number, random: Random) => number>> = {
  'graded, few fall far': fallFar,
  'graded, all by a little': (mean, random) => mean + (random() - 0.5) / 2,
  'graded, a step or three': (mean, random) => (random() < 2 * mean ? (random() < 0.5 ? 0.25 : 0.75) : 0),
  'graded, long tail': (mean, random) => (mean === 0 ? 0 : random() ** (1 / mean - 1)),
}

const graded: World[] = Object.entries(FALLS).map(([name, fall]) => ({
  name,
  estimand: 'such-cases',
  kind: 'graded',
  draw: (experiment, random) =>
    Array.from({ length: experiment.n }, (_, i) =>
      scores(`${i}`, differenceOf(experiment, fall, random), random),
    ),
}))

/** All cases of a cluster go the same way. */
const clusters: World = {
  name: 'clusters of 1 to 5',
  estimand: 'such-cases',
  kind: 'graded',
  draw: (experiment, random) =>
    Array.from({ length: experiment.n }, (_, i) => {
      const difference = differenceOf(experiment, fallFar, random)
      const size = 1 + Math.floor(random() * 5)
      return Array.from({ length: size }, (_, j) =>
        scores(`${i}.${j}`, difference, random, { cluster: `${i}` }),
      )
    }).flat(),
}

const weights: World = {
  name: 'weights 1 to 3',
  estimand: 'such-cases',
  kind: 'graded',
  draw: (experiment, random) =>
    Array.from({ length: experiment.n }, (_, i) =>
      scores(`${i}`, differenceOf(experiment, fallFar, random), random, {
        weight: 1 + (i % 3),
      }),
    ),
}

/** Each case has chances of its own, and the loss is that of every `nth` case. */
const trials = (name: string, each: number, nth: number): World => ({
  name,
  estimand: 'these-cases',
  kind: 'graded',
  draw: ({ n, loss, flips }, random) => {
    const cases = Math.round(n / each)
    const before = 1 - flips / 2
    const falls = (loss * cases) / Math.ceil(cases / nth)
    const ask = (chance: number) => Array.from({ length: each }, () => (random() < chance ? 1 : 0))
    return Array.from({ length: cases }, (_, i) => ({
      id: `${i}`,
      candidate: ask(before - (i % nth === 0 ? falls : 0)),
      baseline: ask(before),
    }))
  },
})

export const WORLDS: readonly World[] = [
  plain,
  ...graded,
  clusters,
  weights,
  trials('5 trials of these cases, all fall', 5, 1),
  trials('5 trials of these cases, one in two falls', 5, 2),
]
