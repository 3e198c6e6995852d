import type { CaseFacts } from './case-facts.ts'
import type { CaseScores } from './case-scores.ts'
import { readScores, whyNotComparable } from './eval-run.ts'
import type { Evidence, EvidenceRun, JudgedVersion } from './evidence.ts'
import { decide } from './gate.ts'
import { missedThresholds } from './own-bars.ts'
import type { SuiteJudgement } from './promotion.ts'
import type { Suite } from './suite.ts'
import type { Tracking } from './tracking-port.ts'
import { listed } from './words.ts'

/** As much of a suite as judging its runs takes: of its files, or as a run logged it. */
export interface JudgedSuite {
  readonly suite: Pick<Suite, 'name' | 'hard' | 'estimand' | 'deterministic'>
  /** With thresholds as they were asked for. */
  readonly gates: Suite['gates']
  readonly dataset: { readonly digest: string; readonly cases: readonly CaseFacts[] }
}

export interface SuiteQuestion {
  readonly suite: JudgedSuite
  readonly candidate: JudgedVersion
  /** Absent: there is nothing to compare with, and thresholds alone decide. */
  readonly baseline?: JudgedVersion | undefined
  /** Aliases. */
  readonly from: string
  readonly to: string
}

export interface SuiteJudgeDeps {
  readonly tracking: Pick<Tracking, 'metricHistory'>
  /** The run that speaks for a version. @param chain - Aliases that it is loaded by. */
  find(of: JudgedVersion, chain: readonly string[]): Promise<Evidence>
}

export type JudgedRun = SuiteJudgement & { readonly evidence?: EvidenceRun }

/**
 * What one suite says about a candidate: the one judgement of evidence, whoever asks for it and wherever the runs come from.
 * @throws {EvalFailure} when a run cannot be read, and what `find` throws
 */
export async function judgeSuite(
  question: SuiteQuestion,
  { tracking, find }: SuiteJudgeDeps,
): Promise<JudgedRun> {
  const { suite, candidate, baseline, from, to } = question
  const name = suite.suite.name
  const undecided = (...reasons: string[]): JudgedRun => ({
    ...NOTHING,
    suite: name,
    outcome: 'undecided',
    reasons,
  })

  const ours = await find(candidate, [from, to])
  if ('notConcerned' in ours)
    return { ...NOTHING, suite: name, outcome: 'not-concerned', reasons: [ours.notConcerned] }
  if ('missing' in ours)
    return undecided(`no evidence about ${candidate.name} v${candidate.version} (${from}): ${ours.missing}`)
  const { run } = ours
  const found = { ...NOTHING, suite: name, run: run.id, evidence: run }
  const missed = missedThresholds(run, suite.gates)
  const scores = await readScores(tracking, run.logged)
  const gaps = gapsOf(scores, suite)
  if (gaps.length > 0)
    return { ...found, outcome: 'undecided', reasons: gaps.map((gap) => `run ${run.id} ${gap}`) }

  if (!baseline) {
    const reasons = [...missed, ...hardMisses(suite, scores)]
    return { ...found, outcome: reasons.length > 0 ? 'fail' : 'pass', reasons }
  }
  const theirs = await find(baseline, [to])
  if (!('run' in theirs)) {
    const why = 'missing' in theirs ? theirs.missing : theirs.notConcerned
    return {
      ...found,
      outcome: 'undecided',
      reasons: [`no baseline run of v${baseline.version} (${to}): ${why}`],
    }
  }
  const both = { ...found, baselineRun: theirs.run.id }
  const apart = whyNotComparable(run, theirs.run, candidate.name)
  if (apart.length > 0)
    return { ...both, outcome: 'undecided', reasons: apart.map((reason) => `not comparable: ${reason}`) }
  const rules = { ...suite.suite, gates: suite.gates }
  const before = await readScores(tracking, theirs.run.logged)
  const decision = decide(rules, scores, before, { cases: suite.dataset.cases })
  const worse = [...new Set(decision.answers.flatMap((answer) => answer.worse))]
  return {
    ...both,
    outcome: missed.length > 0 ? 'fail' : decision.outcome,
    reasons: [...missed, ...decision.reasons],
    answers: decision.answers,
    worse,
  }
}

const NOTHING = { reasons: [], answers: [], worse: [] } as const

/** Scorers that tolerate no miss, where no baseline is there to be compared with. */
const hardMisses = ({ suite: { hard } }: JudgedSuite, { ids, metrics }: CaseScores): string[] =>
  hard.flatMap((scorer) => {
    const missed = ids.filter((_, i) => metrics[`score.${scorer}`]?.[i]?.some((value) => value < 1))
    return missed.length === 0 ? [] : [`${scorer} tolerates no miss: ${missed.join(', ')}`]
  })

/** What a run of this suite as it is now would say, and this one does not: what is not said is no pass. */
function gapsOf({ ids, metrics }: CaseScores, { suite, dataset }: JudgedSuite): string[] {
  const place = new Map(ids.map((id, i) => [id, i]))
  const silent = dataset.cases.filter(({ id }) => !metrics.pass_rate?.[place.get(id) ?? -1]?.length)
  const unscored = suite.hard.filter(
    (scorer) => !metrics[`score.${scorer}`]?.some((values) => values.length > 0),
  )
  return [
    ...(silent.length > 0 ? [`says nothing of the cases ${listed(silent.map(({ id }) => id))}`] : []),
    ...unscored.map((scorer) => `says nothing of ${scorer}, which tolerates no miss: run the suite again`),
  ]
}
