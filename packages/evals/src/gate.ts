import type { CaseFacts } from './case-facts.ts'
import type { CaseScores } from './case-scores.ts'
import { evidenceOf } from './gate-evidence.ts'
import { type Judged, judgeEvidence } from './judge-evidence.ts'
import type { GateAnswer, GateOutcome, GateQuestion, PairedCase, SliceAnswer } from './paired.ts'
import type { Suite } from './suite.ts'
import { listed, points } from './words.ts'

/** What all gates of a suite say together. */
export interface GateDecision {
  /** `fail` when any fails, else `inconclusive` when any is, else `pass`. */
  readonly outcome: GateOutcome
  readonly answers: readonly GateAnswer[]
  /** Why it is not `pass`; empty when it is. */
  readonly reasons: readonly string[]
  /** Scorers that tolerate no miss, and the cases that missed. */
  readonly hardMisses: readonly { readonly scorer: string; readonly ids: readonly string[] }[]
}

export type GateRules = Pick<Suite, 'gates' | 'hard' | 'estimand' | 'deterministic'>

/** A slice of fewer cases is shown, and not judged: one of them would be a drop of a quarter. */
const SMALLEST_SLICE = 5
/** Differences below this are how numbers are stored, not what a model did. */
const NOTHING = 1e-9

/**
 * Is the candidate no worse than the baseline, by the gates of a suite? Every one of them has to be passed (an
 * intersection-union test: each keeps the 5 %, so all together do, without a correction).
 */
export function decide(
  { gates, hard, estimand, deterministic }: GateRules,
  candidate: CaseScores,
  baseline: CaseScores,
  { cases }: { readonly cases?: readonly CaseFacts[] } = {},
): GateDecision {
  const answers = gates.map(({ metric, direction, margin }) => {
    const { pairs, unpaired } = pairCases(metric, candidate, baseline, cases, direction)
    const answer = askGate({ metric, direction, margin, estimand, deterministic }, pairs)
    return unpaired.length === 0 || answer.outcome === 'fail' ? answer : asUnpaired(answer, unpaired)
  })
  const hardMisses = hard.flatMap((scorer) => {
    const ids = missesOf(scorer, candidate)
    return ids.length > 0 ? [{ scorer, ids }] : []
  })
  const outcomes = answers.map(({ outcome }) => outcome)
  const outcome =
    hardMisses.length > 0 || outcomes.includes('fail')
      ? 'fail'
      : outcomes.includes('inconclusive')
        ? 'inconclusive'
        : 'pass'
  const reasons = [
    ...hardMisses.map(({ scorer, ids }) => `${scorer} tolerates no miss: ${listed(ids)}`),
    ...answers
      .filter((answer) => answer.outcome !== 'pass')
      .map(({ metric, reason }) => `${metric}: ${reason}`),
  ]
  return { outcome, answers, reasons, hardMisses }
}

/**
 * What two runs say of one metric, case by case. An error of the candidate is its worst score.
 *
 * @returns `unpaired`: cases that one of the runs says nothing of.
 */
export function pairCases(
  metric: string,
  candidate: CaseScores,
  baseline: CaseScores,
  cases: readonly CaseFacts[] = [],
  direction: GateQuestion['direction'] = 'higher',
): { readonly pairs: readonly PairedCase[]; readonly unpaired: readonly string[] } {
  const known = new Map(cases.map((one) => [one.id, one]))
  const of = (scores: CaseScores, worst: number | undefined): Map<string, readonly number[]> =>
    new Map(
      scores.ids.map((id, i) => [
        id,
        [...(scores.metrics[metric]?.[i] ?? []), ...errorsAt(scores, i, worst)],
      ]),
    )
  const errorsAt = (scores: CaseScores, i: number, worst: number | undefined): number[] =>
    worst === undefined || !metric.startsWith('score.')
      ? []
      : (scores.metrics.errors?.[i] ?? []).filter((error) => error === 1).map(() => worst)
  const ofCandidate = of(candidate, direction === 'higher' ? 0 : 1)
  const ofBaseline = of(baseline, undefined)
  const pairs: PairedCase[] = []
  const unpaired: string[] = []
  for (const id of new Set([...candidate.ids, ...baseline.ids])) {
    const here = ofCandidate.get(id) ?? []
    const there = ofBaseline.get(id) ?? []
    if (here.length > 0 && there.length > 0) {
      const { cluster, weight, tags } = known.get(id) ?? {}
      pairs.push({ id, cluster, weight, tags, candidate: here, baseline: there })
    } else if (here.length > 0 || there.length > 0) unpaired.push(id)
  }
  return { pairs, unpaired }
}

/**
 * Answers one gate from paired cases.
 * @throws {RangeError} a value that is not in 0…1, or a margin that is not in (0, 1)
 */
export function askGate(question: GateQuestion, pairs: readonly PairedCase[]): GateAnswer {
  const { metric, margin, estimand } = question
  if (!(margin > 0 && margin < 1)) throw new RangeError(`a margin is above 0 and below 1, not ${margin}`)
  const evidence = evidenceOf(question, pairs)
  const slices = slicesOf(question, pairs)
  const { n, difference, byCase } = evidence
  const moved = [...byCase].sort(([, a], [, b]) => a - b)
  const common = {
    metric,
    estimand,
    margin,
    n,
    difference,
    baseline: evidence.baseline,
    candidate: evidence.candidate,
    slices,
    worse: moved.filter(([, by]) => by < -NOTHING).map(([id]) => id),
    better: moved
      .filter(([, by]) => by > NOTHING)
      .map(([id]) => id)
      .reverse(),
  }
  if (question.deterministic) return { ...common, ...withoutTest(common, pairs) }
  const bad = slices.filter(({ outcome }) => outcome === 'fail')
  const judged = judgeEvidence(question, evidence)
  if (bad.length === 0) return { ...common, ...judged }
  const { needed: _, ...tested } = judged
  const fell = bad.map(({ tag, difference: by }) => `${tag} by ${points(-by)}`).join(', ')
  return {
    ...common,
    ...tested,
    outcome: 'fail',
    reason: `slices fell by more than ${points(margin)}: ${fell}`,
  }
}

/** Suite and target always answer the same: what got worse is worse. */
function withoutTest({ worse, n }: Pick<GateAnswer, 'worse' | 'n'>, pairs: readonly PairedCase[]): Judged {
  const judged = { method: 'deterministic', minimum: 1 } as const
  const varied = pairs.filter(({ candidate, baseline }) =>
    [candidate, baseline].some(([first, ...more]) => more.some((value) => value !== first)),
  )
  if (varied.length > 0)
    return {
      ...judged,
      outcome: 'inconclusive',
      reason: `the suite says that it is deterministic, and trials of ${listed(varied.map(({ id }) => id))} differ`,
    }
  if (n === 0) return { ...judged, outcome: 'inconclusive', reason: 'no case was judged in both runs' }
  if (worse.length > 0)
    return {
      ...judged,
      outcome: 'fail',
      reason: `${listed(worse)} got worse, and nothing here is left to chance`,
    }
  return {
    ...judged,
    outcome: 'pass',
    reason: `none of ${n} cases got worse, and nothing here is left to chance`,
  }
}

/** Each tag as a gate of its own would be too much to ask of a few cases: its difference itself must not be too low. */
function slicesOf(question: GateQuestion, pairs: readonly PairedCase[]): SliceAnswer[] {
  const tags = [...new Set(pairs.flatMap(({ tags = [] }) => tags))].sort()
  return tags.map((tag) => {
    const own = pairs.filter(({ tags = [] }) => tags.includes(tag))
    const { difference } = evidenceOf(question, own)
    const outcome =
      own.length < SMALLEST_SLICE ? 'small' : difference < -question.margin - NOTHING ? 'fail' : 'pass'
    return { tag, n: own.length, difference, outcome }
  })
}

function asUnpaired(answer: GateAnswer, unpaired: readonly string[]): GateAnswer {
  const reason = `one of the runs says nothing of ${listed(unpaired)}`
  return { ...answer, outcome: 'inconclusive', reason }
}

/** Cases of which a scorer gave less than 1, or an error hides what it would have given. */
function missesOf(scorer: string, { ids, metrics }: CaseScores): string[] {
  return ids.filter(
    (_, i) =>
      (metrics[`score.${scorer}`]?.[i] ?? []).some((score) => score < 1) ||
      (metrics.errors?.[i] ?? []).some((error) => error > 0),
  )
}
