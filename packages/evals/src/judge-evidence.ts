import type { Evidence } from './gate-evidence.ts'
import type { GateAnswer, GateQuestion } from './paired.ts'
import { bettingBounds, bettingPValue, leastForBetting, valuesForBetting } from './statistics/betting.ts'
import { exactScorePValue, pairsForMargin } from './statistics/exact-score-test.ts'
import { type Discordance, leastForMargin, scoreBounds } from './statistics/score-test.ts'
import { points, signed } from './words.ts'

/** Chance of a promotion that was not earned, at most. */
const LEVEL = 0.05
/** 0.8 − 0.9 is −0.1, whatever its last digit says. */
const NOTHING = 1e-9

/** What a test says of a gate. */
export type Judged = Pick<
  GateAnswer,
  'outcome' | 'reason' | 'method' | 'minimum' | 'lower' | 'upper' | 'pValue' | 'needed'
>

/** Is the candidate no worse by the margin? By the score test where all is yes or no, else by bets. */
export function judgeEvidence({ margin, estimand }: GateQuestion, evidence: Evidence): Judged {
  const { n, difference, counted } = evidence
  const method = counted ? 'score-test' : 'betting'
  const minimum = counted ? leastForMargin(margin) : leastForBetting(evidence.margin)
  const about =
    estimand === 'these-cases' ? 'on these cases, asked again' : 'on such cases, of which these are a sample'
  if (n === 0) return { method, minimum, outcome: 'inconclusive', reason: 'no case was judged in both runs' }
  const tested = counted ? byScore(counted, margin) : byBets(evidence)
  const { pValue } = tested
  const bounds = {
    // Rounding, and trials that do not divide evenly, may leave the difference itself a little outside.
    lower: Math.min(tested.lower, difference),
    upper: Math.max(tested.upper, difference),
  }
  const judged = { method, minimum, ...bounds, pValue } as const
  const range = `${signed(difference)} (one-sided 95 %: at least ${signed(bounds.lower)})`
  if (n >= minimum && pValue <= LEVEL)
    return { ...judged, outcome: 'pass', reason: `${range}: no worse by ${points(margin)} ${about}` }
  if (bounds.upper < 0)
    return {
      ...judged,
      outcome: 'fail',
      reason: `${signed(difference)} (at most ${signed(bounds.upper)}): worse ${about}`,
    }
  if (n >= minimum && difference <= -margin + NOTHING)
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

interface Tested {
  readonly pValue: number
  readonly lower: number
  readonly upper: number
}

/** The bound never promises what the exact test does not: the normal distribution is too kind to few changed pairs. */
function byScore(counted: Discordance, margin: number): Tested {
  const pValue = exactScorePValue(counted, margin)
  const { lower, upper } = scoreBounds(counted)
  return { pValue, lower: pValue <= LEVEL ? lower : Math.min(lower, -margin), upper }
}

function byBets({ values, margin, scale }: Evidence): Tested {
  const { lower, upper } = bettingBounds(values)
  return {
    pValue: bettingPValue(values, -margin),
    lower: Math.max(-1, lower * scale),
    upper: Math.min(1, upper * scale),
  }
}

function moreOf(
  { n, values, counted, margin: scaledMargin, byCase, trials }: Evidence,
  { margin, minimum, estimand }: Pick<GateAnswer, 'margin' | 'minimum' | 'estimand'>,
): { readonly said: string; readonly needed?: GateAnswer['needed'] } {
  const enough = counted ? pairsForMargin(counted, margin) : valuesForBetting(values, -scaledMargin)
  if (enough === undefined)
    return { said: 'if the difference stays as it is, no number of cases would show it' }
  const total = Math.max(minimum, enough)
  if (estimand === 'these-cases') {
    const each = Math.max(trials + 1, Math.ceil(total / byCase.length))
    return {
      said: `about ${each} trials of each case would do (${trials} now)`,
      needed: { trials: each - trials },
    }
  }
  const more = Math.max(1, total - n)
  return {
    said: `about ${more} more ${more === 1 ? 'case' : 'cases'} would do (${n} now, ${minimum} at least)`,
    needed: { cases: more },
  }
}
