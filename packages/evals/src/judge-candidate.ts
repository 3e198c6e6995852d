import { type EvalRun, readEvalRun } from './eval-run.ts'
import { findEvidence, type JudgedVersion, whyNotUsable } from './evidence.ts'
import { type JudgedRun, judgeSuite, type SuiteQuestion } from './judge-suite.ts'
import type { LoadedSuite } from './load-suite.ts'
import { type EvalDeps, runSuite } from './run-eval.ts'
import { judgeModelOf } from './run-record.ts'

export interface JudgeQuestion extends SuiteQuestion {
  readonly suite: LoadedSuite
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

/**
 * What one suite says about a candidate: by runs that are there, or that are made now.
 * @throws {EvalFailure} when a run cannot begin, be logged or be read
 */
export const judgeCandidate = (question: JudgeQuestion, deps: JudgeDeps): Promise<JudgedRun> =>
  judgeSuite(question, {
    tracking: deps.evals.tracking,
    find: (of, chain) => evidenceOf(of, chain, question, deps),
  })

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
  const { manifestDigest, options } = suite
  const as = { manifestDigest, model: options.model, judgeModel: judgeModelOf(suite) }
  const found = await findEvidence(tracking, { experiment, suite, of, freshSince, now, as, byNumber })
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
