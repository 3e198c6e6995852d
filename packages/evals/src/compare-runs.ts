import { type CaseFacts, readFacts } from './case-facts.ts'
import type { CaseScores } from './case-scores.ts'
import { type Aspect, differencesOf } from './comparable.ts'
import { type BothScores, type ComparedCases, compareCases } from './compared-cases.ts'
import { EvalFailure, messageOf } from './errors.ts'
import { type EvalRun, readScores } from './eval-run.ts'
import { type EvidenceRun, whyNotUsable } from './evidence.ts'
import { findRun } from './find-run.ts'
import { decide, type GateDecision } from './gate.ts'
import { missedBars } from './own-bars.ts'
import type { GateOutcome } from './paired.ts'
import { type PromptChange, promptChanges } from './prompt-changes.ts'
import type { RunRules } from './run-rules.ts'
import type { Tracking } from './tracking-port.ts'

/** Two runs of one suite, case by case. */
export interface RunComparison extends ComparedCases {
  /** As the candidate says it. */
  readonly suite: string
  readonly candidate: EvalRun
  readonly baseline: EvalRun
  /**
   * `pass`: no worse by the suite's margins. `fail`: worse. `inconclusive`: too little evidence. `undecided`: the runs
   * are not comparable, or one is no evidence; `problems` say why.
   */
  readonly outcome: GateOutcome | 'undecided'
  /** 0: no worse. 1: worse. 2: anything else. */
  readonly exitCode: 0 | 1 | 2
  /** Why the two runs are not comparable, or no evidence. */
  readonly problems: readonly string[]
  /** What else a reader should know. */
  readonly notes: readonly string[]
  readonly prompts: readonly PromptChange[]
  /** By the suite's rules as the candidate logged them; absent where they are not known. */
  readonly gates?: GateDecision
}

/** What may differ on purpose: then the question is whether all of that together is no worse. */
export const ACROSS = ['model', 'target', 'prompts'] as const
export type Across = (typeof ACROSS)[number]

export interface CompareOptions {
  /** MLflow experiment, by name: where short ids and words are looked for. */
  readonly experiment: string
  /** What `latest` is about. */
  readonly suite?: string | undefined
  /** In place of the logged margins of all gates, 0 < δ < 1. */
  readonly margin?: number | undefined
  readonly across?: readonly Across[] | undefined
}

/**
 * Compares two logged runs, case by case. It promotes nothing, and asks no threshold: is the candidate no worse?
 * @param candidate - Id of a run, the first characters of it, or `latest`.
 * @param baseline - The same, or `previous`: the run before the candidate.
 * @throws {EvalFailure} `CONFIGURATION`: there is no such run. `INFRASTRUCTURE`: the tracking server cannot be asked.
 */
export async function compareRuns(
  candidate: string,
  baseline: string,
  options: CompareOptions,
  { tracking }: { readonly tracking: Pick<Tracking, 'findRuns' | 'getRun' | 'metricHistory'> },
): Promise<RunComparison> {
  const { margin, across = [], ...place } = options
  if (margin !== undefined && !(margin > 0 && margin < 1))
    throw new EvalFailure('CONFIGURATION', `a margin is above 0 and below 1, not ${margin}`)
  const ours = await findRun(candidate, place, { tracking })
  const suite = place.suite ?? ours.suite
  if (suite !== ours.suite)
    throw new EvalFailure('CONFIGURATION', `the run ${ours.id} is of ${ours.suite}, and not of ${suite}`)
  const theirs = await findRun(baseline, { ...place, suite, after: ours }, { tracking })
  const apart = differencesOf(ours, theirs)
  const isMeant = (aspect: Aspect): boolean => across.some((one) => one === aspect)
  const problems = [
    ...unusable('candidate', ours),
    ...unusable('baseline', theirs),
    ...apart.filter(({ aspect }) => !isMeant(aspect)).map(({ text }) => `not comparable: ${text}`),
  ]
  const notes = apart.filter(({ aspect }) => isMeant(aspect)).map(({ text }) => `on purpose: ${text}`)
  const base = {
    suite: ours.suite ?? '',
    candidate: withoutLog(ours),
    baseline: withoutLog(theirs),
    prompts: promptChanges(theirs.prompts, ours.prompts),
  }
  const undecided = { ...base, outcome: 'undecided', exitCode: 2 } as const
  const nothing = { metrics: {}, cases: [], unpaired: [] }
  // Cases of the same name in another dataset are other cases; and a run has no difference to itself.
  if (apart.some(({ aspect }) => ['run', 'suite', 'dataset'].includes(aspect)))
    return { ...undecided, ...nothing, problems, notes }
  const scores = await bothScores(ours, theirs, tracking)
  if ('problems' in scores)
    return { ...undecided, ...nothing, problems: [...problems, ...scores.problems], notes }
  const rules = rulesFor(ours, margin)
  const facts = readFacts(ours.logged.tags, scores.candidate.ids)
  const paired = compareCases(scores, rules)
  const compared = {
    ...base,
    ...paired,
    notes: [...notes, ...notesAbout(ours, theirs, { rules, base, margin })],
  }
  if (!rules || !facts)
    return { ...compared, outcome: 'undecided', exitCode: 2, problems: [...problems, NO_RULES] }
  const gates = decideBy(rules, ours, scores, facts)
  if (typeof gates === 'string')
    return { ...compared, outcome: 'undecided', exitCode: 2, problems: [...problems, gates] }
  const outcome = problems.length > 0 ? 'undecided' : gates.outcome
  return {
    ...compared,
    outcome,
    exitCode: outcome === 'pass' ? 0 : outcome === 'fail' ? 1 : 2,
    problems,
    gates,
  }
}

const NO_RULES =
  "the candidate does not say its suite's gates, margins and slices: an older version or another program logged it; run its suite again"

const withoutLog = ({ logged: _, ...run }: EvidenceRun): EvalRun => run

function unusable(what: string, run: EvalRun): string[] {
  const problem = whyNotUsable(run)
  return problem === undefined ? [] : [`the ${what} is no evidence: ${problem}`]
}

/** A run may say nothing by case; whoever cannot be asked is another matter. */
async function bothScores(
  ours: EvidenceRun,
  theirs: EvidenceRun,
  tracking: Pick<Tracking, 'metricHistory'>,
): Promise<BothScores | { readonly problems: readonly string[] }> {
  const problems: string[] = []
  const read: CaseScores[] = []
  for (const { logged } of [ours, theirs]) {
    try {
      read.push(await readScores(tracking, logged))
    } catch (error) {
      if (!(error instanceof EvalFailure) || error.code !== 'CONFIGURATION') throw error
      problems.push(messageOf(error))
    }
  }
  const [candidate, baseline] = read
  return candidate && baseline && problems.length === 0 ? { candidate, baseline } : { problems }
}

function rulesFor({ rules }: EvalRun, margin: number | undefined): RunRules | undefined {
  if (!rules || margin === undefined) return rules
  const [main, ...others] = rules.gates
  return { ...rules, gates: [{ ...main, margin }, ...others.map((gate) => ({ ...gate, margin }))] }
}

/** @returns Why it cannot be decided, where another program logged what no score can be. */
function decideBy(
  rules: RunRules,
  { estimand = 'such-cases' }: EvalRun,
  { candidate, baseline }: BothScores,
  cases: readonly CaseFacts[],
): GateDecision | string {
  try {
    return decide({ ...rules, estimand }, candidate, baseline, { cases })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return `the gates cannot be asked: ${error.message}`
  }
}

function notesAbout(
  ours: EvalRun,
  theirs: EvalRun,
  {
    rules,
    base,
    margin,
  }: {
    readonly rules: RunRules | undefined
    readonly base: Pick<RunComparison, 'prompts'>
    readonly margin: number | undefined
  },
): string[] {
  const missed = rules && whyNotUsable(ours) === undefined ? missedBars(ours, rules) : []
  const gatesOf = (run: EvalRun) => JSON.stringify(run.rules?.gates)
  return [
    ...(base.prompts.some(({ isOtherText }) => isOtherText)
      ? []
      : ['no prompt differs: both runs judged the same texts']),
    ...missed.map((text) => `the candidate does not reach its own bars: ${text}`),
    ...(margin === undefined && rules && theirs.rules && gatesOf(ours) !== gatesOf(theirs)
      ? ["the two runs were logged with different gates: the candidate's decide"]
      : []),
  ]
}
