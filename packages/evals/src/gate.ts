import type { CaseScores } from './case-scores.ts'
import type { Case } from './dataset.ts'
import { type Evidence, evidenceOf } from './gate-evidence.ts'
import type { GateAnswer, GateOutcome, GateQuestion, PairedCase, SliceAnswer } from './paired.ts'
import { bettingBounds, bettingPValue, leastForBetting, timesForBetting } from './statistics/betting.ts'
import { leastForMargin, pairsForMargin, scoreBounds, scorePValue } from './statistics/score-test.ts'
import type { Suite } from './suite.ts'

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
  { cases }: { readonly cases?: readonly Case[] } = {},
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
  cases: readonly Case[] = [],
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
  const judged = test(question, evidence)
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

type Judged = Pick<
  GateAnswer,
  'outcome' | 'reason' | 'method' | 'minimum' | 'lower' | 'upper' | 'pValue' | 'needed'
>

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

function test({ margin, estimand }: GateQuestion, evidence: Evidence): Judged {
  const { n, difference, values, counted } = evidence
  const method = counted ? 'score-test' : 'betting'
  const minimum = counted ? leastForMargin(margin) : leastForBetting(evidence.margin)
  const about =
    estimand === 'these-cases' ? 'on these cases, asked again' : 'on such cases, of which these are a sample'
  if (n === 0) return { method, minimum, outcome: 'inconclusive', reason: 'no case was judged in both runs' }
  const bounds = counted ? scoreBounds(counted) : scaled(bettingBounds(values), evidence.scale)
  const pValue = counted ? scorePValue(counted, -margin) : bettingPValue(values, -evidence.margin)
  const judged = { method, minimum, ...bounds, pValue } as const
  const range = `${signed(difference)} (one-sided 95 %: at least ${signed(bounds.lower)})`
  if (n >= minimum && pValue <= 0.05)
    return { ...judged, outcome: 'pass', reason: `${range}: no worse by ${points(margin)} ${about}` }
  if (bounds.upper < 0)
    return {
      ...judged,
      outcome: 'fail',
      reason: `${signed(difference)} (at most ${signed(bounds.upper)}): worse ${about}`,
    }
  if (n >= minimum && difference <= -margin)
    return {
      ...judged,
      outcome: 'fail',
      reason: `${signed(difference)}: worse by ${points(margin)} or more ${about}`,
    }
  const more = moreOf(evidence, { margin, minimum, estimand })
  return {
    ...judged,
    outcome: 'inconclusive',
    reason: `${range}: too little to say whether it is worse by ${points(margin)} ${about}; ${more.said}`,
    ...(more.needed && { needed: more.needed }),
  }
}

function moreOf(
  { n, values, counted, margin: scaledMargin, byCase, trials }: Evidence,
  { margin, minimum, estimand }: Pick<GateAnswer, 'margin' | 'minimum' | 'estimand'>,
): { readonly said: string; readonly needed?: GateAnswer['needed'] } {
  const times = counted
    ? (pairsForMargin(counted, margin) ?? Infinity) / n
    : timesForBetting(values, -scaledMargin)
  if (times === undefined || times === Infinity)
    return { said: 'if the difference stays as it is, no number of cases would show it' }
  const total = Math.max(minimum, Math.ceil(times * n))
  if (estimand === 'these-cases') {
    const each = Math.max(trials + 1, Math.ceil(total / byCase.length))
    return {
      said: `about ${each} trials of each case would do (${trials} now)`,
      needed: { trials: each - trials },
    }
  }
  const more = Math.max(1, total - n)
  return {
    said: `about ${more} more cases would do (${n} now, ${minimum} at least)`,
    needed: { cases: more },
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

const scaled = ({ lower, upper }: { lower: number; upper: number }, scale: number) => ({
  lower: Math.max(-1, lower * scale),
  upper: Math.min(1, upper * scale),
})

const points = (share: number): string => `${Math.round(share * 1000) / 10} points`
const signed = (share: number): string =>
  `${share > 0 ? '+' : share < 0 ? '−' : '±'}${points(Math.abs(share))}`

const listed = (ids: readonly string[]): string =>
  ids.length > 5 ? `${ids.slice(0, 5).join(', ')} and ${ids.length - 5} more` : ids.join(', ')
