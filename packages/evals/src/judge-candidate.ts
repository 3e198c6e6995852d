import type { CaseScores } from './case-scores.ts'
import { type EvalRun, readEvalRun, readScores, whyNotComparable } from './eval-run.ts'
import { type EvidenceRun, findEvidence, type JudgedVersion, whyNotUsable } from './evidence.ts'
import { decide } from './gate.ts'
import type { LoadedSuite } from './load-suite.ts'
import { passes } from './metrics.ts'
import type { SuiteJudgement } from './promotion.ts'
import { type EvalDeps, runSuite } from './run-eval.ts'
import type { Gate } from './suite.ts'
import { listed } from './words.ts'

export interface JudgeQuestion {
  readonly suite: LoadedSuite
  readonly candidate: JudgedVersion
  /** Absent: the alias that it is to have is unset, and thresholds alone decide. */
  readonly baseline?: JudgedVersion | undefined
  /** Aliases. */
  readonly from: string
  readonly to: string
  /** Milliseconds since the epoch: older runs are stale. */
  readonly freshSince: number
  /** Runs what is missing; else it is only read. */
  readonly run: boolean
}

export interface JudgeDeps {
  /** As an evaluator. */
  readonly evals: EvalDeps
  /** What is going on, one line at a time. */
  readonly onLine?: ((line: string) => void) | undefined
}

export type JudgedRun = SuiteJudgement & { readonly evidence?: EvidenceRun }

/**
 * What one suite says about a candidate: by runs that are there, or that are made now.
 * @throws {EvalFailure} when a run cannot begin, be logged or be read
 */
export async function judgeCandidate(question: JudgeQuestion, deps: JudgeDeps): Promise<JudgedRun> {
  const { suite, candidate, baseline, from, to } = question
  const name = suite.suite.name
  const undecided = (...reasons: string[]): JudgedRun => ({
    ...NOTHING,
    suite: name,
    outcome: 'undecided',
    reasons,
  })

  const ours = await evidenceOf(candidate, [from, to], question, deps)
  if ('notConcerned' in ours)
    return { ...NOTHING, suite: name, outcome: 'not-concerned', reasons: [ours.notConcerned] }
  if ('missing' in ours)
    return undecided(`no evidence about ${candidate.name} v${candidate.version} (${from}): ${ours.missing}`)
  const { run } = ours
  const found = { ...NOTHING, suite: name, run: run.id, evidence: run }
  const { tracking } = deps.evals
  const missed = suite.gates.filter((gate) => !passes(gate, run.metrics)).map((gate) => missedGate(gate, run))
  const scores = await readScores(tracking, run.logged)
  const gaps = gapsOf(scores, suite)
  if (gaps.length > 0)
    return { ...found, outcome: 'undecided', reasons: gaps.map((gap) => `run ${run.id} ${gap}`) }

  if (!baseline) {
    const reasons = [...missed, ...hardMisses(suite, scores)]
    return { ...found, outcome: reasons.length > 0 ? 'fail' : 'pass', reasons }
  }
  const theirs = await evidenceOf(baseline, [to], question, deps)
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

async function evidenceOf(
  of: JudgedVersion,
  chain: readonly string[],
  { suite, freshSince, run: mayRun, candidate }: JudgeQuestion,
  { evals, onLine }: JudgeDeps,
): Promise<Awaited<ReturnType<typeof findEvidence>>> {
  // The server takes a run as evidence for a number; what it is compared with it knows by its text.
  const byNumber = of === candidate
  const { experiment, tracking } = evals
  const now = evals.now()
  const found = await findEvidence(tracking, { experiment, suite, of, freshSince, now, byNumber })
  if (!('missing' in found) || !mayRun) return found
  onLine?.(`${suite.suite.name}: running it on ${of.name} v${of.version} (${chain[0]}); ${found.missing}`)
  const report = await runSuite({ ...suite, promptAlias: chain }, evals)
  if (report.verdict === 'not-concerned' || (report.verdict !== 'invalid' && !report.prompts[of.name]))
    return {
      notConcerned: `run ${report.run.id} used ${Object.keys(report.prompts).sort().join(', ') || 'none'}`,
    }
  const logged = await evals.tracking.getRun(report.run.id)
  const run = readEvalRun(logged)
  const problem =
    whyNotUsable(run, { datasetDigest: suite.dataset.digest, freshSince: 0, now: evals.now() }) ??
    wrongVersion(run, of)
  return problem === undefined ? { run: { ...run, logged } } : { missing: `run ${run.id}: ${problem}` }
}

/** Somebody moved the alias before the run began. */
function wrongVersion(run: EvalRun, { name, version, digest }: JudgedVersion): string | undefined {
  const used = run.prompts[name]
  return used?.version === version && used.digest === digest
    ? undefined
    : `it used v${used?.version} of ${name}, and not v${version}: the alias was moved meanwhile`
}

const missedGate = ({ metric, direction, threshold }: Gate, { metrics }: EvalRun): string =>
  `${metric} is ${metrics[metric] ?? 'unknown'}, and must be ${direction === 'higher' ? '≥' : '≤'} ${threshold}`

/** Scorers that tolerate no miss, where no baseline is there to be compared with. */
const hardMisses = ({ suite: { hard } }: LoadedSuite, { ids, metrics }: CaseScores): string[] =>
  hard.flatMap((scorer) => {
    const missed = ids.filter((_, i) => metrics[`score.${scorer}`]?.[i]?.some((value) => value < 1))
    return missed.length === 0 ? [] : [`${scorer} tolerates no miss: ${missed.join(', ')}`]
  })

/** What a run of this suite as it is now would say, and this one does not: what is not said is no pass. */
function gapsOf({ ids, metrics }: CaseScores, { suite, dataset }: LoadedSuite): string[] {
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
